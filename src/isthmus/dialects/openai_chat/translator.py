"""`openai-chat`: both sides of OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Dialect, Fault, StreamDecoder, StreamEncoder, UsageWatch
from isthmus.dialects.openai_chat import completion, facts, faults, request, stream, usage, watch
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.passing import Passing
from isthmus.dialects.upstream_faults import decode_fault
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import Completion, CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import Usage


class OpenAIChat:
    """Fulfils `Dialect`; what each method must do is said there."""

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

    def stream_encoder(self, request_: CompletionRequest) -> StreamEncoder:
        return stream.Encoder(request_)

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.encode_error(error, request_id)

    def stream_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    # ---- to offers

    def request_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - here model and stream are in the body
        return "/chat/completions"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def encode_request(self, request_: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return request.encode(request_, model=model, adapted=adapted)

    def decode_completion(self, body: bytes) -> Completion:
        return completion.decode(body)

    def stream_decoder(self) -> StreamDecoder:
        return stream.Decoder()

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return decode_fault(status, headers, body)

    # ---- same dialect on both sides

    def retarget(self, body: bytes, facts_: RequestFacts, *, model: str) -> bytes:
        return facts.retarget(body, facts_, model=model)

    def read_usage(self, body: bytes) -> Usage | None:
        return usage.read_usage(body)

    def usage_watch(self, facts_: RequestFacts) -> UsageWatch:
        return Passing(watch.EventReader(single="choices" not in facts_.needs, strips=not facts_.stream_usage))


OPENAI_CHAT: Dialect = OpenAIChat()
