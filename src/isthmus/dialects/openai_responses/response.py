"""The object `response`: what whole answers and the events of streamed ones have in common.

It tells the client what it asked for, how far the answer has come, and what came of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import merged
from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.openai_responses.request import SUMMARY, encode_reasoning, encode_text
from isthmus.dialects.openai_responses.tools import encode_choice, encode_tools
from isthmus.dialects.openai_responses.usage import from_domain
from isthmus.domain.message import CompletionRequest, Extra, FinishReason, Json, Text
from isthmus.domain.usage import Usage

Status = Literal["in_progress", "completed", "incomplete", "failed"]

_REASONS: Mapping[FinishReason, str] = {
    "length": "max_output_tokens",
    "pause": "max_output_tokens",  # the answer goes on when asked: it is not whole
    "content_filter": "content_filter",
    "refusal": "content_filter",  # the provider stopped the answer; a refusal in the model's own words is complete
}
"""Why an answer is incomplete; for every other reason it is complete."""

_FINISHES: Mapping[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Told:
    """What the objects of one answer all tell."""

    __slots__ = ("_asked", "created", "id", "model")

    def __init__(self, identity: str, model: str, created: int | None, request: CompletionRequest) -> None:
        self.id = identity
        self.model = model
        self.created = int(time.time()) if created is None else created
        self._asked = _asked(request)

    def response(
        self,
        status: Status,
        output: Sequence[Json] = (),
        *,
        finish: FinishReason | None = None,
        usage: Usage | None = None,
        error: Json = None,
    ) -> dict[str, Json]:
        reason = None if finish is None or status != "incomplete" else _REASONS.get(finish)
        said: dict[str, Json] = {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "completed_at": int(time.time()) if status == "completed" else None,
            "error": error,
            "incomplete_details": None if reason is None else {"reason": reason},
            "model": self.model,
            "output": list(output),
            "previous_response_id": None,
            "usage": None if usage is None else msgspec.to_builtins(from_domain(usage)),
        }
        return said | self._asked


def status_of(finish: FinishReason | None) -> Status:
    return "incomplete" if finish in _REASONS else "completed"


def finish_of(status: str, reason: str | None, *, calls: bool) -> FinishReason:
    """Why an answer ended.

    Args:
        status: of the answer: completed or incomplete.
        reason: why it is incomplete.
        calls: whether it holds calls of tools.
    """
    if status == "incomplete":
        return _FINISHES.get(reason or "", "other")
    return "tool_calls" if calls else "stop"


def unknown_finish(status: str, reason: str | None) -> dict[str, Json]:
    """The reason itself, to be kept among the extra fields where it is not one of ours."""
    return {"incomplete_details": {"reason": reason}} if status == "incomplete" and reason not in _FINISHES else {}


def completed(said: Mapping[str, Json], extra: Mapping[str, Json]) -> dict[str, Json]:
    """What is said, and the extra fields where nothing is: what an offer tells of itself fills in what is null."""
    return merged({name: value for name, value in said.items() if value is not None or name not in extra}, extra)


def carried(extra: Extra | None) -> dict[str, Json]:
    """Fields of an answer beyond the domain's; another dialect's under its name, which clients ignore."""
    if extra is None or not extra.fields:
        return {}
    return dict(extra.fields) if extra.dialect == NAME else {"extra_content": {extra.dialect: dict(extra.fields)}}


def _asked(request: CompletionRequest) -> dict[str, Json]:
    """What the client asked for. Null: it did not say, and what then holds is the provider's to know."""
    own = request.extra.fields if request.extra is not None and request.extra.dialect == NAME else {}
    unnoted = Adapted()
    reasoning = encode_reasoning(request.reasoning, own.get(SUMMARY), unnoted)
    text = encode_text(request.response_format, own.get("verbosity"), unnoted)
    choice = request.tool_choice
    parallel = request.parallel_tool_calls
    return {
        "instructions": _instructions(request),
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": own.get("max_tool_calls"),
        "metadata": dict(request.metadata or {}),
        "parallel_tool_calls": True if parallel is None else parallel,
        "prompt_cache_key": own.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": own.get("safety_identifier"),
        "service_tier": request.service_tier,
        "store": False,
        "temperature": request.temperature,
        "text": {"format": {"type": "text"}} | text,
        "tool_choice": "auto" if choice is None else encode_choice(choice, request.tools),
        "tools": encode_tools(request.tools, unnoted),
        "top_logprobs": request.top_logprobs or 0,
        "top_p": request.top_p,
        "truncation": own.get("truncation", "disabled"),
        "user": request.user,
    }


def _instructions(request: CompletionRequest) -> str | None:
    match request.messages:
        case (first, *_) if first.role == "system":
            return "".join(part.text for part in first.parts if isinstance(part, Text))
        case _:
            return None
