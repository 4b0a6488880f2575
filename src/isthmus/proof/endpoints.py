"""The endpoints that a client can send content to. One line each; the rest of the proof learns no name of any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import msgspec

from isthmus.dialects.dialect import Dialect, Form, WholeForm
from isthmus.dialects.registry import form_of
from isthmus.domain.embedding import EmbeddingRequest
from isthmus.domain.message import CompletionRequest, Image, Message, Text, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address at which a form is asked in."""

    form_name: str
    prefix: str
    """What stands before the form's own path."""
    stream: bool = False
    metadata: str = "metadata"
    """The field of the body in which a client may declare labels."""

    @property
    def form(self) -> Form:
        return form_of(self.form_name)

    @property
    def title(self) -> str:
        return self.target("MODEL") + (", streamed" if self.stream else "")

    @property
    def takes_images(self) -> bool:
        """Whether an image of a request is sent as one; else as the text of its address."""
        return self.form.operation != "embed"

    def target(self, model: str) -> str:
        """The path that is asked."""
        if self.form.operation == "complete":
            return self.prefix + cast("Dialect", self.form).request_path(model, stream=self.stream)
        return self.prefix + cast("WholeForm[Any, Any]", self.form).request_path(model)

    def body(self, request: CompletionRequest) -> bytes:
        """What a completion would be asked for with, as a request of this endpoint."""
        match self.form.operation:
            case "complete":
                return cast("Dialect", self.form).encode_request(request, model=request.model)
            case "embed":
                inputs = tuple(text for text in _texts(request) if text)
                wanted = EmbeddingRequest(model=request.model, inputs=inputs)
                return cast("WholeForm[Any, Any]", self.form).encode_request(wanted, model=request.model)
            case "moderate":
                return msgspec.json.encode({"model": request.model, "input": _moderated(request)})
            case "count_tokens":
                return cast("WholeForm[Any, Any]", self.form).encode_request(request, model=request.model)


def _texts(request: CompletionRequest) -> list[str]:
    """All that a request says, in texts: tools and calls too."""
    said = [_said(tool.name, tool.description, msgspec.json.encode(tool.parameters).decode()) for tool in request.tools]
    return said + [text for message in request.messages for text in _of_message(message)]


def _of_message(message: Message) -> list[str]:
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text():
                texts.append(part.text)
            case ToolCall():
                texts.append(_said(part.name, part.arguments))
            case ToolResult():
                texts += [inner.text for inner in part.parts if isinstance(inner, Text)]
            case Image():
                texts.append(part.url or "")
            case _:
                pass
    return texts


def _said(*words: str | None) -> str:
    return " ".join(word for word in words if word)


def _moderated(request: CompletionRequest) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": text} for text in _texts(request)]
    images = [part for message in request.messages for part in message.parts if isinstance(part, Image)]
    return parts + [{"type": "image_url", "image_url": {"url": image.url}} for image in images]


ENDPOINTS = (
    Endpoint("openai-chat", "/v1"),
    Endpoint("openai-chat", "/v1", stream=True),
    Endpoint("openai-responses", "/v1"),
    Endpoint("openai-responses", "/v1", stream=True),
    Endpoint("anthropic-messages", ""),
    Endpoint("anthropic-messages", "", stream=True),
    Endpoint("gemini-generate", "", metadata="labels"),
    Endpoint("gemini-generate", "", stream=True, metadata="labels"),
    Endpoint("openai-responses-count", "/v1"),
    Endpoint("anthropic-count", ""),
    Endpoint("gemini-count", "", metadata="labels"),
    Endpoint("openai-embeddings", "/v1"),
    Endpoint("gemini-batch-embed", ""),
    Endpoint("openai-moderations", "/v1"),
)
