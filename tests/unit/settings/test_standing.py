"""How offers of a settings file stand by the catalog that comes along."""

from datetime import date
from pathlib import Path

import pytest

from isthmus.domain.errors import ConfigError
from isthmus.domain.licensing import Use
from isthmus.settings import Settings
from isthmus.settings.reading import read

HOSPITAL = """
[organisation]
seat = "DE"
revenue_year_usd = 400_000_000
monthly_users = 5000
model_service = false
work_assistant = false
"""

SCOUT = """
[offers.scout]
provider = "vllm"
url = "http://127.0.0.1:9/v1"
model = "meta-llama/Llama-4-Scout-17B-16E-Instruct"
"""

GPT = """
[offers.gpt]
provider = "openai"
model = "gpt-5.4-mini"
key = "env:KEY"
terms = "openai/api"
"""


def settings(tmp_path: Path, *parts: str) -> Settings:
    file = tmp_path / "isthmus.toml"
    file.write_text("\n".join(parts))
    return read(file, environ={"HOME": str(tmp_path), "KEY": "x"}, ports={})


def barred(found: Settings, offer: str) -> dict[Use, str]:
    return {use: ruling.sentence for use, ruling in found.offers[offer].barred}


def test_a_licence_that_excludes_the_seat_bars_every_use_with_its_clause(tmp_path: Path) -> None:
    found = barred(settings(tmp_path, HOSPITAL, SCOUT), "scout")
    assert len(found) == 6
    assert "European Union" in found["internal"]
    assert "LicenseRef-isthmus-llama-4 Acceptable Use Policy" in found["internal"]


def test_where_no_organisation_is_named_nothing_is_held_against_licences(tmp_path: Path) -> None:
    assert barred(settings(tmp_path, SCOUT), "scout") == {}


def test_another_seat_is_not_excluded(tmp_path: Path) -> None:
    assert "internal" not in barred(settings(tmp_path, HOSPITAL.replace("DE", "CH"), SCOUT), "scout")


def test_a_contract_with_the_licensor_lifts_what_stood_in_the_way(tmp_path: Path) -> None:
    contract = f"""
[organisation.contracts.meta]
covers = "LicenseRef-isthmus-llama-4"
kind = "licence"
sha256 = "{"ab" * 32}"
"""
    assert "internal" not in barred(settings(tmp_path, HOSPITAL, contract, SCOUT), "scout")


def test_facts_that_are_not_said_are_those_of_the_terms(tmp_path: Path) -> None:
    offer = settings(tmp_path, GPT).offers["gpt"]
    assert (offer.jurisdiction, offer.retention_days, offer.training, offer.evidence) == ("US", 30, "never", "E1")
    assert offer.record == "openai/gpt-5.4-mini"


def test_facts_of_the_settings_go_before_those_of_the_terms_and_weaken_the_evidence(tmp_path: Path) -> None:
    offer = settings(tmp_path, GPT, "retention_days = 0").offers["gpt"]
    assert (offer.retention_days, offer.evidence) == (0, "E0")


def test_without_terms_nothing_is_taken_to_be_known(tmp_path: Path) -> None:
    found = settings(tmp_path, HOSPITAL, GPT.replace('terms = "openai/api"', ""))
    offer = found.offers["gpt"]
    assert (offer.jurisdiction, offer.retention_days, offer.training) == (None, None, "unknown")
    assert "which terms" in barred(found, "gpt")["internal"]


def test_what_terms_forbid_is_barred_and_what_they_permit_is_not(tmp_path: Path) -> None:
    found = barred(settings(tmp_path, HOSPITAL, GPT), "gpt")
    assert "compete" in found["train-on-outputs"]
    assert "internal" not in found


def test_what_is_not_known_is_refused_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    mystery = SCOUT.replace("meta-llama/Llama-4-Scout-17B-16E-Instruct", "mystery-model")
    assert "does not know the model" in barred(settings(tmp_path, HOSPITAL, mystery), "scout")["internal"]
    assert barred(settings(tmp_path, HOSPITAL, 'unknown = "allow"', mystery), "scout") == {}


def test_the_licence_of_a_model_that_the_catalog_has_not_can_be_said(tmp_path: Path) -> None:
    own = SCOUT.replace("meta-llama/Llama-4-Scout-17B-16E-Instruct", "our-own-model")
    assert barred(settings(tmp_path, HOSPITAL, own, 'licence = "Apache-2.0"'), "scout") == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('terms = "openai/ap"', "terms 'openai/ap' is not in the catalog"),
        ('record = "openai/gpt-5.4-mina"', "record 'openai/gpt-5.4-mina' is not in the catalog"),
        ('licence = "MITT"', "licence 'MITT' is not in the catalog"),
        ('licence = "MIT"', "is for models that the catalog has not, and this one is openai/gpt-5.4-mini"),
    ],
)
def test_what_is_not_in_the_catalog_is_told_with_what_was_probably_meant(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings(tmp_path, GPT.replace('terms = "openai/api"', line))
    assert told in " ".join(raised.value.problems)


def test_a_contract_on_what_is_not_in_the_catalog_does_not_count_silently(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        settings(
            tmp_path,
            HOSPITAL,
            f'[organisation.contracts.x]\ncovers = "openai/apis"\nkind = "dpa"\nsha256 = "{"ab" * 32}"',
            GPT,
        )
    assert "is no terms of the catalog" in " ".join(raised.value.problems)


def test_a_model_that_ends_at_its_provider_is_retired_on_that_day(tmp_path: Path) -> None:
    gone = GPT.replace("gpt-5.4-mini", "gpt-5")
    assert settings(tmp_path, gone).offers["gpt"].retired_on == date(2026, 12, 11)
    assert settings(tmp_path, gone, "retired_on = 2027-01-31").offers["gpt"].retired_on == date(2027, 1, 31)


def test_what_answers_are_for_is_as_the_organisation_says_unless_the_workload_says(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        HOSPITAL,
        'use = ["product"]',
        GPT,
        '[workloads.a]\noffers = ["gpt"]\n[workloads.b]\noffers = ["gpt"]\nuse = ["train-on-outputs"]',
    )
    assert found.workloads["a"].uses == frozenset({"product"})
    assert found.workloads["b"].uses == frozenset({"train-on-outputs"})
    assert found.uses == frozenset({"product"})


def test_the_version_changes_with_what_is_believed_of_the_organisation(tmp_path: Path) -> None:
    assert (
        settings(tmp_path, HOSPITAL, SCOUT).version != settings(tmp_path, HOSPITAL.replace("DE", "CH"), SCOUT).version
    )


def test_what_the_version_is_the_hash_of_comes_along(tmp_path: Path) -> None:
    found = settings(tmp_path, HOSPITAL, SCOUT)
    assert found.manifest in found.beliefs[found.version]
    assert "European Union" in found.beliefs[found.version]


def test_models_that_end_soon_are_told_with_successor_and_workloads(tmp_path: Path) -> None:
    found = settings(tmp_path, GPT.replace("gpt-5.4-mini", "gpt-5"), '[workloads.letters]\noffers = ["gpt"]')
    (ending,) = found.retirements
    assert (ending.offer, ending.retires_on, ending.workloads) == ("gpt", date(2026, 12, 11), ("letters",))
    assert any("gpt-5 (offer gpt) retire" in note and "letters" in note for note in found.notes)


def test_weights_that_are_not_locked_are_refused_where_the_settings_want_a_lock(tmp_path: Path) -> None:
    home = '[offers.home]\nprovider = "embedded"\nmodel = "smollm2-135m-instruct"'
    assert settings(tmp_path, home).offers["home"].engine is not None
    engine = settings(tmp_path, "[catalog]\nrequire_lock = true", home).offers["home"].engine
    assert engine is not None
    assert engine.weights.refused is not None
    assert "isthmus models lock home" in engine.weights.refused
