"""`openai-embeddings`: both sides of OpenAI's embeddings (https://platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.dialect import Fault, WholeForm
from isthmus.dialects.embeddings.vectors import from_base64, to_base64
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.fields import Fields
from isthmus.dialects.once import check_text, fields_once
from isthmus.dialects.openai_chat.faults import encode_error, refusal
from isthmus.dialects.openai_chat.usage import WireUsage
from isthmus.dialects.own_metadata import read_own, readdressed
from isthmus.dialects.upstream_faults import decode_fault
from isthmus.domain.embedding import EmbeddingRequest, Embeddings
from isthmus.domain.errors import InvalidRequest, IsthmusError, Unsupported, UpstreamMalformed
from isthmus.domain.message import Extra, Json
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import Usage

NAME = "openai-embeddings"
MOST_INPUTS = 2048
"""Of one request: https://platform.openai.com/docs/api-reference/embeddings/create"""

_NULL = msgspec.Raw(b"null")


class _Body(msgspec.Struct):
    model: str
    input: str | list[str | int | list[int]]
    """A list is of one sort: texts, or the numbers of one text, or lists of numbers."""
    metadata: msgspec.Raw = _NULL


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int


class _Answer(msgspec.Struct):
    data: list[_Vector] | None = None
    model: str = ""
    usage: WireUsage | None = None
    error: Json = None


class _Told(msgspec.Struct):
    """What of an answer is read that passes through."""

    data: msgspec.Raw = _NULL
    usage: WireUsage | None = None
    error: Json = None


_body = msgspec.json.Decoder(_Body)
_answer = msgspec.json.Decoder(_Answer)
_told = msgspec.json.Decoder(_Told)


class OpenAIEmbeddings:
    """Fulfils `WholeForm` for embeddings."""

    @property
    def name(self) -> str:
        return NAME

    @property
    def operation(self) -> Operation:
        return "embed"

    # ---- from clients

    def read_facts(self, body: bytes) -> RequestFacts:
        try:
            fields = _body.decode(body)
        except UNREADABLE as exc:
            raise invalid(exc) from exc
        check_text(body)
        fields_once(body)
        if not fields.model:
            raise InvalidRequest("model must name a workload or an offer.", param="model")
        if not fields.input or any(one in ("", []) for one in fields.input):
            raise InvalidRequest("input must be a text or a list of texts, none of them empty.", param="input")
        own = read_own(fields.metadata)
        inputs = len(_inputs(fields.input))
        if inputs > MOST_INPUTS:
            raise InvalidRequest(f"input has {inputs} texts; {MOST_INPUTS} are the most.", param="input")
        return RequestFacts(
            model=fields.model,
            stream=False,
            input_tokens=len(body) // BYTES_PER_TOKEN,
            messages=0,
            labels=own.labels,
            workload=own.workload,
            conversation=own.conversation,
            operation="embed",
        )

    def decode_request(self, body: bytes) -> EmbeddingRequest:
        try:
            given = _body.decode(body).input
            fields = Fields(msgspec.json.decode(body))
        except UNREADABLE as exc:
            raise invalid(exc) from exc
        fields.rest.pop("input")
        fields.rest.pop("metadata", None)
        encoding = fields.text("encoding_format")
        if encoding not in {None, "float", "base64"}:
            raise fields.wrong("encoding_format", "must be float or base64")
        return EmbeddingRequest(
            model=fields.required_text("model"),
            inputs=_inputs(given),
            dimensions=fields.integer("dimensions"),
            base64=encoding == "base64",
            user=fields.text("user"),
            extra=fields.unknown(NAME),
        )

    def encode_answer(self, answer: Embeddings, request: EmbeddingRequest) -> bytes:
        usage = answer.usage or Usage()
        return msgspec.json.encode(
            {
                "object": "list",
                "data": [
                    {
                        "object": "embedding",
                        "index": index,
                        "embedding": to_base64(vector) if request.base64 else vector,
                    }
                    for index, vector in enumerate(answer.vectors)
                ],
                "model": answer.model,
                "usage": {"prompt_tokens": usage.input, "total_tokens": usage.input},
            }
        )

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return encode_error(error, request_id)

    # ---- to offers

    def request_path(self, model: str) -> str:  # noqa: ARG002 - here the model is in the body
        return "/embeddings"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def encode_request(self, request: EmbeddingRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        if request.extra is not None and request.extra.dialect != NAME:
            field = next(iter(request.extra.fields))
            raise Unsupported(f"{field} cannot be said in the dialect {NAME}.", param=field)
        if adapted is not None:
            if request.task is not None:
                adapted.note("task", "left out, models of this dialect know one task")
            if request.title is not None:
                adapted.note("title", "left out")
        said: dict[str, Json] = {} if request.extra is None else dict(request.extra.fields)
        said |= {"model": model, "input": list(request.inputs), "encoding_format": "float"}
        if request.dimensions is not None:
            said["dimensions"] = request.dimensions
        if request.user is not None:
            said["user"] = request.user
        return msgspec.json.encode(said)

    def decode_answer(self, body: bytes, request: EmbeddingRequest) -> Embeddings:
        try:
            answer = _answer.decode(body)
            told = sorted(answer.data or (), key=lambda vector: vector.index)
            vectors = tuple(
                from_base64(one.embedding) if isinstance(one.embedding, str) else tuple(one.embedding) for one in told
            )
        except (*UNREADABLE, ValueError) as exc:
            raise UpstreamMalformed("The upstream's answer is no list of embeddings.") from exc
        if [one.index for one in told] != list(range(len(request.inputs))):
            raise UpstreamMalformed("The upstream's answer has not one embedding for each text.")
        usage = None if answer.usage is None else answer.usage.to_domain()
        return Embeddings(model=answer.model, vectors=vectors, usage=usage)

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return decode_fault(status, headers, body)

    # ---- the same form on both sides

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:  # noqa: ARG002
        return readdressed(fields_once(body), model)

    def read_usage(self, body: bytes) -> Usage | None:
        try:
            told = _told.decode(body)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no list of embeddings.") from exc
        if told.data == _NULL:
            if told.error:
                raise refusal({"error": told.error})
            raise UpstreamMalformed("The upstream's answer has no embeddings.")
        return None if told.usage is None else told.usage.to_domain()


def _inputs(given: str | list[str | int | list[int]]) -> tuple[str | tuple[int, ...], ...]:
    """The inputs, each a text or the numbers of its tokens.

    Raises:
        InvalidRequest: the list is of several sorts.
    """
    if isinstance(given, str):
        return (given,)
    numbers = tuple(one for one in given if isinstance(one, int))
    inputs = tuple(one if isinstance(one, str) else tuple(one) for one in given if not isinstance(one, int))
    if len({type(one) for one in given}) > 1:
        raise InvalidRequest("input must be texts or numbers of tokens, not both.", param="input")
    return (numbers,) if numbers else inputs


def only_texts(extra: Extra | None, inputs: Sequence[str | tuple[int, ...]]) -> tuple[str, ...]:
    """The inputs, for offers whose tokens are others than those the client counted in.

    Raises:
        Unsupported: there are numbers of tokens among them, or a field that only OpenAI's form has.
    """
    if extra is not None and extra.dialect == NAME:
        field = next(iter(extra.fields))
        raise Unsupported(f"{field} cannot be said to an offer of another dialect.", param=field)
    texts = tuple(one for one in inputs if isinstance(one, str))
    if len(texts) != len(inputs):
        raise Unsupported("Numbers of tokens mean something to one tokenizer alone; send text.", param="input")
    return texts


OPENAI_EMBEDDINGS: WholeForm[EmbeddingRequest, Embeddings] = OpenAIEmbeddings()
