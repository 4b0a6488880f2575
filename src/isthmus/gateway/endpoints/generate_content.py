"""Gemini's generateContent, streaming or not, and the counting of its tokens. The path names the model."""

from __future__ import annotations

from isthmus.gateway.work import on_the_road

_VERSIONS = ("v1beta", "v1", "v1alpha")
_MODELS = ("models", "tunedModels")

ENDPOINTS = tuple(
    on_the_road("POST", f"/{version}/{models}/{{model}}:{verb}", "gemini", form, stream=stream)
    for version in _VERSIONS
    for models in _MODELS
    for verb, form, stream in (
        ("generateContent", "gemini-generate", False),
        ("streamGenerateContent", "gemini-generate", True),
        ("countTokens", "gemini-count", False),
    )
)
