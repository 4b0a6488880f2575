"""`openai-moderations`: OpenAI's moderations (https://platform.openai.com/docs/api-reference/moderations).

The categories are the model's own, so an answer is never translated: it passes through, or the request is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.dialect import Fault, WholeForm
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.once import check_text, fields_once
from isthmus.dialects.openai_chat.faults import encode_error, refusal
from isthmus.dialects.own_metadata import read_own, readdressed
from isthmus.dialects.upstream_faults import decode_fault
from isthmus.domain.errors import InvalidRequest, IsthmusError, Unsupported, UpstreamMalformed
from isthmus.domain.message import Json
from isthmus.domain.offer import Need
from isthmus.domain.request import ANY_MODEL, Operation, RequestFacts
from isthmus.domain.usage import Usage

NAME = "openai-moderations"
_NULL = msgspec.Raw(b"null")


class _Part(msgspec.Struct):
    type: str


class _Body(msgspec.Struct):
    input: str | list[str | _Part]
    model: str | None = None
    metadata: msgspec.Raw = _NULL


class _Result(msgspec.Struct):
    flagged: bool


class _Answer(msgspec.Struct):
    results: list[_Result] | None = None
    error: Json = None


_body = msgspec.json.Decoder(_Body)
_answer = msgspec.json.Decoder(_Answer)
_IMAGES: frozenset[Need] = frozenset({"vision"})


class OpenAIModerations:
    """Fulfils `WholeForm` for moderation. The values of request and answer are the wire's own."""

    @property
    def name(self) -> str:
        return NAME

    @property
    def operation(self) -> Operation:
        return "moderate"

    def read_facts(self, body: bytes) -> RequestFacts:
        try:
            fields = _body.decode(body)
        except UNREADABLE as exc:
            raise invalid(exc) from exc
        check_text(body)
        fields_once(body)
        if not fields.input:
            raise InvalidRequest("input must be a text or a list with at least one item.", param="input")
        own = read_own(fields.metadata)
        has_images = any(isinstance(one, _Part) and one.type == "image_url" for one in fields.input)
        return RequestFacts(
            model=fields.model or ANY_MODEL,
            stream=False,
            needs=_IMAGES if has_images else frozenset(),
            input_tokens=len(body) // BYTES_PER_TOKEN,
            labels=own.labels,
            workload=own.workload,
            conversation=own.conversation,
            operation="moderate",
        )

    def decode_request(self, body: bytes) -> Any:
        return msgspec.json.decode(body)

    def encode_answer(self, answer: Any, request: Any) -> bytes:  # noqa: ARG002
        return msgspec.json.encode(answer)

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return encode_error(error, request_id)

    def request_path(self, model: str) -> str:  # noqa: ARG002 - here the model is in the body
        return "/moderations"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def encode_request(self, request: Any, *, model: str, adapted: Adapted | None = None) -> bytes:  # noqa: ARG002
        raise Unsupported("A request for moderation is not translated.")

    def decode_answer(self, body: bytes, request: Any) -> Any:  # noqa: ARG002
        return msgspec.json.decode(body)

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return decode_fault(status, headers, body)

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:  # noqa: ARG002
        return readdressed(fields_once(body), model)

    def read_usage(self, body: bytes) -> Usage | None:
        """None always: moderation is not billed by the token. Refuses what is no answer."""
        try:
            told = _answer.decode(body)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no moderation.") from exc
        if not told.results:
            if told.error:
                raise refusal({"error": told.error})
            raise UpstreamMalformed("The upstream's answer has no results.")
        return None


OPENAI_MODERATIONS: WholeForm[Any, Any] = OpenAIModerations()
