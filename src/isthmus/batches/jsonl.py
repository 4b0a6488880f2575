"""Lines of JSON: what a batch's input file holds, and how results are told. Pure.

Source: OpenAI, "Batch API", the request input and output objects; Anthropic, "Message Batches", the results file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from isthmus.batches.batch import Batch, BatchId, Complaint, Line, Outcome, Result

LONGEST_ID = 512
"""Characters of a `custom_id`."""

MOST_COMPLAINTS = 50
"""Told of one file; whoever mends those will find the rest."""

_NOT_ASKED: dict[Outcome, tuple[str, str]] = {
    "cancelled": ("batch_cancelled", "This request was not made: its batch was cancelled."),
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "revoked": ("invalid_api_key", "This request was not made: the key of its batch is no longer in force."),
}


class _Request(msgspec.Struct):
    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


_decode = msgspec.json.Decoder(_Request).decode


def split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in pieces, without their ends."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


class InputReader:
    """Reads the lines of one input file, and collects what is wrong with them."""

    def __init__(self, batch: Batch, *, most_lines: int) -> None:
        self.complaints: list[Complaint] = []
        self._batch = batch
        self._most = most_lines
        self._seen: set[str] = set()

    def read(self, lines: Iterable[bytes]) -> Iterator[Line]:
        """The requests of the file; after the first complaint none, but the rest is read through."""
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            line = self._line(number, text)
            if len(self._seen) > self._most:
                self._complain("too_many_lines", f"A batch has at most {self._most} requests.")
                return
            if len(self.complaints) >= MOST_COMPLAINTS:
                return
            if line is not None and not self.complaints:
                yield line
        if not self._seen and not self.complaints:
            self._complain("empty_file", "The input file has no requests.")

    def _line(self, number: int, text: bytes) -> Line | None:
        try:
            asked = _decode(text)
        except msgspec.ValidationError as exc:
            self._complain("invalid_request", f"The line is not a request: {exc}.", number)
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._complain("invalid_json_line", "The line is not JSON.", number)
            return None
        if not 1 <= len(asked.custom_id) <= LONGEST_ID:
            self._complain("invalid_custom_id", f"custom_id has 1 to {LONGEST_ID} characters.", number, "custom_id")
        elif asked.custom_id in self._seen:
            self._complain("duplicate_custom_id", "The custom_id was used by a line before.", number, "custom_id")
        elif asked.method != "POST":
            self._complain("invalid_method", "The method of every request is POST.", number, "method")
        elif asked.url != self._batch.endpoint:
            self._complain("invalid_url", f"The batch is for {self._batch.endpoint} alone.", number, "url")
        elif not bytes(asked.body).startswith(b"{"):
            self._complain("invalid_request", "The body is not an object.", number, "body")
        self._seen.add(asked.custom_id)
        return Line(batch=self._batch.id, number=number, custom_id=asked.custom_id, body=bytes(asked.body))

    def _complain(self, code: str, message: str, line: int | None = None, param: str | None = None) -> None:
        self.complaints.append(Complaint(code=code, message=message, line=line, param=param))


def openai_line(result: Result) -> bytes:
    """A result as a line of an output or error file."""
    response = error = None
    if result.status is None:
        code, message = _NOT_ASKED[result.outcome]
        error = {"code": code, "message": message}
    else:
        response = {
            "status_code": result.status,
            "request_id": result.request or "",
            "body": msgspec.Raw(result.body),
        }
    told = {
        "id": _line_id(result.batch, result.number),
        "custom_id": result.custom_id,
        "response": response,
        "error": error,
    }
    return msgspec.json.encode(told) + b"\n"


def anthropic_line(result: Result) -> bytes:
    """A result as a line of the results of a message batch."""
    match result.outcome:
        case "succeeded":
            told: dict[str, object] = {"type": "succeeded", "message": msgspec.Raw(result.body)}
        case "errored":
            told = {"type": "errored", "error": msgspec.Raw(result.body)}
        case "revoked":
            error = {"type": "authentication_error", "message": _NOT_ASKED["revoked"][1]}
            told = {"type": "errored", "error": {"type": "error", "error": error}}
        case "cancelled":
            told = {"type": "canceled"}
        case "expired":
            told = {"type": "expired"}
    return msgspec.json.encode({"custom_id": result.custom_id, "result": told}) + b"\n"


def _line_id(batch: BatchId, number: int) -> str:
    """The same each time it is told."""
    return f"batch_req_{batch.partition('_')[2]}{number:06x}"
