"""`isthmus catalog show | search | compare`, on the catalog that came along."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.cli.catalog import compare, search, show
from isthmus.domain.errors import ConfigError

app = typer.Typer()
app.command("show")(show.command)
app.command("search")(search.command)
app.command("compare")(compare.command)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Read once: reading the settings anew for each command takes another process."""
    return load_catalog()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (show, search, compare):
        monkeypatch.setattr(command, "catalog_in_force", lambda _config: catalog)
    (tmp_path / "isthmus.toml").write_text(
        '[offers.small]\nmodel = "gpt-5.4-mini"\nprovider = "openai"\nkey = "env:SOME_KEY"\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ISTHMUS_CONFIG", str(tmp_path / "isthmus.toml"))
    monkeypatch.setenv("SOME_KEY", "a-secret")
    monkeypatch.setenv("COLUMNS", "140")


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_a_model_is_shown_with_every_fact_and_how_it_is_known() -> None:
    output = run("show", "meta/llama-4-scout")
    assert "1 restricted weights by isthmus-openness-1" in output
    assert "LicenseRef-isthmus-llama-4 (restricted)" in output
    assert "verified E1" in output
    assert "unknown" in output
    assert "Listed at" in output


@pytest.mark.parametrize("columns", ["80", "140"])
@pytest.mark.parametrize("name", ["gpt-5", "Apache-2.0", "openai/api", "openai", "openai/api/eu"])
def test_pages_fit_the_window(name: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = [line for line in run("show", name).splitlines() if "https://" not in line]
    assert max(map(len, lines)) <= int(columns)


@pytest.mark.parametrize(
    ("name", "kind", "record"),
    [
        ("gpt-5.4-mini", "model", "openai/gpt-5.4-mini"),
        ("small", "model", "openai/gpt-5.4-mini"),
        ("mit license", "licence", "MIT"),
        ("openai/api", "terms", "openai/api"),
        ("mistral", "provider", "mistral"),
    ],
)
def test_things_are_found_by_the_names_they_go_by(name: str, kind: str, record: str) -> None:
    page = told("show", name)
    assert (page["kind"], page["record"]["id"]) == (kind, record)


def test_a_retirement_is_on_the_page_with_its_successor() -> None:
    listings = {(one["provider"], one["api_id"]): one for one in told("show", "openai/gpt-5")["listings"]}
    assert listings["openai", "gpt-5"]["retires_on"]["value"] == "2026-12-11"
    assert "2026-12-11 → gpt-5.6-sol" in run("show", "openai/gpt-5")


def test_a_name_that_means_nothing_is_answered_with_those_like_it() -> None:
    with pytest.raises(ConfigError) as found:
        run("show", "lama-4-scot")
    assert found.value.hint is not None
    assert "meta/llama-4-scout" in found.value.hint
    with pytest.raises(ConfigError) as found:
        run("show", "qqqqqqqqqq")
    assert "catalog search" in found.value.sentence


def test_words_find_models_and_what_else_has_them() -> None:
    found = told("search", "llama", "scout")
    assert [one["model"] for one in found["models"]] == ["meta/llama-4-scout"]
    assert {"LicenseRef-isthmus-llama-4"} <= {one["id"] for one in told("search", "llama 4")["others"]}


def test_every_model_that_is_found_meets_what_was_asked() -> None:
    models = told("search", "--open", "2", "--context", "100000", "--max-price", "0.5", "--licence", "permissive")
    assert models["models"]
    for one in models["models"]:
        assert one["headline"] >= 2
        assert one["context_tokens"] >= 100_000
        assert Decimal(one["price_blended"]) <= Decimal("0.5")
        assert one["tier"] == "permissive"


def test_sides_part_the_models_and_what_is_not_known_is_on_none() -> None:
    everything = {one["model"]: one for one in told("search")["models"]}
    closed = {one["model"] for one in told("search", "--side", "closed")["models"]}
    own = {one["model"] for one in told("search", "--side", "own")["models"]}
    hosted = {one["model"] for one in told("search", "--side", "hosted")["models"]}
    assert "openai/gpt-5.4-mini" in closed
    assert not closed & own
    assert hosted <= own
    assert all(everything[name]["providers"] for name in hosted)
    assert all(everything[name]["headline"] is None for name in everything.keys() - closed - own)


def test_models_of_a_provider_are_those_that_it_lists() -> None:
    found = told("search", "--provider", "groq")["models"]
    assert found
    assert all(one["providers"] == ["groq"] for one in found)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--provider", "nobody-at-all"), "called 'nobody-at-all'"),
        (("--provider", "MIT"), "is no provider"),
        (("--licence", "openai"), "is no licence but provider"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(arguments: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run("search", *arguments)


@pytest.mark.parametrize("columns", ["80", "140"])
def test_tables_of_models_fit_the_window(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, run("search", "--open", "2").splitlines())) <= int(columns)
    output = run("compare", "openai/gpt-5.4-mini", "meta/llama-4-scout", "qwen/qwen3-32b", "deepseek/deepseek-r1")
    assert max(map(len, output.splitlines())) <= int(columns)


def test_comparing_marks_what_differs() -> None:
    facts = {row["fact"]: row for row in told("compare", "gpt-5.4-mini", "llama-4-scout")["facts"]}
    assert facts["open"]["values"] == {
        "openai/gpt-5.4-mini": "0 closed",
        "meta/llama-4-scout": "1 restricted weights",
    }
    assert facts["open"]["differs"]
    assert not facts["kind"]["differs"]
    only = told("compare", "gpt-5.4-mini", "llama-4-scout", "--differing")["facts"]
    assert all(row["differs"] for row in only)


def test_only_things_of_one_kind_are_compared_and_neither_one_nor_six() -> None:
    with pytest.raises(ConfigError, match="of one kind"):
        run("compare", "gpt-5.4-mini", "MIT")
    with pytest.raises(ConfigError, match="Between 2 and 5"):
        run("compare", "gpt-5.4-mini")
    with pytest.raises(ConfigError, match="Between 2 and 5"):
        run("compare", *["gpt-5.4-mini"] * 6)


def test_terms_are_compared_as_well() -> None:
    facts = {row["fact"]: row["values"] for row in told("compare", "openai/api", "google/gemini-unpaid")["facts"]}
    assert facts["training default"]["openai/api"] != facts["training default"]["google/gemini-unpaid"]
