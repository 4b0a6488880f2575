"""`anthropic-count`: Anthropic's count_tokens (https://docs.anthropic.com/en/api/messages-count-tokens)."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.counting.form import CountForm
from isthmus.dialects.dialect import WholeForm
from isthmus.domain.message import CompletionRequest
from isthmus.domain.token_count import TokenCount

_COUNTED = (
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "context_management",
    "mcp_servers",
)
"""Fields that count_tokens takes; the others of a message it refuses."""


class _Answer(msgspec.Struct):
    input_tokens: int


_answer = msgspec.json.Decoder(_Answer)


class AnthropicCount(CountForm):
    """Fulfils `WholeForm` for the counting of tokens."""

    @override
    def decode_request(self, body: bytes) -> CompletionRequest:
        # `max_tokens` is demanded of a message and has no meaning here.
        told = msgspec.json.decode(body)
        return super().decode_request(msgspec.json.encode({"max_tokens": 1, **told}))

    def encode_answer(self, answer: TokenCount, request: CompletionRequest) -> bytes:  # noqa: ARG002
        return msgspec.json.encode({"input_tokens": answer.tokens})

    def request_path(self, model: str) -> str:  # noqa: ARG002 - here the model is in the body
        return "/v1/messages/count_tokens"

    @override
    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        said = msgspec.json.decode(super().encode_request(request, model=model, adapted=adapted))
        return msgspec.json.encode({name: said[name] for name in _COUNTED if name in said})

    @override
    def _count(self, body: bytes) -> TokenCount:
        return TokenCount(tokens=_answer.decode(body).input_tokens)


ANTHROPIC_COUNT: WholeForm[CompletionRequest, TokenCount] = AnthropicCount("anthropic-count", ANTHROPIC_MESSAGES)
