"""The endpoints that a client can send content to. One line each; the rest of the proof learns no name of any."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.dialects.dialect import Dialect
from isthmus.dialects.registry import dialect_of
from isthmus.domain.message import CompletionRequest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address at which a dialect is spoken."""

    dialect_name: str
    prefix: str
    """What stands before the dialect's own path."""
    stream: bool

    @property
    def dialect(self) -> Dialect:
        return dialect_of(self.dialect_name)

    @property
    def title(self) -> str:
        return self.target("MODEL") + (", streamed" if self.stream else "")

    def target(self, model: str) -> str:
        """The path that is asked."""
        return self.prefix + self.dialect.request_path(model, stream=self.stream)

    def body(self, request: CompletionRequest) -> bytes:
        return self.dialect.encode_request(request, model=request.model)


ENDPOINTS = (
    Endpoint("openai-chat", "/v1", stream=False),
    Endpoint("openai-chat", "/v1", stream=True),
)
