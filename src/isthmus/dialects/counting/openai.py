"""`openai-responses-count`: OpenAI's count of input tokens (https://platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.counting.form import CountForm
from isthmus.dialects.dialect import WholeForm
from isthmus.dialects.openai_responses import OPENAI_RESPONSES
from isthmus.domain.message import CompletionRequest
from isthmus.domain.request import RequestFacts
from isthmus.domain.token_count import TokenCount

_COUNTED = ("input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools")
"""Fields that are counted; the others of a response it refuses."""


class _Answer(msgspec.Struct):
    input_tokens: int


_answer = msgspec.json.Decoder(_Answer)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class OpenAIResponsesCount(CountForm):
    """Fulfils `WholeForm` for the counting of tokens."""

    def encode_answer(self, answer: TokenCount, request: CompletionRequest) -> bytes:  # noqa: ARG002
        return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": answer.tokens})

    def request_path(self, model: str) -> str:  # noqa: ARG002 - here the model is in the body
        return "/responses/input_tokens"

    @override
    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return _counted(super().encode_request(request, model=model, adapted=adapted))

    @override
    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        return _counted(super().retarget(body, facts, model=model))

    @override
    def _count(self, body: bytes) -> TokenCount:
        return TokenCount(tokens=_answer.decode(body).input_tokens)


def _counted(body: bytes) -> bytes:
    fields = _fields.decode(body)
    return msgspec.json.encode({name: fields[name] for name in _COUNTED if name in fields})


OPENAI_RESPONSES_COUNT: WholeForm[CompletionRequest, TokenCount] = OpenAIResponsesCount(
    "openai-responses-count", OPENAI_RESPONSES
)
