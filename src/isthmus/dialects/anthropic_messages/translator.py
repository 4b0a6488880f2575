"""`anthropic-messages`: both sides of Anthropic's Messages API (https://docs.anthropic.com/en/api/messages).

Version 2023-06-01 of the API is spoken: the last that takes `temperature`, `top_p` and `top_k`, which callers of other
dialects use. Models that no longer do say so with an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import completion, facts, faults, request, stream, usage
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.dialect import Dialect, Fault, StreamDecoder, StreamEncoder, UsageWatch
from isthmus.dialects.passing import Passing
from isthmus.dialects.upstream_faults import decode_fault
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import Completion, CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import Usage

VERSION = b"2023-06-01"


class AnthropicMessages:
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

    def stream_encoder(self, request_: CompletionRequest) -> StreamEncoder:  # noqa: ARG002
        return stream.Encoder()

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.encode_error(error, request_id)

    def stream_error(self, error: IsthmusError, request_id: str) -> bytes:
        return faults.stream_error(error, request_id)

    # ---- to offers

    def request_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - here model and stream are in the body
        return "/v1/messages"

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ((b"anthropic-version", VERSION),)

    def encode_request(self, request_: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return request.encode(request_, model=model, adapted=adapted)

    def decode_completion(self, body: bytes) -> Completion:
        return completion.decode(body)

    def stream_decoder(self) -> StreamDecoder:
        return stream.Decoder()

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return decode_fault(status, headers, body)  # the general form is this dialect's too

    # ---- same dialect on both sides

    def retarget(self, body: bytes, facts_: RequestFacts, *, model: str) -> bytes:
        return facts.retarget(body, facts_, model=model)

    def read_usage(self, body: bytes) -> Usage | None:
        return usage.read_usage(body)

    def usage_watch(self, facts_: RequestFacts) -> UsageWatch:  # noqa: ARG002 - every stream tells usage
        return Passing(usage.EventReader())


ANTHROPIC_MESSAGES: Dialect = AnthropicMessages()
