"""Whether a text is harmful, as OpenAI's clients ask for it."""

from __future__ import annotations

from isthmus.gateway.work import on_the_road

ENDPOINTS = (on_the_road("POST", "/v1/moderations", "openai", "openai-moderations"),)
