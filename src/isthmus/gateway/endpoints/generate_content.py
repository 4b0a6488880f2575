"""Gemini's generateContent, streaming or not, and the counting of its tokens. The path names the model."""

from __future__ import annotations

from isthmus.dialects.gemini_generate.address import asks_events
from isthmus.gateway.headers import RequestHead
from isthmus.gateway.work import on_the_road

_VERSIONS = ("v1beta", "v1", "v1alpha")
_MODELS = ("models", "tunedModels")


def _streamed(head: RequestHead) -> str:
    """A stream is sent as events where the query asks for them (`alt=sse`), else as one JSON array."""
    query = head.target.partition(b"?")[2].decode("latin-1")
    return "gemini-generate" if asks_events(query) else "gemini-generate-array"


ENDPOINTS = tuple(
    on_the_road("POST", f"/{version}/{models}/{{model}}:{verb}", "gemini", form, stream=stream)
    for version in _VERSIONS
    for models in _MODELS
    for verb, form, stream in (
        ("generateContent", "gemini-generate", False),
        ("streamGenerateContent", _streamed, True),
        ("countTokens", "gemini-count", False),
    )
)
