"""What the documentation says is there, and what is there is documented."""

import re
import tomllib
from pathlib import Path

import pytest

from isthmus.cli.reference import page
from isthmus.dialects import registry
from isthmus.domain.errors import IsthmusError
from isthmus.settings.reading import read

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NEVER_TOLD_TO_CLIENTS = {"config_error", "tool_error", "policy_denied"}
"""The first stops the start, the second is told to models; the third is the family of those that are told."""


def codes(error: type[IsthmusError] = IsthmusError) -> set[str]:
    return {error.code}.union(*(codes(child) for child in error.__subclasses__()))


def test_every_error_code_has_its_line() -> None:
    text = (ROOT / "docs/reference/http.md").read_text()
    assert {code for code in codes() - NEVER_TOLD_TO_CLIENTS if f"`{code}`" not in text} == set()


def test_every_dialect_has_its_page() -> None:
    assert {path.stem for path in (ROOT / "docs/reference/dialects").glob("*.md")} == set(registry.NAMES)


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    assert (ROOT / "docs/reference/cli.md").read_text() == page()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_decisions_are_numbered_without_gap_and_say_context_decision_and_consequences() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text()
        assert text.startswith(f"# {int(record.name[:4])}. ")
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Consequences"))


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", ROOT / "docs/tutorials/first-steps.md", ROOT / "docs/how-to/keep-data-in.md"],
    ids=lambda path: path.name,
)
def test_settings_shown_to_newcomers_can_be_used(path: Path, tmp_path: Path) -> None:
    """All that a page shows, together, is one file."""
    shown = "\n".join(re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL))
    shown = shown.replace("sha256:…", f"sha256:{'ab' * 32}")
    assert tomllib.loads(shown)
    file = tmp_path / "isthmus.toml"
    file.write_text(shown)
    settings = read(file, environ={"HOME": str(tmp_path), "OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x"}, ports={})
    assert settings.default_workload in settings.workloads
