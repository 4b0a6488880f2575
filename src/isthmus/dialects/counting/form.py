"""What the forms of counting have in common: a dialect's request for a completion, and a number in answer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.dialect import Dialect, Fault
from isthmus.domain.errors import IsthmusError, UpstreamMalformed
from isthmus.domain.message import CompletionRequest
from isthmus.domain.request import Operation, RequestFacts
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage


class CountForm:
    """Fulfils `WholeForm` for the counting of tokens, but for `encode_answer`, `request_path` and what a body wraps.

    Args:
        name: of the form.
        dialect: whose requests are counted.
    """

    def __init__(self, name: str, dialect: Dialect) -> None:
        self._name = name
        self._dialect = dialect

    @property
    def name(self) -> str:
        return self._name

    @property
    def operation(self) -> Operation:
        return "count_tokens"

    def read_facts(self, body: bytes) -> RequestFacts:
        return replace(self._dialect.read_facts(body), stream=False, operation="count_tokens")

    def decode_request(self, body: bytes) -> CompletionRequest:
        return self._dialect.decode_request(body)

    def encode_error(self, error: IsthmusError, request_id: str) -> bytes:
        return self._dialect.encode_error(error, request_id)

    def request_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return self._dialect.request_headers()

    def encode_request(self, request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
        return self._dialect.encode_request(request, model=model, adapted=adapted)

    def decode_answer(self, body: bytes, request: CompletionRequest) -> TokenCount:  # noqa: ARG002
        try:
            return self._count(body)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc

    def decode_fault(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
        return self._dialect.decode_fault(status, headers, body)

    def retarget(self, body: bytes, facts: RequestFacts, *, model: str) -> bytes:
        return self._dialect.retarget(body, facts, model=model)

    def read_usage(self, body: bytes) -> Usage | None:
        """None always: to count costs nothing. Refuses what is no answer."""
        try:
            self._count(body)
        except UNREADABLE as exc:
            raise UpstreamMalformed("The upstream's answer is no number of tokens.") from exc
        return None

    def _count(self, body: bytes) -> TokenCount:
        """The number in an answer; raises one of `UNREADABLE` where it holds none."""
        raise NotImplementedError
