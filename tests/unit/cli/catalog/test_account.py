"""`isthmus catalog account`, against a stand-in on loopback."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from typing_extensions import override

from isthmus.cli.catalog.account import command
from isthmus.domain.errors import ConfigError
from isthmus.settings.reading import read

FILE = """
[offers.gpt]
model = "gpt-5.4-mini"
provider = "openai"
key = "env:OFFER_KEY"
terms = "openai/api"

[offers.claude]
model = "claude-sonnet-5-5"
provider = "anthropic"
key = "env:OFFER_KEY"
terms = "anthropic/api"
"""

SETTING = {"object": "organization.data_retention", "type": "zero_data_retention"}
PROJECT = {"object": "project.data_retention", "type": "organization_default"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all: the catalog takes seconds to read when it was not read before."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def file(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    # In this process: another one for each reading takes longer than all the rest.
    monkeypatch.setattr("isthmus.cli.catalog.account.load", lambda path: read(path, environ=os.environ))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("OFFER_KEY", "the-offer-s-secret")
    monkeypatch.setenv("ADMIN", "the-admin-s-secret")
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "isthmus.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def answers() -> dict[str, object]:
    """What the stand-in says at which path."""
    return {
        "/v1/organization/data_retention": SETTING,
        "/v1/organization/projects/proj_a/data_retention": PROJECT,
    }


@pytest.fixture
def address(answers: dict[str, object]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers["authorization"] == "Bearer the-admin-s-secret"
            content = json.dumps(answers.get(self.path)).encode()
            self.send_response(401 if not allowed else 200 if self.path in answers else 404)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_setting_is_read_shown_and_kept(file: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    command("gpt", key="env:ADMIN", part="proj_a", address=address, config=file)
    told = capsys.readouterr().out
    assert "zero_data_retention" in told
    assert "0 days" in told
    command(kept=True, config=file, as_json=True)
    again = json.loads(capsys.readouterr().out)["observations"][0]
    assert (again["offer"], again["terms"], again["retention_days"]) == ("gpt", "openai/api", 0)
    assert again["counts_until"] > again["observed_at"][:10]


def test_nothing_that_is_shown_or_kept_has_a_key_in_it(
    file: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command("gpt", key="env:ADMIN", part="proj_a", address=address, config=file, as_json=True)
    shown = capsys.readouterr()
    kept = next(file.parent.rglob("accounts.json")).read_text()
    for text in (shown.out, shown.err, kept):
        assert "-s-secret" not in text


def test_a_key_that_is_refused_is_told_and_nothing_is_kept(
    file: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        command("gpt", key="env:OFFER_KEY", address=address, config=file, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["observations"] == []
    assert told["untold"][0]["offer"] == "gpt"
    assert "(401)" in told["untold"][0]["says"]
    assert list(file.parent.rglob("accounts.json")) == []


def test_what_was_read_before_is_dropped_when_the_answer_can_no_longer_be_read(
    file: Path, address: str, answers: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    command("gpt", key="env:ADMIN", part="proj_a", address=address, config=file)
    answers["/v1/organization/data_retention"] = {**SETTING, "type": "some_new_type"}
    capsys.readouterr()
    with pytest.raises(typer.Exit):
        command("gpt", key="env:ADMIN", part="proj_a", address=address, config=file)
    assert "another shape than the one published" in capsys.readouterr().out
    command(kept=True, config=file)
    assert "Nothing was read yet" in capsys.readouterr().out


def test_what_was_read_before_stays_where_nobody_answers(
    file: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command("gpt", key="env:ADMIN", part="proj_a", address=address, config=file)
    with pytest.raises(typer.Exit):
        command("gpt", key="env:ADMIN", address="http://127.0.0.1:1/v1", config=file)
    capsys.readouterr()
    command(kept=True, config=file)
    assert "zero_data_retention" in capsys.readouterr().out


def test_an_offer_whose_terms_have_no_check_cannot_be_asked(file: Path) -> None:
    with pytest.raises(ConfigError, match="account of offer claude cannot be asked") as raised:
        command("claude", config=file)
    assert "openai/api" in (raised.value.hint or "")


def test_an_offer_that_is_not_there_is_told_with_those_that_are(file: Path) -> None:
    with pytest.raises(ConfigError, match="no offer 'gtp'") as raised:
        command("gtp", config=file)
    assert "gpt" in (raised.value.hint or "")


def test_a_key_itself_is_not_taken_and_not_repeated(file: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        command("gpt", key="sk-admin-the-key-itself", config=file)
    assert "sk-admin" not in raised.value.sentence


def test_options_of_one_account_need_its_name(file: Path) -> None:
    with pytest.raises(ConfigError, match="Which offer is meant"):
        command(key="env:ADMIN", config=file)
