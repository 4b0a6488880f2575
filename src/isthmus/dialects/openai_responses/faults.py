"""Errors of this dialect, as we tell them to clients and as upstreams tell them within answers.

Whole error answers are those of every OpenAI API. Within a stream the API sends `error` with the fields side by side;
the official clients raise where an event has an object `error` (openai-python, `Stream.__stream__`), so ours has both.
"""

from __future__ import annotations

import msgspec

from isthmus.dialects import sse
from isthmus.dialects.upstream_faults import read_error, shortened
from isthmus.domain.errors import IsthmusError, UpstreamRefused
from isthmus.domain.message import Json

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}

_STATUSES = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_encrypted_content": 400,
    "server_is_overloaded": 503,
    "slow_down": 503,
}
"""By the code of an error that comes without a status; those about images are the request's fault, too."""


def encode_error(error: IsthmusError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": describe(error, request_id)})


def stream_error(error: IsthmusError, request_id: str, *, number: int = 0) -> bytes:
    """An event that makes the official clients raise.

    Args:
        error: what happened.
        request_id: of the request it ended.
        number: the event's place in the stream; 0 where nobody has counted.
    """
    told = describe(error, request_id)
    event: dict[str, Json] = {
        "type": "error",
        "code": told["code"],
        "message": told["message"],
        "param": told["param"],
        "sequence_number": number,
        "error": told,
    }
    return sse.frame(msgspec.json.encode(event), b"error")


def describe(error: IsthmusError, request_id: str) -> dict[str, Json]:
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


def refusal(content: Json) -> UpstreamRefused:
    """The error that an answer of status `failed`, or an event, tells.

    Args:
        content: the answer or the event: with an object `error`, or an event whose fields stand side by side.
    """
    message, code, wait = read_error(content)
    if isinstance(content, dict) and not isinstance(content.get("error"), dict):
        told = content.get("code")
        code = told if isinstance(told, str) and told else None
    return UpstreamRefused(
        shortened(message) or "The upstream told of an error and gave no message.",
        status=_status(code),
        upstream_code=code,
        retry_after=wait,
    )


def _status(code: str | None) -> int:
    if code is None:
        return 502
    return 400 if "image" in code else _STATUSES.get(code, 502)


def _type(status: int) -> str:
    return _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
