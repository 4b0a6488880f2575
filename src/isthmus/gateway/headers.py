"""What isthmus reads from the head of a request, and what it says in the head of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from isthmus.domain.errors import InvalidRequest
from isthmus.domain.label import Labelled, label
from isthmus.domain.usage import plain
from isthmus.routing.answer import Answer

Header: TypeAlias = tuple[bytes, bytes]

JSON = b"content-type: application/json\r\n"
EVENT_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"

_OURS = frozenset({b"isthmus-labels", b"isthmus-workload", b"isthmus-conversation"})
_SINGLE = frozenset(
    {
        b"host",
        b"authorization",
        b"x-api-key",
        b"x-goog-api-key",
        b"origin",
        b"isthmus-workload",
        b"isthmus-conversation",
    }
)
"""Said twice, these would have two meanings, and which one counts would be anybody's guess."""


@dataclass(slots=True)
class RequestHead:
    """The head of a request, as far as it matters."""

    method: bytes
    target: bytes
    """As it came: path and query, or a whole address."""
    arrived: float
    """`time.perf_counter()` when the head was complete."""
    authorization: bytes | None = None
    """`Bearer KEY`, also where the key came as Anthropic's or Google's clients send it."""
    host: bytes = b""
    origin: bytes | None = None
    length: int = 0
    """Bytes of body that are announced; 0 also where the body comes in chunks."""
    chunked: bool = False
    expects_leave: bool = False
    """The client waits for leave to send the body (`Expect: 100-continue`)."""
    speaks_anthropic: bool = False
    """Whether the header is there that all of Anthropic's clients send."""
    speaks_gemini: bool = False
    """Whether a header is there that only Google's clients send."""
    workload: str | None = None
    conversation: str | None = None
    labels: tuple[Labelled, ...] = ()
    fault: InvalidRequest | None = None
    """What is wrong with the headers, to be told to those who may ask at all."""


def read_head(method: bytes, target: bytes, headers: Sequence[Header], arrived: float) -> RequestHead:
    """Read the head of a request, whose header names are in lower case already."""
    found = dict(headers)
    length = found.get(b"content-length", b"")
    head = RequestHead(
        method,
        target,
        arrived,
        found.get(b"authorization") or _key_elsewhere(found),
        found.get(b"host", b""),
        found.get(b"origin"),
        int(length) if length.isdigit() and len(length) < 20 else 0,
        b"transfer-encoding" in found,
        b"expect" in found and found[b"expect"].lower() == b"100-continue",
    )
    if b"anthropic-version" in found:
        head.speaks_anthropic = True
    elif b"x-goog-api-key" in found or b"x-goog-api-client" in found:
        head.speaks_gemini = True
    if len(found) != len(headers):
        head.fault = _repeated(headers)
    if b"isthmus" in b" ".join(found):  # one search instead of one for each header
        try:
            for name, value in headers:
                if name in _OURS:
                    _read_own(head, name, value)
                elif _resembles_ours(name):
                    raise InvalidRequest(
                        f"The header {name.decode('latin-1')[:60]} is not known.",
                        hint="Known, spelt so: isthmus-labels, isthmus-workload, isthmus-conversation.",
                    )
        except InvalidRequest as exc:
            head.fault = exc
    return head


def _key_elsewhere(found: Mapping[bytes, bytes]) -> bytes | None:
    """A key in the header of another vendor's clients."""
    key = found.get(b"x-api-key") or found.get(b"x-goog-api-key")
    return None if key is None else b"Bearer " + key


def _repeated(headers: Sequence[Header]) -> InvalidRequest | None:
    names = [name for name, _ in headers]
    for name in sorted(_SINGLE):
        if names.count(name) > 1:
            return InvalidRequest(f"The header {name.decode('ascii')} is there more than once.", hint="Send it once.")
    return None


def _resembles_ours(name: bytes) -> bool:
    """Whether a header was probably meant for us: a label that is not read would be a label lost."""
    return name.replace(b"_", b"-").removeprefix(b"x-").startswith(b"isthmus")


def _read_own(head: RequestHead, name: bytes, value: bytes) -> None:
    text = value.decode("latin-1").strip()
    match name:
        case b"isthmus-labels":
            head.labels += tuple(_labelled(part.strip()) for part in text.split(",") if part.strip())
        case b"isthmus-workload":
            head.workload = text or None
        case b"isthmus-conversation":
            if len(text) > 200 or not text.isprintable():
                raise InvalidRequest("The header isthmus-conversation takes up to 200 printable characters.")
            head.conversation = text or None


def _labelled(name: str) -> Labelled:
    try:
        return Labelled(label(name), "header")
    except ValueError as exc:
        raise InvalidRequest(f"The header isthmus-labels is not a list of labels: {exc}.") from exc


def answer_lines(answer: Answer) -> bytes:
    """What an answer says of how it came about. The cost is known only of an answer that is not streamed."""
    request_id = answer.id.encode("ascii")
    lines = b"isthmus-request: %b\r\nx-request-id: %b\r\n" % (request_id, request_id)
    if answer.offer is not None:
        lines += _offer_lines(answer.offer.name, answer.offer.side)
    if answer.labels:
        lines += b"isthmus-labels: %b\r\n" % ", ".join(found.label for found in answer.labels).encode("ascii")
    if not answer.streamed and answer.cost is not None:
        lines += b"isthmus-cost: %b\r\n" % plain(answer.cost).encode("ascii")
    if answer.adapted is not None:
        lines += b"isthmus-adapted: %b\r\n" % _one_line(answer.adapted)
    if answer.cache is not None:
        lines += b"isthmus-cache: %b\r\n" % answer.cache.encode("ascii")
    if answer.warning is not None:
        lines += b"isthmus-warning: %b\r\n" % _one_line(answer.warning)
    return lines


@lru_cache(maxsize=1024)
def _offer_lines(name: str, side: str) -> bytes:
    return b"isthmus-offer: %b\r\nisthmus-side: %b\r\n" % (name.encode("ascii"), side.encode("ascii"))


def _one_line(text: str) -> bytes:
    return " ".join(text.split()).encode("ascii", "replace")
