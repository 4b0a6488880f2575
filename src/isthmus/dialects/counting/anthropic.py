"""`anthropic-count`: Anthropic's count_tokens (https://docs.anthropic.com/en/api/messages-count-tokens)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.dialect import Fault, WholeForm
from isthmus.domain.errors import IsthmusError, UpstreamMalformed
from isthmus.domain.message import CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage

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


class AnthropicCount:
    """Fulfils `WholeForm` for the counting of tokens."""

    @property
    def name(self) -> str:
        return "anthropic-count"

    @property
    def operation(self) -> Operation:
        return "count_tokens"

    def read_facts(self, body: bytes) -> RequestFacts:
        return replace(ANTHROPIC_MESSAGES.read_facts(body), stream=False, operation="count_tokens")

    def decode_request(self, body: bytes) -> CompletionRequest:
        # `max_tokens` is demanded of a message and has no meaning here.
        told = msgspec.json.decode(body)
        return ANTHROPIC_MESSAGES.decode_request(msgspec.json.encode({"max_tokens": 1, **told}))

    def encode_answer(self, answer: TokenCount, request: CompletionRequest) -> bytes:  # noqa: ARG002
        return msgspec.json.encode({"input_tokens": answer.tokens})

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return ANTHROPIC_MESSAGES.encode_error(error, request_id)

    def request_path(self, model: str) -> str:  # noqa: ARG002 - here the model is in the body
        return "/v1/messages/count_tokens"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ANTHROPIC_MESSAGES.request_headers()

    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        said = msgspec.json.decode(ANTHROPIC_MESSAGES.encode_request(request, model=model, adapted=adapted))
        return msgspec.json.encode({name: said[name] for name in _COUNTED if name in said})

    def decode_answer(self, body: bytes, request: CompletionRequest) -> TokenCount:  # noqa: ARG002
        try:
            return TokenCount(tokens=_answer.decode(body).input_tokens)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return ANTHROPIC_MESSAGES.decode_fault(status, headers, body)

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        return ANTHROPIC_MESSAGES.retarget(body, facts, model=model)

    def read_usage(self, body: bytes) -> Usage | None:
        """None always: to count costs nothing. Refuses what is no answer."""
        try:
            _answer.decode(body)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc
        return None


ANTHROPIC_COUNT: WholeForm[CompletionRequest, TokenCount] = AnthropicCount()
