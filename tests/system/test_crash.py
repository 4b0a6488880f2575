"""A kill under load: what the ledger holds after the next start."""

import http.client
import queue
import threading
import time
from pathlib import Path

from tests.fakes.upstream import upstream
from tests.system.process import Isthmus, running

WINDOW = 0.25
"""Seconds: the group of 50 ms, the write of it, and the time a test on two cores may lose to others."""

CLIENTS = 8


def test_after_a_kill_every_answered_request_is_accounted_for_and_those_in_flight_are_flagged(tmp_path: Path) -> None:
    with upstream() as quick, upstream("hang") as stuck:
        offers = "".join(
            f'[offers.{name}]\nprovider = "vllm"\nmodel = "m"\nurl = "{url}"\n'
            for name, url in (("quick", quick.url), ("stuck", stuck.url))
        )
        isthmus = Isthmus(tmp_path, offers + '[workloads.work]\noffers = ["quick"]\n')
        answered: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()
        with running(isthmus):
            waiting = [_post(isthmus.port, "stuck") for _ in range(3)]
            end = threading.Event()
            clients = [threading.Thread(target=_ask_on, args=(isthmus.port, answered, end)) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            time.sleep(1.5)
            isthmus.kill()
            killed = time.monotonic()
            end.set()
            for client in clients:
                client.join(10)
            for connection in waiting:
                connection.close()
            isthmus.start()
            records = isthmus.records()

    outcomes: dict[str, str] = {record.entry.id: record.entry.outcome for record in records}
    told = dict(_drain(answered))
    assert len(told) > 50
    missing = [killed - at for request, at in told.items() if outcomes.get(request) != "completed"]
    assert all(age < WINDOW for age in missing), f"lost although {max(missing):.3f} s old"
    stuck_outcomes = [record.entry.outcome for record in records if record.entry.model == "stuck"]
    assert stuck_outcomes == ["crashed"] * 3
    for writer in {record.writer for record in records}:
        sequence = sorted(record.seq for record in records if record.writer == writer)
        assert sequence == list(range(1, len(sequence) + 1))


def _post(port: int, model: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "hi"}}]}}'
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    return connection


def _ask_on(port: int, answered: "queue.SimpleQueue[tuple[str, float]]", end: threading.Event) -> None:
    while not end.is_set():
        try:
            connection = _post(port, "work")
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return
        answered.put((response.headers["isthmus-request"], time.monotonic()))
        connection.close()


def _drain(answered: "queue.SimpleQueue[tuple[str, float]]") -> list[tuple[str, float]]:
    return [answered.get() for _ in range(answered.qsize())]
