"""Anthropic's messages, and the counting of their tokens."""

from __future__ import annotations

from isthmus.gateway.work import on_the_road

ENDPOINTS = (
    on_the_road("POST", "/v1/messages", "anthropic", "anthropic-messages"),
    on_the_road("POST", "/v1/messages/count_tokens", "anthropic", "anthropic-count"),
)
