import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.ledger.samples import crossing, entry, opened
from typer.testing import CliRunner

from isthmus.cli.ledger import app
from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.kept import Kept
from isthmus.domain.label import label
from isthmus.domain.request import RequestId
from isthmus.ledger.capture import Capture
from isthmus.ledger.store import Store, open_store
from isthmus.ledger.writer import LedgerWriter


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path}/isthmus.db")
    with LedgerWriter(store) as writer:
        for number in range(3):
            writer.settled(entry(f"req-{number}", began=datetime.now(UTC)))
        writer.opened(opened("cut-off"))
    with LedgerWriter(store):
        pass
    return store


def run(store: Store, *arguments: str, columns: int = 200) -> str:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(
        app, [*arguments, "--store", f"sqlite:///{store.path}"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_tail_shows_the_latest_requests_in_a_line_each(store: Store) -> None:
    lines = run(store, "tail", "-n", "3").splitlines()
    assert len(lines) == 4
    assert lines[0].split()[:4] == ["time", "who", "workload", "offer"]
    assert "req-2" in run(store, "tail")
    for part in ("desk", "gpt (closed)", "completed", "700", "120", "$0.00123456", "0.250 s", "1.500 s"):
        assert part in lines[-1]


def test_tail_gives_json_one_object_a_line_with_exact_values(store: Store) -> None:
    records = [json.loads(line) for line in run(store, "tail", "--json").splitlines()]
    assert len(records) == 4
    whole = next(record for record in records if record["id"] == "req-0")
    assert whole["cost"] == "0.00123456"
    assert whole["usage"] == {
        "input": 700,
        "cached": 200,
        "cache_written": 100,
        "output": 120,
        "reasoning": 20,
        "audio_input": 0,
        "audio_output": 0,
    }
    assert whole["attempts"][0]["error"] == "upstream_error"
    assert (whole["writer"], whole["seq"], whole["total"]) == (1, 1, 1.5)
    crashed = next(record for record in records if record["id"] == "cut-off")
    assert (crashed["outcome"], crashed["total"], crashed["crashed_writer"]) == ("crashed", None, 1)


def test_show_tells_all_of_one_request(store: Store) -> None:
    shown = run(store, "show", "req-1")
    for part in (
        "team support, user anna, key desk",
        "internal (from key), pii (from detector: email in messages[0].content)",
        "sent with",
        "b1ackbead",
        "gpt, model gpt-5.4-mini, side closed",
        "700 in (200 cached, 100 written to the cache), 120 out (20 reasoning)",
        "$0.00123456, by settings",
        "upstream_error",
        "claude is not cleared for the label internal.",
        "c0ffee",
        "writer 1, number 2",
    ):
        assert part in shown
    assert json.loads(run(store, "show", "req-1", "--json"))["rejected"] == [
        {"offer": "claude", "code": "not_cleared", "sentence": "claude is not cleared for the label internal."}
    ]


def test_show_of_a_crashed_request_makes_nothing_up(store: Store) -> None:
    shown = run(store, "show", "cut")
    assert "crashed" in shown
    assert "not known: isthmus stopped" in shown
    assert "$" not in shown


def test_cost_sums_by_what_is_asked(store: Store) -> None:
    shown = run(store, "cost")
    assert "$0.00370368" in shown
    told = json.loads(run(store, "cost", "--by", "side,model", "--since", "24h", "--json"))
    assert told["by"] == ["side", "model"]
    closed, unknown = told["groups"]
    assert (closed["side"], closed["model"], closed["requests"]) == ("closed", "gpt-5.4-mini", 3)
    assert (closed["cost"], closed["unknown_cost"]) == ("0.00370368", 0)
    assert (unknown["side"], unknown["cost"], unknown["unknown_cost"]) == (None, "0", 1)


def test_losses_are_shown_beside_what_was_kept(store: Store) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("req-0"))  # a double
    assert "Missing: 1 entries" in run(store, "tail")
    assert json.loads(run(store, "cost", "--json"))["gaps"][0]["lost"] == 1


@pytest.mark.parametrize("columns", [80, 100, 120, 160])
def test_tail_fits_the_width_and_never_cuts_an_id(store: Store, columns: int) -> None:
    long = "req_0196f0a1b2c3d4e5f60718293a4b5"
    with LedgerWriter(store) as writer:
        writer.settled(entry(long, offer="a-hosted-offer-of-a-rather-long-name", error="upstream_timeout"))
    lines = run(store, "tail", columns=columns).splitlines()
    assert all(len(line) <= columns for line in lines)
    assert len(lines) == 1 + 5
    assert sum(line.rstrip().endswith(long) for line in lines) == 1
    assert lines[0].split()[0] == "time"
    assert lines[0].split()[-1] == "request"
    assert ("labels" in lines[0]) == (columns >= 100)


def test_tail_shows_the_labels(store: Store) -> None:
    assert "internal, pii" in run(store, "tail")


def test_a_stopped_request_says_so(store: Store) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("halted", outcome="stopped"))
    assert "isthmus was stopped while the request was under way" in run(store, "show", "halted")


def test_show_tells_what_was_put_on_record_before_it_was_sent(store: Store) -> None:
    async def cross(writer: LedgerWriter) -> None:
        writer.opened(opened("strict"))
        await writer.secure(crossing("strict"))

    with LedgerWriter(store) as writer:
        asyncio.run(cross(writer))
        writer.settled(entry("strict"))
    shown = run(store, "show", "strict")
    assert "On record before it was sent" in shown
    assert "ab" * 32 in shown
    (note,) = json.loads(run(store, "show", "strict", "--json"))["crossings"]
    assert (note["offer"], note["labels"], note["lowered"]) == ("gpt", ["internal"], ["pii"])


def test_verify_ends_with_one_and_names_what_was_changed(store: Store) -> None:
    assert "Intact: 6 records of 2 writers" in run(store, "verify")
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TRIGGER records_refuse_update")
        connection.execute(
            "UPDATE records SET document = replace(document, '1500000', '1500001') WHERE request = 'req-1'"
        )
    result = CliRunner().invoke(app, ["verify", "--store", f"sqlite:///{store.path}"])
    assert result.exit_code == 1
    assert "Number 2 of writer 1 (request req-1) was altered: total_us." in result.output
    told = CliRunner().invoke(app, ["verify", "--json", "--store", f"sqlite:///{store.path}"])
    assert told.exit_code == 1
    report = json.loads(told.output)
    assert not report["intact"]
    assert [fault["kind"] for fault in report["faults"]] == ["altered"]


def test_verify_takes_a_key_and_a_checkpoint_that_were_kept_elsewhere(store: Store, tmp_path: Path) -> None:
    key, checkpoint = tmp_path / "ledger.pem", tmp_path / "checkpoint.json"
    key.write_text(run(store, "public-key"))
    checkpoint.write_text(run(store, "checkpoint"))
    assert "Intact" in run(store, "verify", "--public-key", str(key), "--checkpoint", str(checkpoint))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TRIGGER checkpoints_refuse_delete")
        connection.execute("DELETE FROM checkpoints WHERE number = (SELECT max(number) FROM checkpoints)")
    assert "Intact" in run(store, "verify", "--public-key", str(key))
    arguments = ["verify", "--public-key", str(key), "--checkpoint", str(checkpoint)]
    result = CliRunner().invoke(app, [*arguments, "--store", f"sqlite:///{store.path}"])
    assert result.exit_code == 1
    assert "rolled_back" in result.output
    for bad in (["--public-key", str(checkpoint)], ["--checkpoint", str(key)], ["--public-key", str(tmp_path / "no")]):
        with pytest.raises(InvalidRequest):
            run(store, "verify", *bad)


def test_content_is_shown_to_who_has_the_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTENT_KEY", "07" * 32)
    expires = datetime.now(UTC) + timedelta(days=1)
    with LedgerWriter(store) as writer, Capture(store, bytes([7]) * 32, writer) as capture:
        capture.keep(
            Kept(
                request=RequestId("req-1"),
                tenant="default",
                workload="triage",
                labels=(label("pii"),),
                request_text="the question",
                answer_text="the answer",
                expires=expires,
            )
        )
    shown = run(store, "show", "req-1", "--content", "--key", "env:CONTENT_KEY")
    for part in ("the question", "the answer", "labels: pii"):
        assert part in shown
    told = json.loads(run(store, "show", "req-1", "--content", "--key", "env:CONTENT_KEY", "--json"))
    assert told["content"]["answer_text"] == "the answer"
    assert "No content" in run(store, "show", "req-0", "--content", "--key", "env:CONTENT_KEY")
    assert "the question" not in run(store, "show", "req-1")
    with pytest.raises(InvalidRequest, match="encrypted"):
        run(store, "show", "req-1", "--content")
    with pytest.raises(InvalidRequest, match="no reference"):
        run(store, "show", "req-1", "--content", "--key", "07" * 32)
    monkeypatch.setenv("CONTENT_KEY", "08" * 32)
    with pytest.raises(LedgerError, match="cannot be opened"):
        run(store, "show", "req-1", "--content", "--key", "env:CONTENT_KEY")


def test_an_empty_ledger_says_so(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/isthmus.db")
    assert "no entries yet" in run(store, "tail")
    assert run(store, "tail", "--json") == ""
    assert "no entries" in run(store, "cost")


def test_mistakes_are_answered_with_a_sentence(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no request 'nope'"):
        run(store, "show", "nope")
    with pytest.raises(LedgerError, match="no store at"):
        run(Store(f"sqlite:///{tmp_path}/none.db"), "tail")
    for arguments in (["cost", "--by", "colour"], ["cost", "--since", "yesterday"]):
        result = CliRunner().invoke(app, [*arguments, "--store", f"sqlite:///{store.path}"])
        assert result.exit_code == 2
        assert "choose from" in result.output or "no span of time" in result.output


def test_the_store_of_the_settings_is_read_where_none_is_named(store: Store, tmp_path: Path) -> None:
    config = tmp_path / "isthmus.toml"
    config.write_text(f'[store]\nurl = "sqlite:{store.path}"\n')
    result = CliRunner().invoke(app, ["show", "req-0", "--json", "--config", str(config)], catch_exceptions=False)
    assert json.loads(result.output)["id"] == "req-0"
