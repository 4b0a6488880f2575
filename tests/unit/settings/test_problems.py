"""What is said of a settings file that cannot be used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from isthmus.domain.errors import ConfigError
from isthmus.settings.lines import lines_of
from isthmus.settings.reading import read
from isthmus.settings.schema import NAMED_SECTIONS, SECTIONS

SECRET = "sk-proj-a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6"  # made up

Problems = Callable[[str], list[str]]


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    def problems(text: str) -> list[str]:
        file = tmp_path / "isthmus.toml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            read(file, environ={"HOME": str(tmp_path)}, ports={})
        # Nothing is told twice: either the message is the problem, or it counts those that follow.
        told = caught.value.problems or (caught.value.message,)
        assert all(problem.startswith(str(file)) for problem in told)
        assert str(file) in caught.value.message
        assert not any(problem in caught.value.message for problem in caught.value.problems)
        return [problem.removeprefix(f"{tmp_path}/") for problem in told]

    return problems


def test_all_problems_are_told_at_once_with_line_key_and_fix(problems: Problems) -> None:
    assert problems(f"""
[server]
bind = "everywhere"
max_body_byte = 3

[offers.home]
model = "smollm2-135m-instruct"
provider = "embeded"

[offers.gpt]
modle = "gpt-5.4-mini"
provider = "openai"
key = "{SECRET}"
quality = 3
capabilities = {{ tolls = "yes", vision = "maybe" }}

[workloads.triage]
offers = ["hoem", "gpt"]
goal = "cheapst"
placement = "measured"

[keys.support]
hash = "abc"
budget = {{ usd = 200, per = "month" }}
""") == [
        "isthmus.toml:4: server.max_body_byte is not known. Did you mean 'max_body_bytes'?",
        "isthmus.toml:8: offers.home.provider 'embeded' is not a known provider. Did you mean 'embedded'? A service of"
        " a known dialect that has no row of its own is 'openai-compatible', 'anthropic-compatible' or"
        " 'gemini-compatible'.",
        "isthmus.toml:10: offers.gpt.model is missing. The model's name at the provider.",
        "isthmus.toml:11: offers.gpt.modle is not known. Did you mean 'model'?",
        "isthmus.toml:13: offers.gpt.key must say where the secret is, not what it is: env:NAME, file:PATH or"
        " keyring:NAME (if this was a real key, take it out of the file and replace it at the provider).",
        "isthmus.toml:14: offers.gpt.quality must be less than or equal to 1.",
        "isthmus.toml:15: offers.gpt.capabilities.vision must be 'yes', 'no', 'emulated' or 'unknown'.",
        "isthmus.toml:15: offers.gpt.capabilities.tolls is not known. Did you mean 'tools'?",
        "isthmus.toml:19: workloads.triage.goal must be 'cheapest', 'best', 'fastest' or 'order'.",
        "isthmus.toml:20: workloads.triage.placement is not available in this release: nothing measures yet which"
        " offer a workload belongs on. Take it out and list the offers in your order.",
        "isthmus.toml:23: keys.support.hash does not have the right form. `sha256:` and the 64 hexadecimal digits of"
        " the key's SHA-256.",
        "isthmus.toml:24: keys.support.budget is not available in this release: nothing would stop at it. Take it out,"
        " so that none relies on it.",
    ]


OFFER = '[offers.a]\nmodel = "m"\nprovider = "openai"\n'
EMBEDDED = '[offers.a]\nmodel = "m"\nprovider = "embedded"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server", "is not TOML"),
        ('[server]\nbind = "8090"', "server.bind is no address"),
        ('[server]\nbind = "127.0.0.1:70000"', "server.bind is no address"),
        ('[server]\nbind = "::1:8090"', "server.bind is no address"),
        ("server = 3", "server must be a table"),
        ("offers = 3", "offers must be tables with names"),
        ("offers.a = 3", "offers.a must be a table"),
        ("[sevrer]", "sevrer is not known. Did you mean 'server'?"),
        ('profile = "privacy-first"', "profile is not available in this release"),
        ("[ledger]", "ledger has another name here: [store]"),
        ('[store]\nurl = "postgresql+asyncpg://h/d"', "PostgreSQL is not available"),
        ('[store]\nurl = "sqlite::memory:"', "store.url must be sqlite:FILE"),
        ('[store]\nurl = "sqlite:"', "store.url must be sqlite:FILE"),
        ('[store]\ngroup_ms = "fast"', "store.group_ms must be a valid number"),
        ("[server]\nmax_body_bytes = 0", "server.max_body_bytes must be greater than or equal to 1"),
        ("[server]\ndrain_seconds = nan", "server.drain_seconds must be"),
        ("[server]\nmax_messages = true", "server.max_messages must be a valid integer"),
        (OFFER + 'url = "api.example.org"', "offers.a.url is not an address"),
        (OFFER + 'url = "http://h:port/"', "offers.a.url is not an address"),
        (OFFER + 'url = "https://u:p@h/v1"', "offers.a.url has a user or a password in it"),
        (OFFER + 'url = "https://h/v1?key=1"', "offers.a.url has a query"),
        (OFFER + 'headers = { Authorization = "Bearer x" }', "offers.a.headers.Authorization would carry a secret"),
        (OFFER + 'headers = { host = "x" }', "offers.a.headers.host is set by isthmus"),
        (OFFER + 'headers = { "a b" = "x" }', "is not a header"),
        (OFFER + 'headers = { x-a = "b\\r\\nc: d" }', "offers.a.headers.x-a is not a header"),
        (OFFER + 'proxy = "socks5://h:1"', "offers.a.proxy must be http://HOST:PORT"),
        (OFFER + 'ca_file = "absent.pem"', "offers.a.ca_file is not a file that can be found"),
        (OFFER + 'cleared = "everything"', "offers.a.cleared can be 'everything' for own offers only"),
        (OFFER + 'cleared = ["PII"]', "'PII' is no label"),
        (OFFER + 'cleared = "pii"', "must be a list of labels"),
        (OFFER + "cleared = [3]", "must be a label's name"),
        (OFFER + 'auth = "none"\nkey = "env:K"', "offers.a.key would never be sent"),
        (OFFER + 'weights = "pypi:x"', "offers.a.weights is for provider 'embedded' only"),
        (OFFER + "price = { input = -1, output = 1 }", "offers.a.price.input must be greater than or equal to 0"),
        (OFFER + "price = { input = nan, output = 1 }", "offers.a.price.input must be a finite number"),
        (OFFER + 'price = { input = "cheap", output = 1 }', "must be a number of dollars"),
        (OFFER + "price = { input = true, output = 1 }", "must be a number of dollars"),
        (OFFER + "price = { input = 1 }", "offers.a.price.output is missing. Of output tokens"),
        (OFFER + "price = 3", "offers.a.price must be a table"),
        ('[offers.a]\nmodel = "m"\nprovider = "azure-openai"', "offers.a.url is missing: Azure OpenAI has an address"),
        (EMBEDDED, "offers.a.weights is missing"),
        (EMBEDDED + 'weights = "hf:o/n/f.gguf"', "offers.a.sha256 is missing: weights that are downloaded must be"),
        (EMBEDDED + 'weights = "s3:x"', "offers.a.weights 's3:x' is no reference to weights"),
        (EMBEDDED + 'weights = "f.gguf"\nurl = "http://h"', "offers.a.url is not for provider 'embedded'"),
        (EMBEDDED + 'weights = "f.gguf"\nside = "hosted"', "offers.a.side cannot be anything but 'own'"),
        (EMBEDDED + 'weights = "f.gguf"\nsha256 = "abc"', "offers.a.sha256 does not have the right form"),
        ('[offers.auto]\nmodel = "m"\nprovider = "ollama"', "offers.auto is not a usable name"),
        ('[offers."a b"]\nmodel = "m"\nprovider = "ollama"', "offers.'a b' is not a usable name"),
        ('[offers.default]\nmodel = "m"\nprovider = "ollama"', "offers.default has the name of the workload"),
        (OFFER + '[workloads.a]\noffers = ["a"]', "workloads.a has the name of an offer"),
        (OFFER + "[workloads.w]\noffers = []", "workloads.w.offers must not be empty"),
        (OFFER + '[workloads.w]\noffers = "a"', "workloads.w.offers must be a list"),
        (OFFER + '[workloads.w]\noffers = ["a", "a"]', "workloads.w.offers has an offer twice"),
        (OFFER + '[workloads.w]\noffers = ["b"]', "workloads.w.offers 'b' is not an offer. Known: a."),
        (OFFER + '[workloads.w]\noffers = ["a"]\nattempts = 0', "workloads.w.attempts must be greater than or equal"),
        ('default_workload = "x"\n' + OFFER, "default_workload 'x' is not a workload. Known: default."),
        ("default_workload = 3\n" + OFFER, "default_workload must be the name of a workload"),
        (OFFER + f'[keys.k]\nhash = "sha256:{"0" * 64}"\nworkload = "w"', "keys.k.workload 'w' is not a workload"),
        (OFFER + f'[keys.k]\nhash = "sha256:{"0" * 64}"\nexpires = 2027-01-31T00:00:00', "must say its offset"),
        (
            OFFER + f'[keys.k]\nhash = "sha256:{"0" * 64}"\n[keys.l]\nhash = "sha256:{"0" * 64}"',
            "keys.l.hash is the hash of key 'k' too",
        ),
    ],
)
def test_a_mistake_is_named(problems: Problems, text: str, problem: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert problem in found[0]


@pytest.mark.parametrize(
    "text",
    [
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\nkey = "{SECRET}"',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\napi_key = "{SECRET}"',
        f'[offers.a]\nmodel = "m"\nprovider = "{SECRET}"',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\nurl = "https://x:{SECRET}@h/v1"',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\nproxy = "http://x:{SECRET}@h:1"',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\nside = "{SECRET}"',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\nheaders = {{ Authorization = "Bearer {SECRET}" }}',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\n"{SECRET}" = 1',
        f'[offers.a]\nmodel = "m"\nprovider = "openai"\n[workloads.w]\noffers = ["{SECRET}"]',
        f'[keys.k]\nhash = "{SECRET}"',
        f'default_workload = "{SECRET}"',
        f'"{SECRET}" = 1',
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(problems: Problems, text: str) -> None:
    told = " ".join(problems(text))
    assert SECRET not in told
    assert SECRET[8:] not in told


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist\. Check --config"):
        read(tmp_path / "absent.toml", environ={}, ports={})
    with pytest.raises(ConfigError, match=r"does not exist\. Check --config"):
        read(None, environ={"ISTHMUS_CONFIG": str(tmp_path / "absent.toml")}, ports={})


def test_a_file_that_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "isthmus.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text, at byte 0"):
        read(binary, environ={}, ports={})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path, environ={}, ports={})
    binary.write_bytes(b"#" * (5 << 20))
    with pytest.raises(ConfigError, match="is larger than"):
        read(binary, environ={}, ports={})


def test_lines_are_found_under_every_way_to_write_a_key() -> None:
    lines = lines_of('a = 1\n[b."c d"]  # comment\ne.f = 2\n"g h" = 3\n[[i]]\nj = [\n  1,\n]\n')
    assert lines[("a",)] == 1
    assert lines[("b", "c d")] == 2
    assert lines[("b", "c d", "e", "f")] == 3
    assert lines[("b", "c d", "g h")] == 4
    assert lines[("i", "j")] == 6


# A file is made of the words of the schema and of anything else, so that it goes deep and wrong at once.
_words = st.sampled_from(
    [
        "labels",
        "default_workload",
        *SECTIONS,
        *NAMED_SECTIONS,
        *(key for table in (*SECTIONS.values(), *NAMED_SECTIONS.values()) for key in table.model_fields),
    ]
)
_texts = st.sampled_from(["openai", "embedded", "ollama", "a", "own", "env:K", "http://h:1", "yes", "everything", ""])
_keys = st.one_of(_words, st.text(alphabet="ab.\"\\ \n'é", max_size=4))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() or c in " :/._-" else f"\\U{ord(c):08x}" for c in text) + '"'


_leaves = st.one_of(
    _texts,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=4)),
    max_leaves=5,
)


@given(
    st.dictionaries(
        _keys,
        st.one_of(_values, st.dictionaries(_keys, st.dictionaries(_keys, _values, max_size=4), max_size=3)),
        max_size=4,
    )
)
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_says_only_a_config_error_comes_of_it(tmp_path: Path, content: dict[str, object]) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text("".join(f"{_quoted(key)} = {_toml(value)}\n" for key, value in content.items()), encoding="utf-8")
    with contextlib.suppress(ConfigError):
        read(file, environ={"HOME": str(tmp_path)}, ports={})


@given(st.text(st.characters(exclude_categories=["Cs"])))
@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_that_is_no_toml_is_a_config_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_bytes(text.encode())
    with contextlib.suppress(ConfigError):
        read(file, environ={"HOME": str(tmp_path)}, ports={})
