"""`gemini-count`: Gemini's countTokens (https://ai.google.dev/api/tokens)."""

from __future__ import annotations

from typing import Any

import msgspec
from typing_extensions import override

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.counting.form import CountForm
from isthmus.dialects.dialect import WholeForm
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.gemini_generate.address import path_of, resource_name
from isthmus.dialects.once import fields_once
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import CompletionRequest
from isthmus.domain.request import RequestFacts
from isthmus.domain.token_count import TokenCount

_WHOLE = "generateContentRequest"


class _Answer(msgspec.Struct, rename="camel"):
    total_tokens: int
    cached_content_token_count: int | None = None


_answer = msgspec.json.Decoder(_Answer)


class GeminiCount(CountForm):
    """Fulfils `WholeForm` for the counting of tokens."""

    @override
    def read_facts(self, body: bytes) -> RequestFacts:
        return super().read_facts(_inner(body))

    @override
    def decode_request(self, body: bytes) -> CompletionRequest:
        return super().decode_request(_inner(body))

    def encode_answer(self, answer: TokenCount, request: CompletionRequest) -> bytes:  # noqa: ARG002
        said = {"totalTokens": answer.tokens}
        if answer.cached is not None:
            said["cachedContentTokenCount"] = answer.cached
        return msgspec.json.encode(said)

    def request_path(self, model: str) -> str:
        return path_of(model, "countTokens")

    @override
    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return _whole(msgspec.json.decode(super().encode_request(request, model=model, adapted=adapted)), model)

    @override
    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        """The body without labels of ours; where it holds a whole request, with the offer's model in that."""
        inner = super().retarget(_inner(body), facts, model=model)
        return _whole(msgspec.json.decode(inner), model) if _WHOLE in fields_once(body) else inner

    @override
    def _count(self, body: bytes) -> TokenCount:
        answer = _answer.decode(body)
        return TokenCount(tokens=answer.total_tokens, cached=answer.cached_content_token_count)


def _inner(body: bytes) -> bytes:
    """The request for content whose tokens are to be counted: the body has it, or is it.

    Raises:
        InvalidRequest: the body is no object, or is it twice over.
    """
    fields = fields_once(body)
    if _WHOLE not in fields:
        return body
    if len(fields) > 1:
        raise InvalidRequest(f"contents and {_WHOLE} cannot both be said.", param=_WHOLE)
    told = fields_once(bytes(fields[_WHOLE]), within=_WHOLE)
    told.pop("model", None)
    return msgspec.json.encode(told)


def _whole(said: dict[str, Any], model: str) -> bytes:
    return msgspec.json.encode({_WHOLE: {**said, "model": resource_name(model)}})


GEMINI_COUNT: WholeForm[CompletionRequest, TokenCount] = GeminiCount("gemini-count", GEMINI_GENERATE)
