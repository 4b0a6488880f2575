"""Errors of this dialect. Source: <https://docs.anthropic.com/en/api/errors>."""

from __future__ import annotations

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.upstream_faults import read_error, shortened
from isthmus.domain.errors import IsthmusError, UpstreamRefused
from isthmus.domain.message import Json

_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPES = {status: name for name, status in _STATUSES.items()} | {503: "overloaded_error"}


def encode_error(error: IsthmusError, request_id: str) -> bytes:
    kind = _TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
    return msgspec.json.encode(
        {"type": "error", "error": {"type": kind, "message": error.sentence}, "request_id": request_id}
    )


def stream_error(error: IsthmusError, request_id: str) -> bytes:
    return sse.frame(encode_error(error, request_id), b"error")


def refusal(content: Json) -> UpstreamRefused:
    """The error that an `error` event, or an answer with status 200, tells."""
    message, code, wait = read_error(content)
    return UpstreamRefused(
        shortened(message) or "The upstream told of an error and gave no message.",
        status=_STATUSES.get(code or "", 502),
        upstream_code=code,
        retry_after=wait,
    )
