"""Errors of this dialect. Source: <https://cloud.google.com/apis/design/errors>."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from isthmus.dialects import sse
from isthmus.dialects import upstream_faults as general
from isthmus.dialects.dialect import Fault
from isthmus.domain.errors import IsthmusError, UpstreamRefused
from isthmus.domain.message import Json

_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s\Z")


def encode_error(error: IsthmusError, request_id: str) -> bytes:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.code.upper(),
        "domain": "isthmus",
        "metadata": {"request_id": request_id},
    }
    status = _NAMES.get(error.status, "UNKNOWN")
    return msgspec.json.encode(
        {"error": {"code": error.status, "message": error.sentence, "status": status, "details": [info]}}
    )


def stream_error(error: IsthmusError, request_id: str, *, array: bool = False) -> bytes:
    """What ends a stream that has begun: its last event, or the last item of the one array."""
    said = encode_error(error, request_id)
    return b",\r\n" + said + b"]" if array else sse.frame(said)


def decode_fault(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
    """What an error answer says; how long to wait is told in its details. Never raises."""
    fault = general.decode_fault(status, headers, body)
    if fault.retry_after is not None:
        return fault
    try:
        content: Json = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return fault
    return replace(fault, retry_after=_delay(content))


def refusal(content: Json) -> UpstreamRefused:
    """The error that an event, or an answer with status 200, tells."""
    message, code, _ = general.read_error(content)
    error = content.get("error") if isinstance(content, dict) else None
    status = error.get("code") if isinstance(error, dict) else None
    return UpstreamRefused(
        general.shortened(message) or "The upstream told of an error and gave no message.",
        status=status if isinstance(status, int) and 400 <= status <= 599 else 502,
        upstream_code=code,
        retry_after=_delay(content),
    )


def _delay(content: Json) -> float | None:
    """Seconds, from `RetryInfo.retryDelay`."""
    match content[0] if isinstance(content, list) and content else content:
        case {"error": {"details": list(details)}}:
            for detail in details:
                match detail:
                    case {"retryDelay": str(text)} if (found := _DELAY.match(text)) is not None:
                        return float(found[1])
    return None
