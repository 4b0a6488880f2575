"""What isthmus reads from a request's headers, and what it says in an answer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from isthmus.domain.errors import InvalidRequest
from isthmus.domain.label import Labelled, label
from isthmus.domain.usage import plain
from isthmus.gateway.asgi import Header
from isthmus.routing.answer import Answer


@dataclass(slots=True)
class RequestHead:
    """The headers that matter, of one request."""

    authorization: bytes | None = None
    host: bytes = b""
    origin: bytes | None = None
    length: int | None = None
    workload: str | None = None
    conversation: str | None = None
    labels: tuple[Labelled, ...] = ()


def read_head(headers: Sequence[Header]) -> RequestHead:
    """Read the headers of a request, whose names are in lower case already.

    Of a header that is repeated the last counts; of ours, all.

    Raises:
        InvalidRequest: a header of ours says what it cannot say.
    """
    found = dict(headers)
    length = found.get(b"content-length", b"")
    head = RequestHead(
        authorization=found.get(b"authorization"),
        host=found.get(b"host", b""),
        origin=found.get(b"origin"),
        length=int(length) if length.isdigit() and len(length) < 20 else None,
    )
    for name in found:
        if name.startswith(b"isthmus-"):
            for value in (value for other, value in headers if other == name):
                _read_own(head, name, value)
    return head


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
        case _:
            raise InvalidRequest(
                f"The header {name.decode('latin-1')[:60]} is not known.",
                hint="Known: isthmus-labels, isthmus-workload, isthmus-conversation.",
            )


def _labelled(name: str) -> Labelled:
    try:
        return Labelled(label(name), "header")
    except ValueError as exc:
        raise InvalidRequest(f"The header isthmus-labels is not a list of labels: {exc}.") from exc


def answer_headers(answer: Answer) -> list[Header]:
    """What an answer says of how it came about. The cost is known only of an answer that is not streamed."""
    request_id = answer.id.encode("ascii")
    headers: list[Header] = [(b"isthmus-request", request_id), (b"x-request-id", request_id)]
    if answer.offer is not None:
        headers += _offer_headers(answer.offer.name, answer.offer.side)
    if answer.labels:
        headers.append((b"isthmus-labels", ", ".join(found.label for found in answer.labels).encode("ascii")))
    if not answer.streamed and answer.cost is not None:
        headers.append((b"isthmus-cost", plain(answer.cost).encode("ascii")))
    if answer.warning is not None:
        headers.append((b"isthmus-warning", answer.warning.encode("ascii", "replace")))
    return headers


@lru_cache(maxsize=1024)
def _offer_headers(name: str, side: str) -> tuple[Header, Header]:
    return (b"isthmus-offer", name.encode("ascii")), (b"isthmus-side", side.encode("ascii"))
