"""Errors of this dialect, as we tell them to clients.

The official clients choose the exception by the status of the answer and show `message`, `param`, `code` and `type`
(openai-python, `_make_status_error`); within a stream, an event with `error` in it raises `APIError`.
"""

from __future__ import annotations

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.upstream_faults import read_error, shortened
from isthmus.domain.errors import IsthmusError, UpstreamRefused
from isthmus.domain.message import Json

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def encode_error(error: IsthmusError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": _body(error, request_id)})


def stream_error(error: IsthmusError, request_id: str) -> bytes:
    """An event that makes the official clients raise; no `[DONE]` follows it."""
    return sse.frame(encode_error(error, request_id))


def refusal(content: Json) -> UpstreamRefused:
    """The error that an answer or an event with status 200 tells."""
    message, code, wait = read_error(content)
    error = content.get("error") if isinstance(content, dict) else None
    status = error.get("code", error.get("status")) if isinstance(error, dict) else None
    return UpstreamRefused(
        shortened(message) or "The upstream told of an error and gave no message.",
        status=status if isinstance(status, int) and 400 <= status <= 599 else 502,
        upstream_code=code,
        retry_after=wait,
    )


def _body(error: IsthmusError, request_id: str) -> dict[str, Json]:
    code = error.code
    if isinstance(error, UpstreamRefused) and error.upstream_code and error.status < 500:
        # Clients act on codes such as `context_length_exceeded`. Codes of refusals that are no fault of the caller's,
        # such as `invalid_api_key` of our own key, must not reach it.
        code = error.upstream_code
    return {
        "message": error.sentence,
        "type": _type(error.status),
        "param": error.param,
        "code": code,
        "request_id": request_id,
    }


def _type(status: int) -> str:
    return _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
