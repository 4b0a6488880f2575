"""What the pages of two dialects call adapted is noted, row by row; and what is exact leaves no note."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.dialect import Dialect
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.message import (
    Citation,
    CompletionRequest,
    Document,
    Extra,
    Image,
    Message,
    Part,
    Reasoning,
    ReasoningOptions,
    Refusal,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

PAGES = Path(__file__).parents[3] / "docs/reference/dialects"
USER = Message(role="user", parts=(Text(text="Hello"),))
SCHEMA = {"type": "object", "properties": {}}
IMAGE = Image(url="https://images.example/a.png")


def asked(**fields: Any) -> CompletionRequest:
    every: dict[str, Any] = {"model": "m", "messages": (USER,), "max_output_tokens": 9} | fields
    return CompletionRequest(**every)


def said_by_user(*parts: Part) -> CompletionRequest:
    return asked(messages=(Message(role="user", parts=parts),))


def said_by_model(*parts: Part) -> CompletionRequest:
    return asked(messages=(USER, Message(role="assistant", parts=parts), USER))


def answered(*, identity: str = "call_1", **result: Any) -> CompletionRequest:
    call = ToolCall(id=identity, name="f", arguments="{}")
    every: dict[str, Any] = {"call_id": identity, "name": "f", "parts": (Text(text="4"),)} | result
    answer = ToolResult(**every)
    return asked(
        messages=(USER, Message(role="assistant", parts=(call,)), Message(role="tool", parts=(answer,))),
        tools=(Tool(name="f", parameters=SCHEMA),),
    )


def schema(**fields: Any) -> CompletionRequest:
    return asked(response_format=ResponseFormat(kind="json_schema", schema=SCHEMA, **fields))


FOREIGN = Citation(url="https://a.example", title="A", extra=Extra("elsewhere", {}))

TO_ANTHROPIC: dict[str, tuple[CompletionRequest, str]] = {
    "developer message": (
        asked(messages=(Message(role="developer", parts=(Text(text="Be brief."),)), USER)),
        "message.role",
    ),
    "image `detail`": (said_by_user(Image(url="https://a.example/a.png", detail="low")), "message.image.detail"),
    "turns of the model, system messages and texts that are empty": (said_by_model(), "message.text"),
    "`auto` or `none`, or no parallel calls, without tools": (
        asked(tool_choice=ToolChoice(mode="auto")),
        "tool_choice",
    ),
    "ids of calls with other characters than letters, digits, `_`, `-`": (
        answered(identity="functions.f:0"),
        "message.call.id",
    ),
    "reasoning without, or with another provider's proof": (
        said_by_model(Reasoning(text="Hm.", signature="s", minted_by="elsewhere"), Text(text="4")),
        "message.reasoning",
    ),
    "proofs of another provider on text and calls": (
        said_by_model(Text(text="4", signature="s", minted_by="gemini-generate")),
        "message.signature",
    ),
    "citations of another provider in the history": (
        said_by_model(Text(text="4", citations=(FOREIGN,))),
        "message.citations",
    ),
    "a refusal in the history": (said_by_model(Refusal(text="No.")), "message.refusal"),
    "no `max_output_tokens`": (asked(max_output_tokens=None), "max_output_tokens"),
    "reasoning effort `minimal`": (asked(reasoning=ReasoningOptions(effort="minimal")), "reasoning.effort"),
    "name of a JSON schema": (schema(name="place"), "response_format.name"),
    "description of a JSON schema": (schema(description="A place."), "response_format.description"),
    "JSON schema, not strict": (schema(strict=False), "response_format.strict"),
    "`metadata`": (asked(metadata={"ticket": "3"}), "metadata"),
    "`service_tier` `default`": (asked(service_tier="default"), "service_tier"),
}

TO_OPENAI: dict[str, tuple[CompletionRequest, str]] = {
    "reasoning that another provider made": (
        said_by_model(Reasoning(text="Hm.", signature="s", minted_by="anthropic-messages"), Text(text="4")),
        "message.reasoning",
    ),
    "proofs of another provider than Google on text and calls": (
        said_by_model(Text(text="4", signature="s", minted_by="elsewhere")),
        "message.signature",
    ),
    "citations of another provider in the history": TO_ANTHROPIC["citations of another provider in the history"],
    "reasoning budget": (asked(reasoning=ReasoningOptions(budget=2_000)), "reasoning.budget"),
    "reasoning shown or not": (asked(reasoning=ReasoningOptions(effort="low", show=False)), "reasoning.show"),
    "a result of a tool that failed": (answered(is_error=True), "message.result.is_error"),
    "images, sounds and documents in results of tools": (answered(parts=(IMAGE,)), "message.result"),
    "document of plain text": (said_by_user(Document(text="Once.", title="Tale")), "message.document.text"),
    "JSON schema without a name": (schema(), "response_format.name"),
    "context of a document": (
        said_by_user(Document(url="https://a.example/a.pdf", context="It is old.")),
        "message.document.context",
    ),
    "fields of another dialect that change no answer": (
        asked(extra=Extra("anthropic-messages", {"speed": "fast"})),
        "speed",
    ),
}

THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
CLAUDE_TOOL = {"name": "f", "input_schema": SCHEMA}
FROM_ANTHROPIC: dict[str, list[tuple[dict[str, Any], str]]] = {
    "`context_management`": [
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}}, "context_management")
    ],
    "`cache_control` at the request, `diagnostics`, `speed`, `billing_policy`, `user_profile_id`, other `metadata`": [
        ({"cache_control": {"type": "ephemeral"}}, "cache_control"),
        ({"diagnostics": {"previous_message_id": "m"}}, "diagnostics"),
        ({"speed": "fast"}, "speed"),
        ({"billing_policy": {"type": "billing_policy", "bill_to": "self"}}, "billing_policy"),
        ({"user_profile_id": "u"}, "user_profile_id"),
        ({"metadata": {"user_id": "u", "trace": "t"}}, "metadata"),
    ],
    "`output_config.task_budget`": [
        ({"output_config": {"task_budget": {"type": "tokens", "total": 9}}}, "output_config.task_budget")
    ],
    "`output_config.effort` at a message": [
        (
            {"messages": [{"role": "user", "content": "Hi", "output_config": {"effort": "low"}}]},
            "messages.output_config.effort",
        )
    ],
    "`input_examples`, `defer_loading`, `eager_input_streaming` of a tool": [
        ({"tools": [CLAUDE_TOOL | {name: value}]}, f"tools.{name}")
        for name, value in (("input_examples", [{}]), ("defer_loading", True), ("eager_input_streaming", True))
    ],
    "thinking with a signature of the provider's": [
        (
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": [THINKING, {"type": "text", "text": "4"}]},
                    {"role": "user", "content": "Why?"},
                ]
            },
            "message.reasoning",
        )
    ],
}


def adapted_rows(page: str, section: str) -> set[str]:
    """The first cells of the rows that a section of a page calls adapted."""
    text = (PAGES / f"{page}.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| (.+?) \| adapted \|", text, re.MULTILINE))


def notes(dialect: Dialect, request: CompletionRequest) -> str:
    adapted = Adapted()
    dialect.encode_request(request, model="m", adapted=adapted)
    return adapted.text


def test_there_is_a_request_for_every_row() -> None:
    assert adapted_rows("anthropic-messages", "Requests to an offer of this dialect") == set(TO_ANTHROPIC)
    assert adapted_rows("anthropic-messages", "Requests from a client of this dialect") == set(FROM_ANTHROPIC)
    assert adapted_rows("openai-chat", "What is adapted") == set(TO_OPENAI)


@pytest.mark.parametrize("row", TO_ANTHROPIC)
def test_what_is_adapted_towards_anthropic_is_noted(row: str) -> None:
    request, field = TO_ANTHROPIC[row]
    assert notes(ANTHROPIC_MESSAGES, request).startswith(f"{field}: ")


@pytest.mark.parametrize("row", TO_OPENAI)
def test_what_is_adapted_towards_openai_is_noted(row: str) -> None:
    request, field = TO_OPENAI[row]
    assert notes(OPENAI_CHAT, request).startswith(f"{field}: ")


@pytest.mark.parametrize(("fields", "field"), [case for cases in FROM_ANTHROPIC.values() for case in cases])
def test_what_anthropics_clients_ask_in_vain_is_noted(fields: dict[str, Any], field: str) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]} | fields
    request = ANTHROPIC_MESSAGES.decode_request(json.dumps(body).encode())
    assert notes(OPENAI_CHAT, request).startswith(f"{field}: left out")


@pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, OPENAI_CHAT], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "request_",
    [
        asked(temperature=0.5, stop=("x",), user="u", service_tier="auto"),
        answered(),
        said_by_user(Text(text="Look."), IMAGE, Document(data="AAAA", media_type="application/pdf", title="a.pdf")),
        asked(reasoning=ReasoningOptions(effort="high")),
    ],
)
def test_what_is_said_as_it_was_meant_leaves_no_note(dialect: Dialect, request_: CompletionRequest) -> None:
    assert notes(dialect, request_) == ""
