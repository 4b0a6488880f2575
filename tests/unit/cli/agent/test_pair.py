from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus.agent.channels.people import Code
from isthmus.app_waking import journal_file
from isthmus.cli.main import app
from isthmus.connectors.messages.journal import Journal
from isthmus.domain.errors import NotFound
from isthmus.settings import load

ME = "matrix:@me:example.org"


def test_whoever_got_a_code_is_the_user_once_it_is_confirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    file = journal_file(load(ports={}))
    file.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(file)
    now = datetime.now(UTC)
    code = journal.change_people(lambda people: people.asked(ME, "Me", now, draw=lambda letters: letters[0]))
    assert isinstance(code, Code)
    told = CliRunner().invoke(app, ["agent", "pair", code.code.lower()])
    assert (told.exit_code, ME in told.output) == (0, True)
    again = CliRunner().invoke(app, ["agent", "pair", code.code])
    assert isinstance(again.exception, NotFound)
