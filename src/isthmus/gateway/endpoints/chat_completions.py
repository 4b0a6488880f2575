"""OpenAI's chat completions."""

from __future__ import annotations

from isthmus.gateway.work import on_the_road

ENDPOINTS = (on_the_road("POST", "/v1/chat/completions", "openai", "openai-chat"),)
