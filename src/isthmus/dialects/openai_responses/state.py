"""Going on from an earlier answer, on bytes: all that was said until then is put before what is new.

As at the API itself, `instructions` hold for one answer and are not taken over, and neither is anything else but items.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.once import fields_once
from isthmus.dialects.openai_responses.identity import Kind, item_id
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import Json

_encode = msgspec.json.encode
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_LAST = frozenset({"response.completed", "response.incomplete"})


class _Answer(msgspec.Struct):
    output: list[msgspec.Raw] = []


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw()


class _Reference(msgspec.Struct):
    type: str | None = None
    id: str | None = None


_answer = msgspec.json.Decoder(_Answer)
_event = msgspec.json.Decoder(_Event)
_reference = msgspec.json.Decoder(_Reference)
_KINDS: Mapping[str, Kind] = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


class Resumption:
    """Fulfils `Resumable`; what each method must do is said there."""

    def going_on(self, earlier_request: bytes, earlier_answer: bytes, body: bytes) -> bytes:
        return going_on(earlier_request, earlier_answer, body)

    def streamed_answer(self, stream: bytes) -> bytes | None:
        return streamed_answer(stream)

    def input_items(self, request: bytes) -> bytes:
        return input_items(request)


def going_on(earlier_request: bytes, earlier_answer: bytes, body: bytes) -> bytes:
    """The request with all that was said before its own input, and without the name of the earlier answer.

    Args:
        earlier_request: as it was sent whole: with what was said before it.
        earlier_answer: the object `response`.
        body: of the request that goes on.

    Raises:
        InvalidRequest: the body is not of this dialect, or refers to an item that was not said before.
    """
    said = [*_items(fields_once(earlier_request)), *_answer.decode(earlier_answer).output]
    fields = fields_once(body)
    by_id = {known.id: item for item in said if (known := _reference.decode(item)).id is not None}
    said += [_resolved(item, at, by_id) for at, item in enumerate(_items(fields))]
    fields.pop("previous_response_id", None)
    return _encode(fields | {"input": msgspec.Raw(_encode(said))})


def _items(fields: Mapping[str, msgspec.Raw]) -> list[msgspec.Raw]:
    """The input as items: a text is what the user says."""
    told = fields.get("input")
    if told is None or bytes(told) == b"null":
        return []
    if bytes(told)[:1] == b'"':
        return [msgspec.Raw(b'{"type":"message","role":"user","content":%s}' % bytes(told))]
    try:
        return _raws.decode(told)
    except UNREADABLE as exc:
        raise invalid(exc, within="input") from exc


def _resolved(item: msgspec.Raw, at: int, by_id: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    try:
        told = _reference.decode(item)
    except UNREADABLE as exc:
        raise invalid(exc, within=f"input[{at}]") from exc
    if told.type != "item_reference":
        return item
    if told.id is None or told.id not in by_id:
        raise InvalidRequest(
            f"input[{at}] refers to an item that is not part of the earlier answers.", param=f"input[{at}].id"
        )
    return by_id[told.id]


def streamed_answer(stream: bytes) -> bytes | None:
    """The object `response` that the last event of a stream holds; None: it has not ended well."""
    frames = sse.Frames()
    for frame in [*frames.feed(stream), *frames.close()]:
        if b'response.completed"' not in frame.data and b'response.incomplete"' not in frame.data:
            continue
        try:
            event = _event.decode(frame.data)
        except UNREADABLE:
            continue
        if event.type in _LAST:
            return bytes(event.response) or None
    return None


def input_items(request: bytes) -> bytes:
    """What was said to the model, the last first, as the API lists it; every item with an id and a state."""
    told: list[Json] = [msgspec.json.decode(item) for item in _items(fields_once(request))]
    items = [_listed(item, at) for at, item in enumerate(told) if isinstance(item, dict)][::-1]
    return _encode(
        {
            "object": "list",
            "data": items,
            "first_id": items[0]["id"] if items else "",
            "last_id": items[-1]["id"] if items else "",
            "has_more": False,
        }
    )


def _listed(item: dict[str, Json], at: int) -> dict[str, Json]:
    kind = item.get("type") or "message"
    listed = item | {"type": kind, "id": item.get("id") or item_id(_KINDS.get(kind, "msg"), "", at)}
    if kind == "reasoning":
        return listed
    listed["status"] = item.get("status") or "completed"
    if kind == "message":
        listed["content"] = _content(item.get("content"), str(item.get("role")))
    return listed


def _content(told: Json, role: str) -> Json:
    """The content as a list: of a text alone, which clients may send, and with what they may leave out."""
    parts: list[Json] = told if isinstance(told, list) else []
    if isinstance(told, str):
        parts = [{"type": "output_text" if role == "assistant" else "input_text", "text": told}]
    return [
        {"annotations": [], "logprobs": []} | part
        if isinstance(part, dict) and part.get("type") == "output_text"
        else part
        for part in parts
    ]


RESUMABLE = Resumption()
