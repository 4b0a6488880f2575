"""The scripted vendors that agents are tried with: what they play, and what they do not let pass."""

from collections.abc import Sequence
from typing import Any

import pytest
from conformance.npm.play import TITLE, Play, Step, Told
from conformance.npm.vendors import SIGNATURE, PlayingAnthropic, PlayingGemini, PlayingOpenAI
from tests.fakes import gemini_server
from tests.fakes.stand_in import Received, Rejected

WRITE = Step(text="I write.", tool="write", arguments={"path": "hello.txt", "text": "hi"})
READ = Step(tool="read", arguments={"path": "hello.txt"})


def play() -> Play:
    return Play(steps=(WRITE, READ))


def told(called: Sequence[str] = (), results: Sequence[str] = (), tools: Sequence[str] = ("write", "read")) -> Told:
    return Told(tools=frozenset(tools), called=called, results=results)


def test_every_step_is_played_once_and_then_the_end() -> None:
    playing = play()
    assert playing.next(told()) == WRITE
    assert playing.next(told(["write"], ["written"])) == READ
    assert playing.next(told(["write", "read"], ["written", "1 hi"])) == "done"
    assert playing.complete


def test_a_request_without_the_tools_of_the_task_is_no_step() -> None:
    playing = play()
    assert playing.next(told(tools=())) == TITLE
    assert playing.played == []


def test_a_history_that_lost_a_call_is_not_complete() -> None:
    playing = play()
    playing.next(told())
    assert playing.next(told()) == WRITE
    playing.next(told(["write"], ["written"]))
    playing.next(told(["write", "read"], ["written", "hi"]))
    assert not playing.complete


@pytest.mark.parametrize(
    "history",
    [
        told(["read"], ["hi"]),  # not what was asked for
        told(["write"], []),  # a call without its result
        told(["write", "read"], ["written", "no such file"]),  # not what was written
    ],
)
def test_a_history_that_is_not_as_it_was_played_is_odd(history: Told) -> None:
    playing = play()
    playing.next(history)
    assert playing.odd
    assert not playing.complete


def _body(vendor: object) -> dict[str, Any]:
    """A request after the first step, in the vendor's dialect."""
    if isinstance(vendor, PlayingOpenAI):
        function = {"name": "write", "arguments": "{}"}
        calls = [{"id": "c", "type": "function", "function": function}]
        return {
            "model": "m",
            "stream": True,
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": None, "tool_calls": calls},
                {"role": "tool", "tool_call_id": "c", "content": "written"},
            ],
            "tools": [{"type": "function", "function": {"name": name}} for name in ("write", "read")],
        }
    if isinstance(vendor, PlayingAnthropic):
        return {
            "model": "m",
            "stream": True,
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "write", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "written"}]},
            ],
            "tools": [{"name": name, "input_schema": {"type": "object"}} for name in ("write", "read")],
        }
    call = {"functionCall": {"id": "c", "name": "write", "args": {}}, "thoughtSignature": SIGNATURE}
    result = {"functionResponse": {"id": "c", "name": "write", "response": {"output": "written"}}}
    return {
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [result]},
        ],
        "tools": [{"functionDeclarations": [{"name": name} for name in ("write", "read")]}],
    }


@pytest.mark.parametrize("kind", [PlayingOpenAI, PlayingAnthropic, PlayingGemini])
def test_a_vendor_plays_on_from_the_history_in_its_dialect(
    kind: type[PlayingOpenAI | PlayingAnthropic | PlayingGemini],
) -> None:
    vendor = kind()
    vendor.play = play()
    events = b"".join(vendor.stream(Received("POST", "/", {}, _body(vendor))))
    assert b'"read"' in events
    assert vendor.play.played == ["read"]


def test_gemini_refuses_a_call_that_comes_back_without_its_signature() -> None:
    vendor = PlayingGemini()
    vendor.play = play()
    body = _body(vendor)
    path = "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    headers = {"x-goog-api-key": gemini_server.KEY}
    vendor.check(Received("POST", path, headers, body))
    del body["contents"][1]["parts"][0]["thoughtSignature"]
    with pytest.raises(Rejected, match="thought_signature"):
        vendor.check(Received("POST", path, headers, body))
