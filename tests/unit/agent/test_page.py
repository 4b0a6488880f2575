"""The page about the agent shows a programme that runs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.agent_scene import Mail, mail
from tests.unit.agent.test_on_the_road import scene

from isthmus.ledger.store import open_store

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs/explanation/the-agent.md"


async def test_the_programme_on_the_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    ask: Callable[..., Any] = names["ask"]
    store = open_store(f"sqlite:///{tmp_path / 'isthmus.db'}")
    box = Mail({"<1@x>": mail("<1@x>", "clinic@example.org", "On Tuesday.")})
    assert await ask(scene().road, [box], store, bytes(32), "Any mail?") == "You have one mail."
    assert capsys.readouterr().out == "done\n"
    store.dispose()
