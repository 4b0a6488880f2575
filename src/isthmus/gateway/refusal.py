"""Errors as answers, in the shape of whoever's API was asked."""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Mapping

from isthmus.dialects.dialect import Form
from isthmus.dialects.registry import dialect_of
from isthmus.domain.errors import IsthmusError, Overloaded, PolicyError, ProviderError, RequestError
from isthmus.gateway.endpoint import Vendor
from isthmus.gateway.headers import JSON
from isthmus.gateway.reply import Reply

log = logging.getLogger("isthmus.gateway")

_SHAPES: Mapping[Vendor, str] = {
    "openai": "openai-chat",
    "anthropic": "anthropic-messages",
    "gemini": "gemini-generate",
    "isthmus": "openai-chat",
}


def shape_of(vendor: Vendor) -> Form:
    """The form whose errors are those of all of a vendor's API."""
    return dialect_of(_SHAPES[vendor])


def refusal(form: Form, error: IsthmusError) -> Reply:
    """An error as an answer."""
    lines = JSON
    if error.request_id:
        lines += b"isthmus-request: %b\r\nx-request-id: %b\r\n" % ((error.request_id.encode("ascii"),) * 2)
    if isinstance(error, ProviderError | Overloaded) and error.retry_after is not None:
        lines += b"retry-after: %d\r\n" % math.ceil(error.retry_after)
    if isinstance(error, PolicyError | RequestError):
        # The official clients repeat 409 and the like of their own accord; what is refused here would be again.
        lines += b"x-should-retry: false\r\n"
    return Reply(error.status, lines, form.encode_error(error, error.request_id or ""))


def own_fault(exc: Exception) -> IsthmusError:
    """A fault of our own: told without detail, logged without the exception's text, which may quote content."""
    frames = "".join(traceback.format_tb(exc.__traceback__))
    log.error("a request failed by a fault of isthmus: %s\n%s", type(exc).__name__, frames)
    return IsthmusError("isthmus failed by a fault of its own; its log has the details.")
