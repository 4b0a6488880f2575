"""From the events of a stream to the completion they tell of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.message import (
    Choice,
    Citation,
    Cited,
    Completion,
    Event,
    Extra,
    Finished,
    FinishReason,
    Part,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.domain.usage import Usage


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    signature: str | None
    minted_by: str | None
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    """What has come of one choice."""

    text: list[str] = field(default_factory=list)
    signature: str | None = None
    minted_by: str | None = None
    citations: list[Citation] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    reasoning_signature: str | None = None
    encrypted: str | None = None
    reasoning_minted_by: str | None = None
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    finish: FinishReason | None = None
    stop_sequence: str | None = None
    extra: Extra | None = None

    def parts(self) -> tuple[Part, ...]:
        """Thought first, then what was said, then the calls: the order in which models write them."""
        parts: list[Part] = []
        if self.reasoning or self.reasoning_signature or self.encrypted:
            parts.append(
                Reasoning(
                    text="".join(self.reasoning),
                    signature=self.reasoning_signature,
                    encrypted=self.encrypted,
                    minted_by=self.reasoning_minted_by,
                )
            )
        if self.text or self.signature:
            parts.append(
                Text(
                    text="".join(self.text),
                    signature=self.signature,
                    minted_by=self.minted_by,
                    citations=tuple(self.citations),
                )
            )
        if self.refusal:
            parts.append(Refusal(text="".join(self.refusal)))
        parts += (
            ToolCall(
                id=call.id,
                name=call.name,
                arguments="".join(call.arguments),
                signature=call.signature,
                minted_by=call.minted_by,
            )
            for _, call in sorted(self.calls.items())
        )
        return tuple(parts)


def gather(events: Iterable[Event]) -> Completion:
    """The completion that a whole stream tells of. Adjacent pieces become one part.

    Raises:
        UpstreamMalformed: the stream does not begin with `Started`, or goes on with a tool call that never began.
    """
    start: Started | None = None
    choices: dict[int, _Choice] = {}
    usage: Usage | None = None
    for event in events:
        match event:
            case Started():
                start = start or event
            case Used():
                usage = event.usage
            case _:
                _take(choices.setdefault(event.choice, _Choice()), event)
    if start is None:
        raise UpstreamMalformed("The stream has no beginning.")
    return Completion(
        id=start.id,
        model=start.model,
        created=start.created,
        choices=tuple(
            Choice(
                index=index,
                parts=choice.parts(),
                finish=choice.finish,
                stop_sequence=choice.stop_sequence,
                logprobs=tuple(choice.logprobs) or None,
                extra=choice.extra,
            )
            for index, choice in sorted(choices.items())
        ),
        usage=usage,
        extra=start.extra,
    )


def _take(choice: _Choice, event: Event) -> None:
    match event:
        case TextDelta():
            choice.text.append(event.text)
            if event.signature is not None:
                choice.signature, choice.minted_by = event.signature, event.minted_by
            choice.logprobs += event.logprobs or ()
        case ReasoningDelta():
            choice.reasoning.append(event.text)
            choice.reasoning_signature = event.signature or choice.reasoning_signature
            choice.encrypted = event.encrypted or choice.encrypted
            choice.reasoning_minted_by = event.minted_by or choice.reasoning_minted_by
        case Cited():
            choice.citations.append(event.citation)
        case RefusalDelta():
            choice.refusal.append(event.text)
        case ToolCallStarted():
            choice.calls[event.call] = _Call(event.id, event.name, event.signature, event.minted_by)
        case ToolCallDelta():
            if event.call not in choice.calls:
                raise UpstreamMalformed("The stream goes on with a tool call that never began.")
            choice.calls[event.call].arguments.append(event.arguments)
        case Finished():
            choice.finish, choice.stop_sequence, choice.extra = event.reason, event.stop_sequence, event.extra
        case _:
            raise AssertionError(event)
