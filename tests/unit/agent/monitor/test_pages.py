from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[4]
MONITOR = ROOT / "src" / "isthmus" / "agent" / "monitor"


def test_the_page_on_the_policy_shows_the_policy_that_ships() -> None:
    shown = re.search(r"```toml\n(.*?)```", page("agent-policy.md"), re.DOTALL)
    assert shown is not None
    assert shown[1] == files("isthmus.agent.monitor").joinpath("policy.toml").read_text(encoding="utf-8")


def test_every_reason_has_its_line_on_the_page() -> None:
    given = {code for file in MONITOR.glob("*.py") for code in re.findall(r'Why\(\s*"(\w+)"', file.read_text())}
    assert len(given) > 20
    assert given <= set(re.findall(r"`(\w+)`", page("agent-policy.md")))


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
