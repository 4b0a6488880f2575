"""The rules of labels: what is read from the file, and what is refused with a sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Label
from isthmus.perimeter.policy import Needs, Rule
from isthmus.settings import Settings
from isthmus.settings.reading import read

OFFERS = """
[offers.home]
model    = "smollm2-135m-instruct"
provider = "embedded"

[offers.gpt]
model    = "gpt-5.4-mini"
provider = "openai"
key      = "env:OPENAI_API_KEY"
"""

Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Settings:
        file = tmp_path / "isthmus.toml"
        file.write_text(OFFERS + text, encoding="utf-8")
        return read(file, environ={"HOME": str(tmp_path), "OPENAI_API_KEY": "set"}, ports={})

    return load


def test_a_rule_says_what_is_looked_for_what_an_offer_must_be_and_what_is_done_else(load: Load) -> None:
    policy = load("""
        [labels.pii]
        detect = ["email", "network"]
        else   = "pseudonymise"
        implies = ["internal"]
        ledger = "strict"
        remember_days = 7

        [labels.pii.needs]
        side = ["own", "hosted"]
        region = ["EU"]
        jurisdiction = ["DE"]
        training = "never"
        retention_days_max = 0
        evidence_min = "E3"
        offers = ["home"]
    """).policy
    assert policy.rules == {
        Label("pii"): Rule(
            label=Label("pii"),
            detect=frozenset({"email", "network"}),
            kinds=frozenset({"email", "ip", "mac"}),
            needs=Needs(
                side=frozenset({"own", "hosted"}),
                region=frozenset({"EU"}),
                jurisdiction=frozenset({"DE"}),
                retention_days_max=0,
                training="never",
                evidence_min="E3",
                offers=frozenset({"home"}),
            ),
            lower="pseudonymise",
            implies=frozenset({Label("internal")}),
            strict=True,
            remember_days=7,
        )
    }
    assert policy.version is not None


def test_another_rule_is_another_version(load: Load) -> None:
    one = load('[labels.a]\nneeds = { side = ["own"] }').policy.version
    other = load('[labels.a]\nneeds = { side = ["own", "hosted"] }').policy.version
    assert one is not None
    assert other is not None
    assert one != other
    assert load("").policy.version is None


def test_of_ones_own_machines_one_knows_what_they_keep(load: Load) -> None:
    offers = load("").offers
    assert (offers["home"].retention_days, offers["home"].training, offers["home"].evidence) == (0, "never", "E4")
    assert (offers["gpt"].retention_days, offers["gpt"].training, offers["gpt"].evidence) == (None, "unknown", "E0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[labels.pii]\ndetect = ["emial"]', "Did you mean 'email'?"),
        ('[labels.pii]\nelse = "redact"', "nothing is looked for"),
        ("[labels.pii]\nneeds = {}", "asks for nothing"),
        ('[labels.pii]\nneeds = { offers = ["nope"] }', "'nope' is not an offer"),
        ('[labels.pii]\nneeds = { side = ["mine"] }', "own"),
        ('[labels.PII]\nneeds = { side = ["own"] }', "is not a label"),
        ('[labels.pii]\nelse = "shred"', "pseudonymise"),
        ('[labels.pii]\nneed = { side = ["own"] }', "needs"),
        ('[perimeter]\ntopics = "nope.npz"', "is not a file"),
        ('[workloads.w]\noffers = ["gpt"]\nkeep_days = 3', "needs [store] content_key"),
        ('[perimeter]\nstand_ins = "funny"', "placeholder"),
    ],
)
def test_what_cannot_be_enforced_is_refused_with_what_to_do(load: Load, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    [problem] = caught.value.problems
    assert said in problem


def test_how_content_is_looked_at_can_be_set(load: Load, tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_bytes(b"")
    settings = load("""
        [perimeter]
        lineage = false
        stand_ins = "surrogate"
        topics = "own.npz"

        [workloads.w]
        offers = ["gpt"]
        unreadable = ["internal"]
    """)
    assert (settings.perimeter.lineage, settings.perimeter.surrogates) == (False, True)
    assert settings.perimeter.topics == tmp_path / "own.npz"
    assert settings.workloads["w"].unreadable == frozenset({Label("internal")})
