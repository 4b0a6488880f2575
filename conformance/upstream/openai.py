"""OpenAI as a whole: chat, responses, embeddings and moderations behind one address."""

from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import replace
from typing import Any

from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.embedding_create_params import EmbeddingCreateParams
from openai.types.moderation_create_params import ModerationCreateParams
from openai.types.responses.input_token_count_params import InputTokenCountParams
from tests.fakes.openai_server import KEY, OpenAIServer
from tests.fakes.stand_in import Asked, Received, Rejected, Said, complain, published
from typing_extensions import override

from conformance.upstream import responses, wit

_CHAT = published(CompletionCreateParamsNonStreaming)
_CHAT_STREAMING = published(CompletionCreateParamsStreaming)
_EMBEDDINGS = published(EmbeddingCreateParams)
_MODERATIONS = published(ModerationCreateParams)
_COUNTED = published(InputTokenCountParams)
_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


class OpenAIVendor(OpenAIServer):
    def __init__(self, *, form_only: bool = False) -> None:
        """Check the form of requests, and unless `form_only` also the rules on what goes together.

        The tests of the vendors' clients set every parameter there is at once, which no vendor would take.
        """
        super().__init__()
        self._form_only = form_only

    @override
    def check(self, received: Received) -> None:
        if received.path == "/v1/chat/completions" and not self._form_only:
            super().check(replace(received, body=_without_cache_marks(received.body)))
            return
        if received.headers.get("authorization") != f"Bearer {KEY}":
            raise Rejected("Incorrect API key provided", 401)
        body = received.body
        match received.path:
            case "/v1/chat/completions":
                complain(_CHAT_STREAMING if body.get("stream") else _CHAT, body)
            case "/v1/responses":
                responses.check_form(body)
                if not self._form_only:
                    responses.check_turns(body)
            case "/v1/responses/input_tokens":
                complain(_COUNTED, body)
            case "/v1/embeddings":
                complain(_EMBEDDINGS, body)
            case "/v1/moderations":
                complain(_MODERATIONS, body)
            case _:
                raise Rejected(f"Invalid URL {received.path}", 404)

    @override
    def say(self, asked: Asked) -> Said:
        return wit.answer(asked)

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        body = received.body
        match received.path:
            case "/v1/responses":
                return responses.whole(body, wit.answer(responses.asked(body)))
            case "/v1/responses/input_tokens":
                return {"object": "response.input_tokens", "input_tokens": 19}
            case "/v1/embeddings":
                return _embeddings(body, packed=not self._form_only and body.get("encoding_format") == "base64")
            case "/v1/moderations":
                return _moderations(body)
            case _:
                return super().whole(received)

    @override
    def stream(self, received: Received) -> list[bytes]:
        body = received.body
        if received.path == "/v1/responses":
            return responses.stream(body, wit.answer(responses.asked(body)))
        return super().stream(received)


def _without_cache_marks(body: dict[str, Any]) -> dict[str, Any]:
    """The body without the marks of another vendor at parts of messages.

    The types do not know them, but they are let pass: LangChain claims Anthropic's form of content for its client of
    OpenAI, and tests that claim at the vendor.
    """
    messages = []
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, list):
            parts = [{name: value for name, value in part.items() if name != "cache_control"} for part in content]
            messages.append(message | {"content": parts})
        else:
            messages.append(message)
    return body | {"messages": messages}


def _embeddings(body: dict[str, Any], *, packed: bool) -> dict[str, Any]:
    """Vectors, as numbers or packed.

    OpenAI's own client asks for them packed and, told to be strict, refuses them so: its tests were written against a
    server that sends numbers whatever is asked.
    """
    given = body["input"]
    inputs = given if isinstance(given, list) and not all(isinstance(one, int) for one in given) else [given]
    width = body.get("dimensions") or 8
    data = []
    for index, text in enumerate(inputs):
        vector = [((len(text) + at) % 17) / 17 for at in range(width)]
        embedding = b64encode(struct.pack(f"<{width}f", *vector)).decode() if packed else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _moderations(body: dict[str, Any]) -> dict[str, Any]:
    given = body["input"]
    number = len(given) if isinstance(given, list) and all(isinstance(one, str) for one in given) else 1
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.01),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    return {"id": "modr-upstream", "model": body.get("model") or "omni-moderation-latest", "results": [result] * number}
