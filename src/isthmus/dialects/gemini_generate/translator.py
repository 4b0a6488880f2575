"""`gemini-generate`: both sides of Gemini's generateContent (https://ai.google.dev/api/generate-content)."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Dialect, Fault, StreamDecoder, StreamEncoder, UsageWatch
from isthmus.dialects.gemini_generate import address, completion, facts, faults, request, stream, usage
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.passing import Passing
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import Completion, CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import Usage


class GeminiGenerate:
    """Fulfils `Dialect`; what each method must do is said there.

    The body of a request names no model and does not tell whether it streams: `address.read_path` does, and the edge
    that serves this dialect puts both into the facts and the request.

    Args:
        array: whether clients are sent streams as one JSON array, as Google does where `alt=sse` is not said. Offers
            are asked for events always.
    """

    def __init__(self, *, array: bool = False) -> None:
        self._array = array

    @property
    def name(self) -> str:
        return NAME

    @property
    def operation(self) -> Operation:
        return "complete"

    # ---- from clients

    def read_facts(self, body: bytes) -> RequestFacts:
        return facts.read_facts(body)

    def decode_request(self, body: bytes) -> CompletionRequest:
        return request.decode(body)

    def encode_completion(self, completion_: Completion, request_: CompletionRequest) -> bytes:  # noqa: ARG002
        return completion.encode(completion_)

    def stream_encoder(self, request_: CompletionRequest) -> StreamEncoder:  # noqa: ARG002
        return stream.Encoder(stream.Array() if self._array else stream.Events())

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.encode_error(error, request_id)

    def stream_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id, array=self._array)

    # ---- to offers

    def request_path(self, model: str, *, stream: bool) -> str:
        return address.request_path(model, stream=stream)

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def encode_request(self, request_: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return request.encode(request_, model, Adapted() if adapted is None else adapted)

    def decode_completion(self, body: bytes) -> Completion:
        return completion.decode(body)

    def stream_decoder(self) -> StreamDecoder:
        return stream.Decoder()

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return faults.decode_fault(status, headers, body)

    # ---- same dialect on both sides

    def retarget(self, body: bytes, facts_: RequestFacts, *, model: str) -> bytes:
        return facts.retarget(body, facts_, model=model)

    def read_usage(self, body: bytes) -> Usage | None:
        return usage.read_usage(body)

    def usage_watch(self, facts_: RequestFacts) -> UsageWatch:  # noqa: ARG002 - every stream tells usage
        watch = Passing(usage.EventReader())
        return stream.ArrayPassing(watch) if self._array else watch


GEMINI_GENERATE: Dialect = GeminiGenerate()
GEMINI_GENERATE_ARRAY: Dialect = GeminiGenerate(array=True)
"""The same towards clients that are to be sent streams as one JSON array."""
