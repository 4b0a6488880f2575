"""Which endpoints the lines of a batch may be for."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.batches.batch import MESSAGES
from isthmus.dialects.registry import FORMS

_FORMS = {
    "/v1/chat/completions": "openai-chat",
    "/v1/responses": "openai-responses",
    "/v1/embeddings": "openai-embeddings",
    "/v1/moderations": "openai-moderations",
}

OPENAI_ENDPOINTS: Mapping[str, str] = {path: form for path, form in _FORMS.items() if form in FORMS}
"""Paths that `/v1/batches` takes, with the form of their requests."""

FORM_OF: Mapping[str, str] = {**OPENAI_ENDPOINTS, MESSAGES: "anthropic-messages"}
"""The form of requests to any path a batch may be for."""
