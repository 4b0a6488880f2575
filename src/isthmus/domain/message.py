"""The one form of a conversation, whatever dialect it came in or goes out by.

A dialect (`isthmus.dialects`) translates its wire format into these values and back. What a dialect knows and these
values do not is kept in `extra`, tagged with the dialect: it returns to the wire of the same dialect unchanged, and
an encoder of another dialect must either say it or refuse it (`Unsupported`), never drop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from isthmus.domain.usage import Usage

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of such."""

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Extra:
    """Fields of one dialect that have no place in these values."""

    dialect: str
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMark:
    """The caller asks that the prompt up to and including this part be cached."""

    ttl: str | None = None
    """As the dialect says it ("5m", "1h"); None: the provider's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where something that an answer says was found."""

    url: str | None = None
    """Address of the source; None: the source is no page but a part of the request, which `extra` names."""
    title: str | None = None
    quote: str | None = None
    """The words of the source."""
    start: int | None = None
    """First character of the answer's text that rests on the source; None: the dialect does not tell."""
    end: int | None = None
    """The character after the last."""
    extra: Extra | None = None
    """The citation as its dialect has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str
    cache: CacheMark | None = None
    signature: str | None = None
    """Opaque proof of the provider that must be returned with the part (Gemini `thoughtSignature`)."""
    minted_by: str | None = None
    """The dialect whose provider made `signature`; None: not known."""
    citations: tuple[Citation, ...] = ()
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by address or by value: exactly one of `url` and `data` is set."""

    url: str | None = None
    data: str | None = None
    """Base64, as on the wire."""
    media_type: str | None = None
    """Always set with `data`."""
    detail: Literal["auto", "low", "high"] | None = None
    cache: CacheMark | None = None
    extra: Extra | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.data is None):
            raise ValueError("an image has either a url or data")
        if self.data is not None and self.media_type is None:
            raise ValueError("image data needs its media type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Recorded sound by address or by value: exactly one of `url` and `data` is set."""

    url: str | None = None
    data: str | None = None
    """Base64, as on the wire."""
    media_type: str | None = None
    """Always set with `data`: `audio/wav`, `audio/mpeg`, …"""
    cache: CacheMark | None = None
    extra: Extra | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.data is None):
            raise ValueError("a sound has either a url or data")
        if self.data is not None and self.media_type is None:
            raise ValueError("the data of a sound needs its media type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document by address, by value, as text, or as a file kept by the provider: exactly one of the four is set."""

    url: str | None = None
    data: str | None = None
    """Base64, as on the wire."""
    text: str | None = None
    file_id: str | None = None
    """Known to one provider alone."""
    media_type: str | None = None
    """Always set with `data`: `application/pdf`, …"""
    title: str | None = None
    """Its name, as the model is told it: file name or title."""
    context: str | None = None
    """What the caller says about it, which is not to be cited."""
    citations: bool | None = None
    """Whether the answer is to cite it."""
    cache: CacheMark | None = None
    extra: Extra | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.url, self.data, self.text, self.file_id)) != 1:
            raise ValueError("a document has exactly one of url, data, text and file_id")
        if self.data is not None and self.media_type is None:
            raise ValueError("the data of a document needs its media type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a model thought before it answered."""

    text: str = ""
    signature: str | None = None
    """Opaque proof of the provider that wrote it; must return unchanged to that provider."""
    encrypted: str | None = None
    """Opaque content where the provider does not show the text."""
    minted_by: str | None = None
    """The dialect whose provider made `signature` and `encrypted`; None: not known."""
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model's request that a tool act."""

    id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    cache: CacheMark | None = None
    signature: str | None = None
    minted_by: str | None = None
    """The dialect whose provider made `signature`; None: not known."""
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answered, by the id of the call."""

    call_id: str
    name: str | None = None
    """Name of the tool, where the dialect carries it or it could be found in the conversation."""
    parts: tuple[Text | Image | Audio | Document, ...] = ()
    is_error: bool = False
    cache: CacheMark | None = None
    extra: Extra | None = None


Part: TypeAlias = Text | Image | Audio | Document | Reasoning | Refusal | ToolCall | ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool the model may call."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Json] | None = None
    """JSON Schema of the arguments; None: the tool takes none."""
    strict: bool | None = None
    cache: CacheMark | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None
    """Set with mode `named`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Mapping[str, Json] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningOptions:
    """How much the model should think. `effort` and `budget` are two ways to say it; dialects differ in which."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    budget: int | None = None
    """Tokens at most; 0: do not think; -1: the model decides."""
    show: bool | None = None
    """Whether the thoughts are to be part of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One request for a completion. None and empty mean: not said, the provider's default holds."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning: ReasoningOptions | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None
    service_tier: str | None = None
    stream: bool = False
    stream_usage: bool = False
    """Whether the client asked to see usage in the stream."""
    extra: Extra | None = None


FinishReason = Literal["stop", "stop_sequence", "length", "tool_calls", "content_filter", "refusal", "pause", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    token: str
    logprob: float
    """Natural logarithm."""
    bytes: tuple[int, ...] | None = None
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the answers to a request."""

    index: int = 0
    parts: tuple[Part, ...] = ()
    finish: FinishReason | None = None
    stop_sequence: str | None = None
    """The stop text that ended the answer, where the provider tells."""
    logprobs: tuple[TokenLogprob, ...] | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer of a model."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    created: int | None = None
    """Unix seconds; None where the dialect does not tell."""
    usage: Usage | None = None
    extra: Extra | None = None


# ---------------------------------------------------------------------------------------------- stream events


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """First event of every stream."""

    id: str
    model: str
    created: int | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] | None = None
    signature: str | None = None
    minted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    """A piece of thought; `signature` and `encrypted` come whole, with the piece that ends their block."""

    text: str = ""
    choice: int = 0
    signature: str | None = None
    encrypted: str | None = None
    minted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """The text of the choice so far rests, in part, on a source."""

    citation: Citation
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalDelta:
    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStarted:
    """`call` counts the calls of a choice from 0."""

    call: int
    id: str
    name: str
    choice: int = 0
    signature: str | None = None
    minted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """A piece of the JSON text of the arguments."""

    call: int
    arguments: str
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The choice is complete."""

    reason: FinishReason
    choice: int = 0
    stop_sequence: str | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Usage so far; the last one counts."""

    usage: Usage


Event: TypeAlias = (
    Started | TextDelta | Cited | ReasoningDelta | RefusalDelta | ToolCallStarted | ToolCallDelta | Finished | Used
)
