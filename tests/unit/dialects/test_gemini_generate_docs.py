"""The page of the dialect says exact, adapted or refused, and so does the encoder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.gemini_generate import GEMINI_GENERATE as DIALECT
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import (
    Audio,
    CacheMark,
    Citation,
    CompletionRequest,
    Document,
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

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "dialects" / "gemini-generate.md"
_ROW = re.compile(r"^\| ([^|]+) \| (exact|adapted|refused) \|", re.MULTILINE)
SAID = dict(_ROW.findall(PAGE.read_text()))

USER = Message(role="user", parts=(Text(text="hi"),))
F, G = Tool(name="f", parameters={"type": "object"}), Tool(name="g", strict=True)
SIGNED = ToolCall(id="a", name="f", arguments="{}", signature="c2ln", minted_by="gemini-generate")


def says(*parts: Part, role: Any = "user", **more: Any) -> dict[str, Any]:
    before = (USER, Message(role="assistant", parts=(SIGNED,))) if role == "tool" else (USER,)
    return {"messages": (*before, Message(role=role, parts=parts, **more))}


def result(*parts: Any, **more: Any) -> dict[str, Any]:
    return says(ToolResult(call_id="a", parts=parts, **more), role="tool")


PICTURE = Image(data="AA==", media_type="image/png", detail="low")
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "system message at the head": [{"messages": (Message(role="system", parts=(Text(text="s"),)), USER)}],
    "developer message": [{"messages": (Message(role="developer", parts=(Text(text="s"),)), USER)}],
    "system message later on": [says(Text(text="s"), role="system")],
    "text": [says(Text(text="x"))],
    "image by value, by address": [says(PICTURE), says(Image(url="https://a.test/x.png"))],
    "image detail": [says(PICTURE)],
    "audio by value, by address": [
        says(Audio(data="AA==", media_type="audio/wav")),
        says(Audio(url="https://a.test/a.mp3")),
    ],
    "document by value, by address, as text": [
        says(Document(data="AA==", media_type="application/pdf")),
        says(Document(url="https://a.test/a.pdf")),
        says(Document(text="x")),
    ],
    "document title": [says(Document(text="x", title="t"))],
    "document context": [says(Document(text="x", context="c"))],
    "document that is to be cited": [says(Document(text="x", citations=True))],
    "file kept by another provider": [says(Document(file_id="file-1"))],
    "cache marks": [
        says(Text(text="x", cache=CacheMark())),
        says(Document(text="x", cache=CacheMark())),
        {"tools": (Tool(name="f", cache=CacheMark()),)},
        result(Text(text="x"), cache=CacheMark()),
    ],
    "citations in the history": [says(Text(text="x", citations=(Citation(url="u"),)), role="assistant")],
    "a name on a message": [says(Text(text="x"), name="ann")],
    "turns that say nothing": [says(role="assistant"), says(Text(text=""), role="assistant")],
    "tool definitions": [{"tools": (F,)}],
    "strict tools": [{"tools": (G,)}],
    "strict tools among others": [{"tools": (F, G)}],
    "tool choice": [
        {"tools": (F,), "tool_choice": ToolChoice(mode=mode, name="f" if mode == "named" else None)}
        for mode in ("auto", "none", "required", "named")
    ],
    "no parallel calls": [{"tools": (F, Tool(name="h")), "parallel_tool_calls": False}],
    "no parallel calls of one tool": [{"tools": (F,), "parallel_tool_calls": False}],
    "tool calls": [says(SIGNED, role="assistant")],
    "tool calls without a signature": [says(ToolCall(id="a", name="f", arguments=""), role="assistant")],
    "signatures of Gemini": [says(Text(text="x", signature="c2ln", minted_by="gemini-generate"), role="assistant")],
    "signatures of another provider": [says(Text(text="x", signature="s", minted_by="other"), role="assistant")],
    "results of tools, failures": [result(Text(text="x")), result(Text(text="x"), is_error=True)],
    "media in results": [result(Text(text="x"), PICTURE, Audio(data="AA==", media_type="audio/wav"))],
    "media before a text in results": [result(PICTURE, Text(text="x"))],
    "reasoning in the history": [says(Reasoning(text="t"), Text(text="x"), role="assistant")],
    "encrypted reasoning of another provider": [says(Reasoning(encrypted="AA", minted_by="other"), role="assistant")],
    "a refusal in the history": [says(Refusal(text="no"), role="assistant")],
    "limit and sampling": [
        {"max_output_tokens": 1, "temperature": 0.1, "top_p": 0.1, "top_k": 1, "stop": ("x",), "seed": 1},
        {"presence_penalty": 0.1, "frequency_penalty": 0.1, "n": 2, "logprobs": True, "top_logprobs": 1},
    ],
    "logit bias": [{"logit_bias": {"1": 1.0}}],
    "metadata": [{"metadata": {"a": "b"}}],
    "user": [{"user": "u"}],
    "reasoning effort": [{"reasoning": ReasoningOptions(effort=effort)} for effort in ("none", "minimal", "xhigh")],
    "reasoning effort `max`": [{"reasoning": ReasoningOptions(effort="max")}],
    "reasoning effort to Gemini 2.5": [{"model": "gemini-2.5-pro", "reasoning": ReasoningOptions(effort="high")}],
    "reasoning budget, shown or not": [{"reasoning": ReasoningOptions(budget=9, show=show)} for show in (True, False)],
    "effort and budget at once": [
        {"model": model, "reasoning": ReasoningOptions(effort="low", budget=9)} for model in ("m", "gemini-2.5-pro")
    ],
    "JSON schema, JSON object, text": [
        {"response_format": ResponseFormat(kind="json_schema", schema={"type": "object"}, strict=True)},
        {"response_format": ResponseFormat(kind="json_object")},
        {"response_format": ResponseFormat(kind="text")},
    ],
    "name of a JSON schema": [{"response_format": ResponseFormat(kind="json_schema", name="n", schema={})}],
    "description of a JSON schema": [
        {"response_format": ResponseFormat(kind="json_schema", description="d", schema={})}
    ],
    "JSON schema that is not strict": [
        {"response_format": ResponseFormat(kind="json_schema", strict=False, schema={})}
    ],
    "service tier": [{"service_tier": tier} for tier in ("auto", "default", "flex")],
}


def verdict(fields: dict[str, Any]) -> str:
    request = CompletionRequest(**({"model": "m", "messages": (USER,)} | fields))
    adapted = Adapted()
    try:
        DIALECT.encode_request(request, model=request.model, adapted=adapted)
    except Unsupported as exc:
        return "refused" if exc.param else "refused without a word of what"
    return "adapted" if adapted else "exact"


@pytest.mark.parametrize("feature", SAMPLES)
def test_the_encoder_does_what_the_page_says(feature: str) -> None:
    assert [verdict(sample) for sample in SAMPLES[feature]] == [SAID[feature]] * len(SAMPLES[feature])


def test_every_row_of_the_page_is_tried() -> None:
    assert SAID.keys() == SAMPLES.keys()
