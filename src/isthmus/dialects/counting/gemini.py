"""`gemini-count`: Gemini's countTokens (https://ai.google.dev/api/tokens)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.dialect import Fault, WholeForm
from isthmus.dialects.gemini_generate import GEMINI_GENERATE
from isthmus.dialects.once import fields_once
from isthmus.domain.errors import InvalidRequest, IsthmusError, UpstreamMalformed
from isthmus.domain.message import CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage

_WHOLE = "generateContentRequest"


class _Answer(msgspec.Struct, rename="camel"):
    total_tokens: int
    cached_content_token_count: int | None = None


_answer = msgspec.json.Decoder(_Answer)


class GeminiCount:
    """Fulfils `WholeForm` for the counting of tokens."""

    @property
    def name(self) -> str:
        return "gemini-count"

    @property
    def operation(self) -> Operation:
        return "count_tokens"

    def read_facts(self, body: bytes) -> RequestFacts:
        return replace(GEMINI_GENERATE.read_facts(_inner(body)), operation="count_tokens")

    def decode_request(self, body: bytes) -> CompletionRequest:
        return GEMINI_GENERATE.decode_request(_inner(body))

    def encode_answer(self, answer: TokenCount, request: CompletionRequest) -> bytes:  # noqa: ARG002
        said = {"totalTokens": answer.tokens}
        if answer.cached is not None:
            said["cachedContentTokenCount"] = answer.cached
        return msgspec.json.encode(said)

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return GEMINI_GENERATE.encode_error(error, request_id)

    def request_path(self, model: str) -> str:
        return f"/v1beta/models/{quote(model.removeprefix('models/'), safe='')}:countTokens"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return GEMINI_GENERATE.request_headers()

    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        said = msgspec.json.decode(GEMINI_GENERATE.encode_request(request, model=model, adapted=adapted))
        return _whole(said, model)

    def decode_answer(self, body: bytes, request: CompletionRequest) -> TokenCount:  # noqa: ARG002
        answer = _decoded(body)
        return TokenCount(tokens=answer.total_tokens, cached=answer.cached_content_token_count)

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return GEMINI_GENERATE.decode_fault(status, headers, body)

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        """The body without labels of ours; where it holds a whole request, with the offer's model in that."""
        inner = GEMINI_GENERATE.retarget(_inner(body), facts, model=model)
        return _whole(msgspec.json.decode(inner), model) if _WHOLE in fields_once(body) else inner

    def read_usage(self, body: bytes) -> Usage | None:
        """None always: to count costs nothing. Refuses what is no answer."""
        _decoded(body)
        return None


def _inner(body: bytes) -> bytes:
    """The request for content whose tokens are to be counted: the body has it, or is it.

    Raises:
        InvalidRequest: the body is no object, or is it twice over.
    """
    try:
        fields = fields_once(body)
    except UNREADABLE as exc:  # pragma: no cover - `fields_once` has told of it
        raise invalid(exc) from exc
    if _WHOLE not in fields:
        return body
    if len(fields) > 1:
        raise InvalidRequest(f"contents and {_WHOLE} cannot both be said.", param=_WHOLE)
    inner = bytes(fields[_WHOLE])
    told = fields_once(inner, within=_WHOLE)
    told.pop("model", None)
    return msgspec.json.encode(told)


def _whole(said: dict[str, Any], model: str) -> bytes:
    return msgspec.json.encode({_WHOLE: {**said, "model": f"models/{model.removeprefix('models/')}"}})


def _decoded(body: bytes) -> _Answer:
    try:
        return _answer.decode(body)
    except UNREADABLE as exc:
        raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc


GEMINI_COUNT: WholeForm[CompletionRequest, TokenCount] = GeminiCount()
