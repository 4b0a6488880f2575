"""Strict stand-ins for the vendors that play a script to an agent, and make embeddings.

What a request must be is checked by the stand-ins of the tests. Here is what they answer, every answer with ids of
its own, because agents put together what has the same one.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import msgspec
from openai.types.embedding_create_params import EmbeddingCreateParams
from tests.fakes import anthropic_server, gemini_server, openai_server
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.gemini_server import GeminiServer
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.stand_in import Received, Rejected, StandIn, complain, event, published
from typing_extensions import override

from conformance.npm.play import Play, Step, Told

SIGNATURE = "c2lnbmVkIGJ5IHRoZSB2ZW5kb3I="
_NUMBERS = count(1)
_EMBED = published(EmbeddingCreateParams)
_GEMINI_EMBED = re.compile(r"/v1beta/models/[^/:?]+:(embedContent|batchEmbedContents)\Z")
_GEMINI_PROOFS = {SIGNATURE, "skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}
"""Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>."""


def vector(text: str) -> list[float]:
    """Eight numbers of a text."""
    return [(sum(text.encode()) * prime % 97) / 97 for prime in (2, 3, 5, 7, 11, 13, 17, 19)]


def _cut(text: str) -> list[str]:
    """A text in pieces, as a stream brings it."""
    third = max(1, len(text) // 3)
    return [text[at : at + third] for at in range(0, len(text), third)]


# -------------------------------------------------------------------------------------------------------------- OpenAI


class PlayingOpenAI(OpenAIServer):
    """Chat completions that play a script, and embeddings."""

    play: Play | None = None

    @override
    def check(self, received: Received) -> None:
        if received.path == "/v1/embeddings":
            complain(_EMBED, received.body)
        else:
            super().check(received)

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        if received.path == "/v1/embeddings":
            return _openai_embeddings(received.body)
        return super().whole(received)

    @override
    def stream(self, received: Received) -> list[bytes]:
        if self.play is None:
            return super().stream(received)
        said = self.play.next(_told_openai(received.body))
        number = next(_NUMBERS)
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in _cut(said.text if isinstance(said, Step) else said)]
        if isinstance(said, Step):
            function = {"name": said.tool, "arguments": ""}
            deltas.append(
                {"tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]}
            )
            for piece in _cut(msgspec.json.encode(said.arguments).decode()):
                deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        base = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": received.body["model"],
        }
        chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        reason = "tool_calls" if isinstance(said, Step) else "stop"
        chunks.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if (received.body.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 19, "completion_tokens": 7, "total_tokens": 26}
            chunks.append(base | {"choices": [], "usage": usage})
        return [*map(event, chunks), b"data: [DONE]\n\n"]


def _openai_embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": at, "embedding": vector(text)} for at, text in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _told_openai(body: dict[str, Any]) -> Told:
    messages = body["messages"]
    return Told(
        tools=frozenset(tool["function"]["name"] for tool in body.get("tools") or () if tool["type"] == "function"),
        called=[call["function"]["name"] for one in messages for call in one.get("tool_calls") or ()],
        results=[_text(one["content"]) for one in messages if one["role"] == "tool"],
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)


# ----------------------------------------------------------------------------------------------------------- Anthropic


class PlayingAnthropic(AnthropicServer):
    """Messages that play a script. What was thought must come back as it was, where it comes back."""

    play: Play | None = None

    @override
    def check(self, received: Received) -> None:
        super().check(received)
        for message in received.body["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else ():
                if block["type"] == "thinking" and self.play is not None and block["signature"] != SIGNATURE:
                    raise Rejected("messages: Invalid `signature` in `thinking` block")

    @override
    def stream(self, received: Received) -> list[bytes]:
        if self.play is None:
            return super().stream(received)
        body = received.body
        said = self.play.next(_told_anthropic(body))
        number = next(_NUMBERS)
        blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        if isinstance(said, Step) and said.thought and body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
            deltas: list[dict[str, Any]] = [
                {"type": "thinking_delta", "thinking": piece} for piece in _cut(said.thought)
            ]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
            blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
        if text := said.text if isinstance(said, Step) else said:
            deltas = [{"type": "text_delta", "text": piece} for piece in _cut(text)]
            blocks.append(({"type": "text", "text": ""}, deltas))
        if isinstance(said, Step):
            opening = {"type": "tool_use", "id": f"toolu_{number}", "name": said.tool, "input": {}}
            pieces = ["", *_cut(msgspec.json.encode(said.arguments).decode())]
            blocks.append((opening, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]))
        usage = {"input_tokens": 11, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}
        message = {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage | {"output_tokens": 1},
        }
        events: list[dict[str, Any]] = [{"type": "message_start", "message": message}, {"type": "ping"}]
        for index, (opening, deltas) in enumerate(blocks):
            events.append({"type": "content_block_start", "index": index, "content_block": opening})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        reason = "tool_use" if isinstance(said, Step) else "end_turn"
        ending = {"stop_reason": reason, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}})
        events.append({"type": "message_stop"})
        return [event(one, one["type"]) for one in events]


def _told_anthropic(body: dict[str, Any]) -> Told:
    blocks = [
        block for message in body["messages"] if isinstance(message["content"], list) for block in message["content"]
    ]
    return Told(
        tools=frozenset(tool["name"] for tool in body.get("tools", ())),
        called=[block["name"] for block in blocks if block["type"] == "tool_use"],
        results=[_text(block.get("content", "")) for block in blocks if block["type"] == "tool_result"],
    )


# -------------------------------------------------------------------------------------------------------------- Gemini


class PlayingGemini(GeminiServer):
    """Content that plays a script, and embeddings. The first call of every turn must come back with its signature."""

    play: Play | None = None

    @override
    def check(self, received: Received) -> None:
        if _GEMINI_EMBED.match(received.path):
            return
        super().check(received)
        for content in received.body["contents"] if self.play is not None else ():
            calls = [part for part in content["parts"] if "functionCall" in part]
            if calls and calls[0].get("thoughtSignature") not in _GEMINI_PROOFS:
                raise Rejected("Function call is missing a thought_signature in functionCall parts.")

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        found = _GEMINI_EMBED.match(received.path)
        if found is None:
            return super().whole(received)
        requests = received.body["requests"] if found[1] == "batchEmbedContents" else [received.body]
        vectors = [{"values": vector("".join(part["text"] for part in one["content"]["parts"]))} for one in requests]
        return {"embeddings": vectors} if found[1] == "batchEmbedContents" else {"embedding": vectors[0]}

    @override
    def stream(self, received: Received) -> list[bytes]:
        if self.play is None:
            return super().stream(received)
        said = self.play.next(_told_gemini(received.body))
        number = next(_NUMBERS)
        parts: list[dict[str, Any]] = []
        config = received.body.get("generationConfig", {})
        if isinstance(said, Step) and said.thought and config.get("thinkingConfig", {}).get("includeThoughts"):
            parts.append({"text": said.thought, "thought": True})
        parts += [{"text": piece} for piece in _cut(said.text if isinstance(said, Step) else said)]
        if isinstance(said, Step):
            call = {"id": f"call{number}", "name": said.tool, "args": said.arguments}
            parts.append({"functionCall": call, "thoughtSignature": SIGNATURE})
        usage = {"promptTokenCount": 19, "candidatesTokenCount": 7, "totalTokenCount": 26}
        chunks = []
        for at, part in enumerate(parts, 1):
            candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
            if at == len(parts):
                candidate["finishReason"] = "STOP"
            chunks.append(
                {
                    "candidates": [candidate],
                    "usageMetadata": usage,
                    "modelVersion": "gemini-3.8-flash",
                    "responseId": f"resp{number}",
                }
            )
        return [event(chunk) for chunk in chunks]


def _told_gemini(body: dict[str, Any]) -> Told:
    parts = [part for content in body["contents"] for part in content["parts"]]
    return Told(
        tools=frozenset(one["name"] for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())),
        called=[part["functionCall"]["name"] for part in parts if "functionCall" in part],
        results=[
            msgspec.json.encode(part["functionResponse"]["response"]).decode()
            for part in parts
            if "functionResponse" in part
        ],
    )


# ------------------------------------------------------------------------------------------------------------- all

Playing = PlayingOpenAI | PlayingAnthropic | PlayingGemini

VENDORS: dict[str, tuple[type[Playing], str]] = {
    "openai": (PlayingOpenAI, openai_server.KEY),
    "anthropic": (PlayingAnthropic, anthropic_server.KEY),
    "gemini": (PlayingGemini, gemini_server.KEY),
}
"""The stand-ins, and the key that each takes."""


def address(vendor: str, stand_in: StandIn) -> str:
    """What the settings say the vendor's address is."""
    return stand_in.url + ("/v1" if vendor == "openai" else "")
