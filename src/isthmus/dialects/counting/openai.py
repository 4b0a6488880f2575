"""`openai-responses-count`: OpenAI's count of input tokens (https://platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.dialect import Fault, WholeForm
from isthmus.dialects.openai_responses import OPENAI_RESPONSES
from isthmus.domain.errors import IsthmusError, UpstreamMalformed
from isthmus.domain.message import CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage

_COUNTED = ("input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools")
"""Fields that are counted; the others of a response it refuses."""


class _Answer(msgspec.Struct):
    input_tokens: int


_answer = msgspec.json.Decoder(_Answer)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class OpenAIResponsesCount:
    """Fulfils `WholeForm` for the counting of tokens."""

    @property
    def name(self) -> str:
        return "openai-responses-count"

    @property
    def operation(self) -> Operation:
        return "count_tokens"

    def read_facts(self, body: bytes) -> RequestFacts:
        return replace(OPENAI_RESPONSES.read_facts(body), stream=False, operation="count_tokens")

    def decode_request(self, body: bytes) -> CompletionRequest:
        return OPENAI_RESPONSES.decode_request(body)

    def encode_answer(self, answer: TokenCount, request: CompletionRequest) -> bytes:  # noqa: ARG002
        return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": answer.tokens})

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return OPENAI_RESPONSES.encode_error(error, request_id)

    def request_path(self, model: str) -> str:  # noqa: ARG002 - here the model is in the body
        return "/responses/input_tokens"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return OPENAI_RESPONSES.request_headers()

    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return _counted(OPENAI_RESPONSES.encode_request(request, model=model, adapted=adapted))

    def decode_answer(self, body: bytes, request: CompletionRequest) -> TokenCount:  # noqa: ARG002
        try:
            return TokenCount(tokens=_answer.decode(body).input_tokens)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return OPENAI_RESPONSES.decode_fault(status, headers, body)

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        return _counted(OPENAI_RESPONSES.retarget(body, facts, model=model))

    def read_usage(self, body: bytes) -> Usage | None:
        """None always: to count costs nothing. Refuses what is no answer."""
        try:
            _answer.decode(body)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc
        return None


def _counted(body: bytes) -> bytes:
    fields = _fields.decode(body)
    return msgspec.json.encode({name: fields[name] for name in _COUNTED if name in fields})


OPENAI_RESPONSES_COUNT: WholeForm[CompletionRequest, TokenCount] = OpenAIResponsesCount()
