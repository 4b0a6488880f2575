"""`gemini-generate`: both sides of Gemini's generateContent (https://ai.google.dev/api/generate-content)."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.dialects.dialect import Dialect, Fault, StreamDecoder, StreamEncoder, UsageWatch
from isthmus.dialects.gemini_generate import address, completion, facts, faults, request, stream, usage
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.once import fields_once
from isthmus.dialects.passing import Passing
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import Completion, CompletionRequest
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage


class GeminiGenerate:
    """Fulfils `Dialect`; what each method must do is said there.

    The body of a request names no model and does not tell whether it streams: `address.read_path` does, and the edge
    that serves this dialect puts both into the facts and the request.
    """

    @property
    def name(self) -> str:
        return NAME

    # ---- from clients

    def read_facts(self, body: bytes) -> RequestFacts:
        return facts.read_facts(body)

    def decode_request(self, body: bytes) -> CompletionRequest:
        return request.decode(body)

    def encode_completion(self, completion_: Completion, request_: CompletionRequest) -> bytes:  # noqa: ARG002
        return completion.encode(completion_)

    def stream_encoder(self, request_: CompletionRequest) -> StreamEncoder:  # noqa: ARG002
        return stream.Encoder()

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.encode_error(error, request_id)

    def stream_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    # ---- to offers

    def request_path(self, model: str, *, stream: bool) -> str:
        return address.request_path(model, stream=stream)

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def encode_request(self, request_: CompletionRequest, *, model: str) -> bytes:  # noqa: ARG002 - it is in the path
        return request.encode(request_)

    def decode_completion(self, body: bytes) -> Completion:
        return completion.decode(body)

    def stream_decoder(self) -> StreamDecoder:
        return stream.Decoder()

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return faults.decode_fault(status, headers, body)

    # ---- same dialect on both sides

    def retarget(self, body: bytes, facts_: RequestFacts, *, model: str) -> bytes:  # noqa: ARG002 - nothing has to change
        fields_once(body)
        return body

    def read_usage(self, body: bytes) -> Usage | None:
        return usage.read_usage(body)

    def usage_watch(self, facts_: RequestFacts) -> UsageWatch:  # noqa: ARG002 - every stream tells usage
        return Passing(usage.EventReader())


GEMINI_GENERATE: Dialect = GeminiGenerate()
