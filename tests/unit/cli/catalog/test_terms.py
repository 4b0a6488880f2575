"""`isthmus catalog terms`: read by whoever answers for data."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isthmus.catalog.facts import Observation
from isthmus.cli.catalog.terms import command
from isthmus.domain.errors import ConfigError
from isthmus.providers.accounts.kept import keep, subject_of
from isthmus.settings.reading import read

FILE = """
[offers.gpt]
model = "gpt-5.4-mini"
provider = "openai"
url = "https://eu.api.openai.com/v1"
key = "env:OFFER_KEY"
terms = "openai/api"

[offers.silent]
model = "gpt-5.4-mini"
provider = "openai"
key = "env:OFFER_KEY"

[organisation]
seat = "DE"

[organisation.contracts.dpa]
covers = "openai/api"
kind = "dpa"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all: the catalog takes seconds to read when it was not read before."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def file(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    # In this process: another one for each reading takes longer than all the rest.
    monkeypatch.setattr("isthmus.cli.catalog.terms.load", lambda path: read(path, environ=os.environ))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("OFFER_KEY", "secret")
    path = tmp_path / "isthmus.toml"
    path.write_text(FILE)
    return path


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, as one line."""
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def asked(name: str, file: Path, capsys: pytest.CaptureFixture[str], **said: str) -> dict[str, object]:
    command(name, model=said.get("model"), config=file, as_json=True)
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def lines(told: dict[str, object]) -> dict[tuple[str, str], dict[str, object]]:
    found = told["lines"]
    assert isinstance(found, list)
    return {(line["group"], line["about"]): line for line in found}


@pytest.mark.parametrize("width", ["80", "160"])
def test_an_officer_sees_what_is_said_how_well_it_is_known_and_when_it_was_read(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    command("anthropic/api/global", model="anthropic/claude-fable-5", config=file)
    told = shown(capsys)
    for text in (
        "terms anthropic/api · offer anthropic/api/global · for anthropic/claude-fable-5",
        "30 days",
        "for anthropic/claude-fable-5",
        "E1 verified",
        "standard contractual clauses",
        "business associate agreement",
        "read 2026-07-20, the operator's own text",
        "https://www.anthropic.com/legal/data-processing-addendum",
    ):
        assert text in told


@pytest.mark.parametrize("width", ["80", "160"])
def test_where_sources_disagree_both_readings_are_shown(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    command("mistral/experiment", model=None, config=file)
    told = shown(capsys)
    assert "yes, unless you object" in told
    assert "or no" in told
    assert "E1 conflict" in told


def test_programmes_get_every_reading_with_its_sources(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = asked("together/api", file, capsys)
    training = lines(told)["training", "trains on inputs"]
    assert training["readings"] == ["no, unless you ask for it", "yes, unless you object"]
    assert training["state"] == "conflict"
    assert isinstance(training["sources"], list)
    assert {source["kind"] for source in training["sources"]} == {"vendor_doc", "secondary"}
    facts = told["facts"]
    assert isinstance(facts, dict)
    assert (facts["training"], facts["retention_days"]) == ("yes", None)


def test_what_is_not_known_is_shown_as_such(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = lines(asked("google/gemini-unpaid/global", file, capsys))
    assert told["retention", "kept by default"]["readings"] == []
    assert told["retention", "kept by default"]["evidence"] == "E0"


def test_what_nobody_looked_at_for_long_is_stale(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = lines(asked("azure/direct/datazone-eu", file, capsys))
    assert told["training", "trains on inputs"]["stale"] is True  # read in March 2026, and such terms keep 90 days


def test_a_model_with_rules_of_its_own_changes_what_follows(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ordinary = asked("aws/bedrock/eu-central-1", file, capsys, model="claude-sonnet-5-5")
    covered = asked("aws/bedrock/eu-central-1", file, capsys, model="claude-fable-5")
    assert isinstance(ordinary["facts"], dict)
    assert isinstance(covered["facts"], dict)
    assert (ordinary["facts"]["retention_days"], covered["facts"]["retention_days"]) == (0, 30)


def test_an_own_offer_is_shown_with_its_contracts_and_its_account(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = asked("gpt", file, capsys)
    assert (told["offer"], told["model"]) == ("openai/api/eu", "openai/gpt-5.4-mini")
    assert isinstance(told["facts"], dict)
    assert (told["facts"]["evidence"], told["facts"]["retention_days"]) == ("E4", 30)
    settings = read(file, environ=os.environ)
    keep(
        settings.state_dir,
        Observation(
            offer="gpt",
            terms="openai/api",
            subject=subject_of(settings.offers["gpt"]),
            setting="zero_data_retention",
            says="Nothing is kept.",
            retention_days=0,
            observed_at=datetime.now(UTC),
            where="https://eu.api.openai.com/v1",
        ),
    )
    told = asked("gpt", file, capsys)
    assert isinstance(told["facts"], dict)
    assert told["facts"]["retention_days"] == 0
    command("gpt", model=None, config=file)
    text = shown(capsys)
    assert "Read from the account on" in text
    assert "Contract held: dpa" in text


def test_an_offer_that_names_no_terms_is_told_which_there_are(file: Path) -> None:
    with pytest.raises(ConfigError, match="does not say under which terms") as raised:
        command("silent", model=None, config=file)
    assert "openai/api" in (raised.value.hint or "")


@pytest.mark.parametrize(("name", "meant"), [("openai/apis", "openai/api"), ("gp", "gpt")])
def test_a_name_that_is_misspelt_is_mended(file: Path, name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match="no terms and no offer") as raised:
        command(name, model=None, config=file)
    assert meant in (raised.value.hint or "")


def test_a_model_that_is_not_in_the_catalog_is_told(file: Path) -> None:
    with pytest.raises(ConfigError, match="has no model 'claude-fabel-5'"):
        command("anthropic/api", model="claude-fabel-5", config=file)
