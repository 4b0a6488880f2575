"""Anthropic as a whole: messages, and the counting of their tokens."""

from __future__ import annotations

from typing import Any

import msgspec
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from tests.fakes.anthropic_server import KEY, AnthropicServer
from tests.fakes.stand_in import Asked, Received, Rejected, Said, complain, event, published
from typing_extensions import override

from conformance.upstream import wit

_COUNT = published(MessageCountTokensParams)
_WHOLE = published(MessageCreateParamsNonStreaming)
_STREAMING = published(MessageCreateParamsStreaming)
_OLDER = ("temperature", "top_p", "top_k")
"""What only the older version of the API takes, and the package's types no longer know."""


class AnthropicVendor(AnthropicServer):
    def __init__(self, *, form_only: bool = False) -> None:
        """Check the form of requests, and unless `form_only` also the rules on what goes together."""
        super().__init__()
        self._form_only = form_only

    @override
    def check(self, received: Received) -> None:
        if received.path == "/v1/messages" and not self._form_only:
            super().check(received)
            return
        headers = received.headers
        if headers.get("x-api-key") != KEY and headers.get("authorization") != f"Bearer {KEY}":
            raise Rejected("invalid x-api-key", 401)
        body = {name: value for name, value in received.body.items() if name not in _OLDER}
        match received.path:
            case "/v1/messages":
                complain(_STREAMING if body.get("stream") else _WHOLE, body)
            case "/v1/messages/count_tokens":
                complain(_COUNT, body)
            case _:
                raise Rejected(f"no such endpoint: {received.path}", 404)

    @override
    def say(self, asked: Asked) -> Said:
        return wit.answer(asked)

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        if received.path == "/v1/messages/count_tokens":
            return {"input_tokens": 19}
        return super().whole(received)

    @override
    def stream(self, received: Received) -> list[bytes]:
        """The last counts are of all that was used, as Anthropic sends them now; older clients read the first."""
        events = super().stream(received)
        opening, closing = (msgspec.json.decode(one.partition(b"data: ")[2]) for one in (events[0], events[-2]))
        closing["usage"] = opening["message"]["usage"] | closing["usage"]
        return [*events[:-2], event(closing, closing["type"]), events[-1]]
