"""`isthmus catalog licence`."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from isthmus.cli.catalog import licence
from isthmus.domain.errors import ConfigError
from isthmus.settings import load

FILE = """
[organisation]
name = "Klinikum"
seat = "DE"
revenue_year_usd = 440000000
monthly_users = 200000
model_service = false
work_assistant = false

[offers.near]
model = "qwen3-32b"
provider = "vllm"

[offers.gpt]
model = "gpt-5.4-mini"
provider = "openai"
key = "env:SOME_KEY"
terms = "openai/api"
"""

app = typer.Typer()
app.command()(licence.command)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of settings that is read once for all tests: that is what takes the time, and not what is tested here."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / "isthmus.toml").write_text(FILE)
    (folder / "empty.toml").write_text("[organisation]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("SOME_KEY", "not-a-real-one")
        patch.setattr("isthmus.cli.catalog.licence.load", functools.cache(load))
        yield folder / "isthmus.toml"


def run(file: Path, *arguments: str, width: int = 140) -> str:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(
        app, [*arguments, "--config", str(file)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_organisation_of_the_settings_asks_about_all_uses(file: Path) -> None:
    told = squeezed(run(file, "meta/llama-4-scout"))
    assert "asked by: Klinikum · seat DE · $440,000,000 a year · 200,000 users a month · no model service" in told
    assert "use outcome what decides where read on" in told
    assert "forbidden" in told
    assert "llama-4, Acceptable Use Policy," in told
    assert "2025-07-15" in told
    for use in ("internal", "product", "hosted-service", "fine-tune", "train-on-outputs", "redistribute"):
        assert use in told
    assert "no legal advice" in told


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_window(file: Path, width: int) -> None:
    for name in ("meta/llama-4-scout", "minimax/m2.7", "LicenseRef-isthmus-nvidia-open-model"):
        lines = run(file, name, width=width).splitlines()
        assert [line for line in lines if len(line.rstrip()) > width and "https://" not in line] == []


def test_options_say_otherwise_than_the_settings(file: Path) -> None:
    told = squeezed(run(file, "meta/llama-4-scout", "--seat", "us", "--users", "800000000"))
    assert "seat US" in told
    assert "needs-agreement" in told
    assert "forbidden" not in told


def test_with_a_use_all_that_it_rests_on_is_shown(file: Path) -> None:
    told = squeezed(run(file, "google/gemma-3-27b", "--use", "product", width=80))
    assert "product: allowed-with-duties (building it into a product)" in told
    assert "gemma, sections 1.1(b) and 3.1, read 2026-11-21 https://ai.google.dev/gemma/terms" in told
    assert "hosted-service" not in told


def test_what_is_missing_is_asked_for(file: Path) -> None:
    told = squeezed(
        run(file, "mistralai/devstral-2-123b", "--organisation", str(file.with_name("empty.toml")), width=80)
    )
    assert "seat not said · revenue not said" in told
    assert "to be said before it can be decided · Say the revenue of the organisation" in told


def test_an_offer_brings_its_terms(file: Path) -> None:
    told = squeezed(run(file, "gpt"))
    assert "terms: OpenAI API (openai/api)" in told
    assert "train-on-outputs forbidden" in told
    assert "terms:" not in run(file, "near")


def test_a_closed_model_without_terms_asks_for_them(file: Path) -> None:
    told = run(file, "openai/gpt-5.4-mini")
    assert "Name the terms it is used under with --terms: openai/api." in told
    assert "--terms" not in run(file, "openai/gpt-5.4-mini", "--terms", "openai/api")


def test_a_conflict_is_told(file: Path) -> None:
    assert "! Sources disagree on the licence:" in run(file, "minimax/m2.7")


def test_a_licence_shows_its_clauses_and_the_models_under_it(file: Path) -> None:
    told = squeezed(run(file, "LicenseRef-isthmus-falcon-180b", "LicenseRef-isthmus-llama-4", width=80))
    assert "hosting use, read 2026-11-21, from memory" in told
    assert "territory exclusion Of the models that take more than text" in told
    assert "models: meta/llama-4-maverick, meta/llama-4-scout" in told


def test_programmes_get_json(file: Path) -> None:
    told = json.loads(run(file, "meta/llama-4-scout", "--json"))
    assert told["organisation"]["seat"] == "DE"
    assert len(told["verdicts"]) == 6
    first = told["verdicts"][0]["grounds"][0]
    assert (first["outcome"], first["read_on"]) == ("forbidden", "2025-07-15")
    shown = json.loads(run(file, "LicenseRef-isthmus-kimi-k3", "--json"))
    assert shown["tier"] == "scale-conditional"
    assert shown["models"] == ["moonshot/kimi-k3"]


def test_the_notice_is_markdown_of_all_that_was_named(file: Path) -> None:
    told = run(file, "--notice", "meta/llama-3.3-70b", "near", "--use", "redistribute")
    assert told.startswith(
        "# Notices for models\n\nFor meta/llama-3.3-70b: redistribute; qwen/qwen3-32b: redistribute."
    )
    assert "> Built with Llama\n" in told


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("meta/llama-4-scot",), "'meta/llama-4-scot' is no model, offer or licence", "meta/llama-4-scout"),
        (("gpt", "--terms", "openai/ap"), "'openai/ap' are no terms", "openai/api"),
        (("gpt", "--use", "sell"), "'sell' is no use.", "internal"),
        (("gpt", "--seat", "XX"), "'XX' is no country.", "DE"),
        (("gpt", "--revenue", "much"), "'much' is no amount of dollars.", "440000000"),
        (("gpt", "--revenue", "NaN"), "'NaN' is no amount of dollars.", "440000000"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    file: Path, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        run(file, *arguments)
    assert hint in (caught.value.hint or "")
