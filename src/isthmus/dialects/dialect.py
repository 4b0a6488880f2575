"""What a dialect is: a pure translator between one wire format and the domain's values.

A dialect serves two sides. Towards clients it decodes requests and encodes completions, stream events and errors;
towards offers it encodes requests and decodes completions, stream events and errors. It does no I/O and keeps no
state but that of one stream.

Where client and offer speak the same dialect, nothing is translated: `retarget` edits the little of the body that
must change, and a `UsageWatch` reads what the ledger needs off the passing bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from isthmus.dialects.adapted import Adapted
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import Completion, CompletionRequest, Event
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Fault:
    """What an upstream's error answer says."""

    message: str
    """The upstream's own words, shortened to 500 characters; never an echo of the prompt where that can be told."""
    code: str | None
    retry_after: float | None
    """Seconds, from `retry-after` (seconds or HTTP date), `retry-after-ms` or the body; None: not told."""


class StreamDecoder(Protocol):
    """Turns the bytes of one upstream stream into events. Bytes may be cut anywhere."""

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes.

        Raises:
            ProviderError: the upstream sent an error event (UpstreamRefused) or bytes that are not of the dialect
                (UpstreamMalformed).
        """
        ...

    def close(self) -> list[Event]:
        """The upstream ended the body.

        Raises:
            StreamInterrupted: it ended before the dialect's own end of stream.
        """
        ...


class StreamEncoder(Protocol):
    """Turns the events of one completion into the bytes a client of this dialect expects."""

    def encode(self, event: Event) -> bytes:
        """Bytes for one event; may be empty."""
        ...

    def close(self) -> bytes:
        """Bytes that end the stream well."""
        ...

    def fail(self, error: IsthmusError, request_id: str) -> bytes:
        """Bytes that end the stream with an honest error in the client's dialect."""
        ...


class UsageWatch(Protocol):
    """Reads usage off a passing stream of this dialect, without rebuilding it."""

    def feed(self, data: bytes) -> bytes:
        """Look at a piece of the stream; returns what the client is to be sent of it.

        Those are its whole events; of one that is cut, the beginning waits for its end. Nothing but comments waits for
        the first event: until then the upstream has not begun to answer. Where the client did not ask for the usage
        event that `retarget` asked the offer for, that event is taken out.

        Raises:
            ProviderError: the upstream sent an error event. What came before it was returned by the call before.
        """
        ...

    def close(self) -> bytes:
        """What was held back at the end of the stream, if anything.

        Raises:
            ProviderError: the upstream sent an error event.
        """
        ...

    @property
    def usage(self) -> Usage | None: ...

    @property
    def complete(self) -> bool:
        """Whether the dialect's own end of stream has passed."""
        ...


class Form(Protocol):
    """How one sort of request and its answer look on the wire. An instance has no state and may be shared."""

    @property
    def name(self) -> str: ...

    @property
    def operation(self) -> Operation: ...

    def read_facts(self, body: bytes) -> RequestFacts:
        """The facts of a request, read without decoding all of it.

        Raises:
            InvalidRequest: not a request of this form; the message names the field.
        """
        ...

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        """The body of an error answer in this form. The status is `error.status`."""
        ...

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Headers every request of this form needs beside content-type and the key (`anthropic-version`, …)."""
        ...

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        """What an error answer says. Never raises: a body that is not of the form is told as such."""
        ...

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        """The body with the offer's model name in it, and usage asked for where it streams; else byte for byte."""
        ...

    def read_usage(self, body: bytes) -> Usage | None:
        """Usage of a whole answer; None where it tells none, or is not of the form.

        Raises:
            UpstreamRefused: it is an error, told with a status that says otherwise.
            UpstreamMalformed: it holds no answer.
        """
        ...


RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class WholeForm(Form, Protocol[RequestT, AnswerT]):
    """The form of an operation that always answers whole: embeddings, moderation, counting of tokens.

    It serves both sides, as a dialect does; the values of all forms of one operation are the same.
    """

    def decode_request(self, body: bytes) -> RequestT:
        """Decode all of a request.

        Raises:
            InvalidRequest, Unsupported: as `Dialect.decode_request`.
        """
        ...

    def encode_answer(self, answer: AnswerT, request: RequestT) -> bytes: ...

    def request_path(self, model: str) -> str:
        """Path below the offer's `base_url`."""
        ...

    def encode_request(self, request: RequestT, *, model: str, adapted: Adapted | None = None) -> bytes:
        """The body for an offer of this form.

        Raises:
            Unsupported: the request says something this form cannot; `param` names the field.
        """
        ...

    def decode_answer(self, body: bytes, request: RequestT) -> AnswerT:
        """Decode an answer.

        Raises:
            UpstreamMalformed: not an answer of this form, or not one to this request.
        """
        ...


class Dialect(Form, Protocol):
    """One wire format of completions."""

    # ---- from clients

    def decode_request(self, body: bytes) -> CompletionRequest:
        """Decode all of a request.

        Raises:
            InvalidRequest: as above.
            Unsupported: a part the domain cannot carry (audio, files, …).
        """
        ...

    def encode_completion(self, completion: Completion, request: CompletionRequest) -> bytes: ...

    def stream_encoder(self, request: CompletionRequest) -> StreamEncoder: ...

    def stream_error(self, error: IsthmusError, request_id: str) -> bytes:
        """An error event to end a passed-through stream of this dialect with."""
        ...

    # ---- to offers

    def request_path(self, model: str, *, stream: bool) -> str:
        """Path below the offer's `base_url`, with query where the dialect has one."""
        ...

    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        """The body for an offer of this dialect. With `request.stream`, usage is always asked for.

        What is said otherwise than it was meant is noted in `adapted`.

        Raises:
            Unsupported: the request says something this dialect cannot; `param` names the field.
        """
        ...

    def decode_completion(self, body: bytes) -> Completion:
        """Decode a whole answer.

        Raises:
            UpstreamMalformed: not an answer of this dialect.
        """
        ...

    def stream_decoder(self) -> StreamDecoder: ...

    # ---- same dialect on both sides

    def usage_watch(self, facts: RequestFacts) -> UsageWatch: ...


class Resumable(Protocol):
    """What a dialect knows whose clients may go on from an earlier answer by naming it."""

    def going_on(self, earlier_request: bytes, earlier_answer: bytes, body: bytes) -> bytes:
        """A request that says all that was said until then, and what it adds; it names no earlier answer any more.

        Raises:
            InvalidRequest: the body is not a request of the dialect.
        """
        ...

    def streamed_answer(self, stream: bytes) -> bytes | None:
        """The whole answer, out of the bytes of its stream; None: it has not ended well."""
        ...

    def input_items(self, request: bytes) -> bytes:
        """What was said to the model, as the list that clients of the dialect ask for."""
        ...
