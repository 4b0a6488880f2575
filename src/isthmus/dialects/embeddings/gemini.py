"""`gemini-embed` and `gemini-batch-embed`: Gemini's embedContent and batchEmbedContents.

Offers are asked by batchEmbedContents, which takes any number of texts. Source: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.dialect import Fault, WholeForm
from isthmus.dialects.embeddings.openai import MOST_INPUTS, only_texts
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.fields import Fields
from isthmus.dialects.gemini_generate.address import path_of, resource_name
from isthmus.dialects.gemini_generate.faults import decode_fault, encode_error
from isthmus.dialects.once import check_text, fields_once
from isthmus.domain.embedding import EmbeddingRequest, Embeddings, EmbeddingTask
from isthmus.domain.errors import InvalidRequest, IsthmusError, Unsupported, UpstreamMalformed
from isthmus.domain.message import Json
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import Usage

NAME = "gemini-embed"
BATCH_NAME = "gemini-batch-embed"

_TASKS: dict[str, EmbeddingTask] = {task.upper(): task for task in get_args(EmbeddingTask)}


class _Values(msgspec.Struct):
    values: list[float]


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: int = 0


class _Answer(msgspec.Struct, rename="camel"):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: _UsageMetadata | None = None


_answer = msgspec.json.Decoder(_Answer)
_Requests = list[dict[str, Json]]


class GeminiEmbed:
    """Fulfils `WholeForm` for embeddings, of one text or of several."""

    def __init__(self, *, batch: bool) -> None:
        self._batch = batch

    @property
    def name(self) -> str:
        return BATCH_NAME if self._batch else NAME

    @property
    def operation(self) -> Operation:
        return "embed"

    # ---- from clients

    def read_facts(self, body: bytes) -> RequestFacts:
        """The facts of a request's body; the path names the model."""
        self.decode_request(body)
        check_text(body)
        fields_once(body)
        return RequestFacts(model="", stream=False, input_tokens=len(body) // BYTES_PER_TOKEN, operation="embed")

    def decode_request(self, body: bytes) -> EmbeddingRequest:
        try:
            told = msgspec.json.decode(body)
        except UNREADABLE as exc:
            raise invalid(exc) from exc
        fields = Fields(told)
        if not self._batch:
            return _decoded([fields])
        requests = fields.items("requests")
        if fields.rest:  # among them may be a label that is meant for us
            field = next(iter(fields.rest))
            raise Unsupported(f"{field} is not known here.", param=field)
        if not requests:
            raise InvalidRequest("requests must be a list with at least one request.", param="requests")
        if len(requests) > MOST_INPUTS:
            raise InvalidRequest(f"{len(requests)} requests; {MOST_INPUTS} are the most.", param="requests")
        return _decoded([Fields(one, f"requests[{at}]") for at, one in enumerate(requests)])

    def encode_answer(self, answer: Embeddings, request: EmbeddingRequest) -> bytes:  # noqa: ARG002
        vectors = [{"values": vector} for vector in answer.vectors]
        said: dict[str, Json] = {"embeddings": vectors} if self._batch else {"embedding": vectors[0]}
        if answer.usage is not None:
            said["usageMetadata"] = {"promptTokenCount": answer.usage.input}
        return msgspec.json.encode(said)

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return encode_error(error, request_id)

    # ---- to offers

    def request_path(self, model: str) -> str:
        return path_of(model, "batchEmbedContents" if self._batch else "embedContent")

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def encode_request(self, request: EmbeddingRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        if request.user is not None and adapted is not None:
            adapted.note("user", "left out")
        shared: dict[str, Json] = {"model": resource_name(model)}
        if request.task is not None:
            shared["taskType"] = request.task.upper()
        if request.title is not None:
            shared["title"] = request.title
        if request.dimensions is not None:
            shared["outputDimensionality"] = request.dimensions
        requests = [
            {**shared, "content": {"parts": [{"text": text}]}} for text in only_texts(request.extra, request.inputs)
        ]
        if self._batch:
            return msgspec.json.encode({"requests": requests})
        if len(requests) != 1:
            raise Unsupported("embedContent takes one text.", param="input")
        return msgspec.json.encode(requests[0])

    def decode_answer(self, body: bytes, request: EmbeddingRequest) -> Embeddings:
        answer = _decode_answer(body)
        told = answer.embeddings if answer.embedding is None else [answer.embedding]
        if told is None or len(told) != len(request.inputs):
            raise UpstreamMalformed("The upstream's answer has not one embedding for each text.")
        vectors = tuple(tuple(one.values) for one in told)
        return Embeddings(model=request.model, vectors=vectors, usage=_usage(answer))

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return decode_fault(status, headers, body)

    # ---- the same form on both sides

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:  # noqa: ARG002
        """The body with the offer's model in every request: the client's name for it means nothing to the offer."""
        told = msgspec.json.decode(body)
        for one in told["requests"] if self._batch else [told]:
            one["model"] = resource_name(model)
        return msgspec.json.encode(told)

    def read_usage(self, body: bytes) -> Usage | None:
        answer = _decode_answer(body)
        if answer.embedding is None and answer.embeddings is None:
            raise UpstreamMalformed("The upstream's answer has no embeddings.")
        return _usage(answer)


def _decoded(requests: list[Fields]) -> EmbeddingRequest:
    """Requests that differ in nothing but their text are one request for several."""
    inputs: list[str] = []
    shared: set[tuple[EmbeddingTask | None, str | None, int | None]] = set()
    for fields in requests:
        inputs.append(_text(fields.required_inner("content")))
        fields.rest.pop("model", None)
        shared.add((_task(fields), fields.text("title"), fields.integer("outputDimensionality")))
        if fields.rest:
            field = fields.at(next(iter(fields.rest)))
            raise Unsupported(f"{field} is not known here.", param=field)
    if len(shared) != 1:
        raise Unsupported(
            "The requests differ in taskType, title or outputDimensionality.",
            hint="Send one for each.",
            param="requests",
        )
    task, title, dimensions = shared.pop()
    return EmbeddingRequest(model="", inputs=tuple(inputs), task=task, title=title, dimensions=dimensions)


def _task(fields: Fields) -> EmbeddingTask | None:
    told = fields.text("taskType")
    if told is None or told == "TASK_TYPE_UNSPECIFIED":
        return None
    if told not in _TASKS:
        raise fields.wrong("taskType", f"must be one of {', '.join(_TASKS)}")
    return _TASKS[told]


def _text(content: Fields) -> str:
    texts: list[str] = []
    for at, one in enumerate(content.items("parts") or ()):
        part = Fields(one, f"{content.at('parts')}[{at}]")
        texts.append(part.required_text("text"))
        if part.rest:
            raise Unsupported(f"{part.path} must be text alone.", param=part.path)
    text = "\n".join(texts)
    if not text:
        raise content.wrong("parts", "must be at least one text that is not empty")
    return text


def _decode_answer(body: bytes) -> _Answer:
    try:
        return _answer.decode(body)
    except UNREADABLE as exc:
        raise UpstreamMalformed("The upstream's answer holds no embeddings.") from exc


def _usage(answer: _Answer) -> Usage | None:
    return None if answer.usage_metadata is None else Usage(input=max(0, answer.usage_metadata.prompt_token_count))


GEMINI_EMBED: WholeForm[EmbeddingRequest, Embeddings] = GeminiEmbed(batch=False)
GEMINI_BATCH_EMBED: WholeForm[EmbeddingRequest, Embeddings] = GeminiEmbed(batch=True)
