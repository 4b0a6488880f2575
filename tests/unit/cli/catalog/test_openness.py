"""`isthmus catalog openness`, with the catalog that came along and a record of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.catalog.openness.records import LICENCES, closed_model, model, open_model, said

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.openness.assess import assess
from isthmus.cli.catalog.openness import Order, command, in_order, models_meant
from isthmus.domain.errors import ConfigError

FILE = """
[offers.assistant]
model = "gpt-oss-20b"
provider = "vllm"

[offers.mine]
model = "a-model-of-my-own"
provider = "vllm"
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for all that is read once: the catalog takes seconds to be read from its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def catalog(cache: None) -> Catalog:
    return load_catalog()


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "140")
    path = tmp_path / "isthmus.toml"
    path.write_text(FILE)
    monkeypatch.setenv("ISTHMUS_CONFIG", str(path))
    return path


def test_all_models_are_listed_from_the_most_open_on(capsys: pytest.CaptureFixture[str]) -> None:
    command(sort="headline")
    lines = capsys.readouterr().out.splitlines()
    levels = [line.split()[1] for line in lines[1:-1]]
    known = [level for level in levels if level.isdigit()]
    assert known == sorted(known, reverse=True)
    assert levels[-1] == "unknown"
    assert "isthmus-openness-1" in lines[-1]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("headline", ["full", "parts", "capped", "closed", "unknown"]),
        ("name", ["capped", "closed", "full", "parts", "unknown"]),
        ("licence", ["full", "parts", "capped", "closed", "unknown"]),
        ("mof", ["full", "parts", "capped", "closed", "unknown"]),
        ("index", ["capped", "full", "parts", "closed", "unknown"]),
    ],
)
def test_models_are_sorted_as_asked(order: Order, expected: list[str]) -> None:
    records = (
        model(id="unknown"),
        closed_model(id="closed"),
        open_model(id="full"),
        open_model(id="capped", licence=said("LicenseRef-capped"), osai_sum=said(12.0)),
        open_model(id="parts", components={}),
    )
    found = in_order([(record, assess(record, LICENCES)) for record in records], order)
    assert [record.id for record, _ in found] == expected


def test_a_narrow_window_shows_fewer_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command(sort="headline")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["model", "how", "open", "licence", "MOF"]
    assert all(len(line) <= 80 and "…" not in line for line in lines)


def test_one_model_has_headline_facts_badges_with_what_is_missing_and_sources(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command("ibm/granite-4.0-h-small")
    text = capsys.readouterr().out
    assert "2 open weights by isthmus-openness-1" in text
    assert "For the next level: the training data" in text
    assert "mof-1.0-tool and mof-1.0-paper: class III" in text
    assert "· training code: unknown" in text or "unknown: training code" in text
    assert "osai-index: 5 of 12" in text
    assert "https://" in text


@pytest.mark.parametrize("name", ["openai/gpt-oss-20b", "gpt-oss-20b", "openai/gpt-oss-20B"])
def test_a_model_is_found_by_id_and_other_names(catalog: Catalog, name: str) -> None:
    assert [record.id for record in models_meant(name, catalog, None)] == ["openai/gpt-oss-20b"]


def test_an_offer_stands_for_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    command("assistant", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["headline"], told["rules"]) == ("openai/gpt-oss-20b", 2, "isthmus-openness-1")
    tool = told["badges"][0]
    assert tool["rules"] == "mof-1.0-tool"
    assert {part["standing"] for part in tool["parts"]} >= {"counts"}
    assert all(source["observed_on"] for source in told["sources"].values())


def test_an_offer_of_the_catalog_stands_for_all_that_it_serves(catalog: Catalog) -> None:
    served = {record.id for record in models_meant("anthropic/api/global", catalog, None)}
    assert "anthropic/claude-opus-5-5" in served
    assert all(name.startswith("anthropic/") for name in served)


def test_all_models_as_json_are_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    command(as_json=True, sort="headline")
    assert len(json.loads(capsys.readouterr().out)) > 70


@pytest.mark.parametrize(("name", "problem", "hint"), [
    ("meta/llama-4-scot", "neither a model", "meta/llama-4-scout"),
    ("mine", "'a-model-of-my-own'", "isthmus catalog search"),
    ("self/own/vllm", "is not in the catalog", "Name the model"),
    ("#", "neither a model", "lists all models"),
])  # fmt: skip
def test_what_nothing_is_known_of_is_an_error_that_helps(catalog: Catalog, name: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        models_meant(name, catalog, None)
    assert problem in caught.value.message
    assert hint in (caught.value.hint or "")
