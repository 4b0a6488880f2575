"""What becomes of every feature between every two dialects, found out by translating one sample of each.

    python -m tests.unit.dialects.matrix > docs/reference/translation.md

A request's feature is exact where its meaning arrives whole and no note is taken, adapted where a note is taken,
refused where the encoder refuses. A difference without a note is none of these, and an error here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.unit.dialects.meaning import differences, notes_of, of_completion, of_request, received

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.registry import NAMES, dialect_of
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Choice,
    Citation,
    Completion,
    CompletionRequest,
    FinishReason,
    Part,
    Reasoning,
    Refusal,
    Text,
    TokenLogprob,
    ToolCall,
)
from isthmus.domain.usage import Usage

Body = dict[str, Any]

CHAT, RESPONSES, ANTHROPIC, GEMINI = "openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"
PNG, PDF, WAV = "iVBORw0KGgo=", "JVBERi0xLjQ=", "UklGRiQAAAA="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

# ---------------------------------------------------------------------------------------- what each client writes


def chat(*messages: Body, **fields: Any) -> Body:
    return {"model": "m", "messages": list(messages) or [{"role": "user", "content": "hi"}]} | fields


def chat_part(part: Body) -> Body:
    return chat({"role": "user", "content": [{"type": "text", "text": "look"}, part]})


def responses(*items: Body, **fields: Any) -> Body:
    return {"model": "m", "input": list(items) or "hi"} | fields


def responses_part(part: Body) -> Body:
    return responses({"role": "user", "content": [{"type": "input_text", "text": "look"}, part]})


def anthropic(*messages: Body, **fields: Any) -> Body:
    said = list(messages) or [{"role": "user", "content": "hi"}]
    return {"model": "m", "max_tokens": 4_096, "messages": said} | fields


def anthropic_part(part: Body) -> Body:
    return anthropic({"role": "user", "content": [part, {"type": "text", "text": "look"}]})


def gemini(*contents: Body, **fields: Any) -> Body:
    return {"contents": list(contents) or [{"role": "user", "parts": [{"text": "hi"}]}]} | fields


def gemini_part(part: Body) -> Body:
    return gemini({"role": "user", "parts": [{"text": "look"}, part]})


def config(**fields: Any) -> Body:
    return gemini(generationConfig=fields)


CHAT_TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}
RESPONSES_TOOL = {"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA, "strict": False}
ANTHROPIC_TOOL = {"name": "weather", "description": "d", "input_schema": SCHEMA}
ANTHROPIC_CALL = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Ulm"}}
GEMINI_TOOL = {"functionDeclarations": [{"name": "weather", "description": "d", "parametersJsonSchema": SCHEMA}]}
GEMINI_CALL = {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Ulm"}}}
MARK = {"type": "ephemeral"}


def chat_tools(choice: Any = None, **fields: Any) -> Body:
    said = chat(tools=[CHAT_TOOL], **fields)
    return said if choice is None else said | {"tool_choice": choice}


def responses_tools(choice: Any = None, **fields: Any) -> Body:
    said = responses(tools=[RESPONSES_TOOL], **fields)
    return said if choice is None else said | {"tool_choice": choice}


def anthropic_tools(choice: Any = None) -> Body:
    said = anthropic(tools=[ANTHROPIC_TOOL])
    return said if choice is None else said | {"tool_choice": choice}


def gemini_tools(**calling: Any) -> Body:
    said = gemini(tools=[GEMINI_TOOL])
    return said | {"toolConfig": {"functionCallingConfig": calling}} if calling else said


USER = {"role": "user", "content": "hi"}
GEMINI_USER = {"role": "user", "parts": [{"text": "hi"}]}


def chat_result(content: Any) -> Body:
    called = {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}
    return chat(USER, called, {"role": "tool", "tool_call_id": "call_1", "content": content}, tools=[CHAT_TOOL])


def responses_result(output: Any) -> Body:
    call = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Ulm"}'}
    told = {"type": "function_call_output", "call_id": "call_1", "output": output}
    return responses(USER, call, told, tools=[RESPONSES_TOOL])


def anthropic_result(**fields: Any) -> Body:
    result = {"type": "tool_result", "tool_use_id": "call_1"} | fields
    called = {"role": "assistant", "content": [ANTHROPIC_CALL]}
    return anthropic(USER, called, {"role": "user", "content": [result]}, tools=[ANTHROPIC_TOOL])


def gemini_result(response: Body, **fields: Any) -> Body:
    result = {"functionResponse": {"id": "call_1", "name": "weather", "response": response} | fields}
    called = {"role": "model", "parts": [GEMINI_CALL | {"thoughtSignature": "c2ln"}]}
    return gemini(GEMINI_USER, called, {"role": "user", "parts": [result]}, tools=[GEMINI_TOOL])


def data_url(kind: str, data: str) -> str:
    return f"data:{kind};base64,{data}"


# ----------------------------------------------------------------------------------------- features of requests

REQUESTS: Mapping[str, Mapping[str, Body]] = {
    "text": {CHAT: chat(), RESPONSES: responses(), ANTHROPIC: anthropic(), GEMINI: gemini()},
    "system prompt": {
        CHAT: chat({"role": "system", "content": "s"}, USER),
        RESPONSES: responses({"role": "system", "content": "s"}, USER),
        ANTHROPIC: anthropic(system="s"),
        GEMINI: gemini(systemInstruction={"parts": [{"text": "s"}]}),
    },
    "instructions beside the conversation": {RESPONSES: responses(instructions="s")},
    "developer message": {
        CHAT: chat({"role": "developer", "content": "s"}, USER),
        RESPONSES: responses({"role": "developer", "content": "s"}, USER),
    },
    "system message within the conversation": {
        CHAT: chat(USER, {"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}, USER),
        RESPONSES: responses(USER, {"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}, USER),
    },
    "name of who speaks": {CHAT: chat(USER | {"name": "ann"})},
    "image by value": {
        CHAT: chat_part({"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}}),
        RESPONSES: responses_part({"type": "input_image", "image_url": data_url("image/png", PNG)}),
        ANTHROPIC: anthropic_part(
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
        ),
        GEMINI: gemini_part({"inlineData": {"mimeType": "image/png", "data": PNG}}),
    },
    "image by address": {
        CHAT: chat_part({"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}),
        RESPONSES: responses_part({"type": "input_image", "image_url": "https://a.test/x.png"}),
        ANTHROPIC: anthropic_part({"type": "image", "source": {"type": "url", "url": "https://a.test/x.png"}}),
        GEMINI: gemini_part({"fileData": {"fileUri": "https://a.test/x.png", "mimeType": "image/png"}}),
    },
    "image, how closely": {
        CHAT: chat_part({"type": "image_url", "image_url": {"url": "https://a.test/x.png", "detail": "low"}}),
        RESPONSES: responses_part({"type": "input_image", "image_url": "https://a.test/x.png", "detail": "low"}),
        GEMINI: gemini_part(
            {
                "fileData": {"fileUri": "https://a.test/x.png", "mimeType": "image/png"},
                "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
            }
        ),
    },
    "audio by value": {
        CHAT: chat_part({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
        GEMINI: gemini_part({"inlineData": {"mimeType": "audio/wav", "data": WAV}}),
    },
    "audio by address": {
        GEMINI: gemini_part({"fileData": {"fileUri": "https://a.test/a.wav", "mimeType": "audio/wav"}})
    },
    "PDF by value": {
        CHAT: chat_part({"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", PDF)}}),
        RESPONSES: responses_part(
            {"type": "input_file", "filename": "a.pdf", "file_data": data_url("application/pdf", PDF)}
        ),
        ANTHROPIC: anthropic_part(
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
        ),
        GEMINI: gemini_part({"inlineData": {"mimeType": "application/pdf", "data": PDF}}),
    },
    "PDF by address": {
        RESPONSES: responses_part({"type": "input_file", "file_url": "https://a.test/a.pdf"}),
        ANTHROPIC: anthropic_part({"type": "document", "source": {"type": "url", "url": "https://a.test/a.pdf"}}),
        GEMINI: gemini_part({"fileData": {"fileUri": "https://a.test/a.pdf", "mimeType": "application/pdf"}}),
    },
    "document as text": {
        ANTHROPIC: anthropic_part(
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
        ),
        GEMINI: gemini_part({"inlineData": {"mimeType": "text/plain", "data": "d29yZHM="}}),
    },
    "document with title and context": {
        ANTHROPIC: anthropic_part(
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                "title": "t",
                "context": "c",
            }
        ),
    },
    "document to be cited": {
        ANTHROPIC: anthropic_part(
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                "citations": {"enabled": True},
            }
        ),
    },
    "file kept by the provider": {
        CHAT: chat_part({"type": "file", "file": {"file_id": "file-1"}}),
        RESPONSES: responses_part({"type": "input_file", "file_id": "file-1"}),
        ANTHROPIC: anthropic_part({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        GEMINI: gemini_part({"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}}),
    },
    "tools": {CHAT: chat_tools(), RESPONSES: responses_tools(), ANTHROPIC: anthropic_tools(), GEMINI: gemini_tools()},
    "strict tools": {
        CHAT: chat(tools=[{"type": "function", "function": CHAT_TOOL["function"] | {"strict": True}}]),  # type: ignore[operator]
        RESPONSES: responses(tools=[RESPONSES_TOOL | {"strict": True}]),
        ANTHROPIC: anthropic(tools=[ANTHROPIC_TOOL | {"strict": True}]),
        GEMINI: gemini_tools(mode="VALIDATED"),
    },
    "some tool must be called": {
        CHAT: chat_tools("required"),
        RESPONSES: responses_tools("required"),
        ANTHROPIC: anthropic_tools({"type": "any"}),
        GEMINI: gemini_tools(mode="ANY"),
    },
    "one tool must be called": {
        CHAT: chat_tools({"type": "function", "function": {"name": "weather"}}),
        RESPONSES: responses_tools({"type": "function", "name": "weather"}),
        ANTHROPIC: anthropic_tools({"type": "tool", "name": "weather"}),
        GEMINI: gemini_tools(mode="ANY", allowedFunctionNames=["weather"]),
    },
    "no tool may be called": {
        CHAT: chat_tools("none"),
        RESPONSES: responses_tools("none"),
        ANTHROPIC: anthropic_tools({"type": "none"}),
        GEMINI: gemini_tools(mode="NONE"),
    },
    "no parallel calls": {
        CHAT: chat_tools(parallel_tool_calls=False),
        RESPONSES: responses_tools(parallel_tool_calls=False),
        ANTHROPIC: anthropic_tools({"type": "auto", "disable_parallel_tool_use": True}),
    },
    "the provider's own tools": {
        CHAT: chat(web_search_options={"search_context_size": "low"}),
        RESPONSES: responses(tools=[{"type": "web_search"}]),
        ANTHROPIC: anthropic(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        GEMINI: gemini(tools=[{"googleSearch": {}}]),
    },
    "tool call and result": {
        CHAT: chat_result("sunny"),
        RESPONSES: responses_result("sunny"),
        ANTHROPIC: anthropic_result(content="sunny"),
        GEMINI: gemini_result({"output": "sunny"}),
    },
    "failed tool": {ANTHROPIC: anthropic_result(content="no", is_error=True), GEMINI: gemini_result({"error": "no"})},
    "image in a tool's result": {
        RESPONSES: responses_result([{"type": "input_image", "image_url": data_url("image/png", PNG)}]),
        ANTHROPIC: anthropic_result(
            content=[{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]
        ),
        GEMINI: gemini_result({}, parts=[{"inlineData": {"mimeType": "image/png", "data": PNG}}]),
    },
    "refusal in the history": {
        CHAT: chat(USER, {"role": "assistant", "content": None, "refusal": "no"}, USER),
        RESPONSES: responses(
            USER,
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "no"}],
            },
            USER,
        ),
    },
    "thoughts in the history": {
        CHAT: chat(USER, {"role": "assistant", "content": "a", "reasoning_content": "t"}, USER),
        RESPONSES: responses(
            USER,
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "t"}],
                "encrypted_content": "AAEC",
            },
            {"role": "assistant", "content": "a"},
            USER,
        ),
        ANTHROPIC: anthropic(
            USER,
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "t", "signature": "c2ln"}, {"type": "text", "text": "a"}],
            },
            USER,
        ),
        GEMINI: gemini(
            GEMINI_USER,
            {"role": "model", "parts": [{"text": "t", "thought": True, "thoughtSignature": "c2ln"}, {"text": "a"}]},
            GEMINI_USER,
        ),
    },
    "signature of a call": {GEMINI: gemini_result({"output": "sunny"})},
    "prompt cache marks": {
        CHAT: chat({"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": MARK}]}),
        ANTHROPIC: anthropic({"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": MARK}]}),
    },
    "JSON by a schema": {
        CHAT: chat(
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
        ),
        RESPONSES: responses(text={"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}),
        ANTHROPIC: anthropic(output_config={"format": {"type": "json_schema", "schema": SCHEMA}}),
        GEMINI: config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    },
    "any JSON": {
        CHAT: chat(response_format={"type": "json_object"}),
        RESPONSES: responses(text={"format": {"type": "json_object"}}),
        GEMINI: config(responseMimeType="application/json"),
    },
    "reasoning effort": {
        CHAT: chat(reasoning_effort="low"),
        RESPONSES: responses(reasoning={"effort": "low"}),
        ANTHROPIC: anthropic(output_config={"effort": "low"}),
        GEMINI: config(thinkingConfig={"thinkingLevel": "LOW"}),
    },
    "reasoning budget": {
        ANTHROPIC: anthropic(thinking={"type": "enabled", "budget_tokens": 2_048}),
        GEMINI: config(thinkingConfig={"thinkingBudget": 2_048}),
    },
    "no reasoning": {
        CHAT: chat(reasoning_effort="none"),
        RESPONSES: responses(reasoning={"effort": "none"}),
        ANTHROPIC: anthropic(thinking={"type": "disabled"}),
        GEMINI: config(thinkingConfig={"thinkingBudget": 0}),
    },
    "thoughts to be shown": {
        RESPONSES: responses(reasoning={"effort": "low", "summary": "auto"}),
        GEMINI: config(thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": True}),
    },
    "limit of the answer": {
        CHAT: chat(max_completion_tokens=9),
        RESPONSES: responses(max_output_tokens=9),
        ANTHROPIC: anthropic(max_tokens=9),
        GEMINI: config(maxOutputTokens=9),
    },
    "temperature, top_p": {
        CHAT: chat(temperature=0.5, top_p=0.9),
        RESPONSES: responses(temperature=0.5, top_p=0.9),
        ANTHROPIC: anthropic(temperature=0.5, top_p=0.9),
        GEMINI: config(temperature=0.5, topP=0.9),
    },
    "temperature above 1": {
        CHAT: chat(temperature=1.5),
        RESPONSES: responses(temperature=1.5),
        GEMINI: config(temperature=1.5),
    },
    "top_k": {CHAT: chat(top_k=5), ANTHROPIC: anthropic(top_k=5), GEMINI: config(topK=5)},
    "stop texts": {
        CHAT: chat(stop=["x"]),
        ANTHROPIC: anthropic(stop_sequences=["x"]),
        GEMINI: config(stopSequences=["x"]),
    },
    "seed": {CHAT: chat(seed=7), GEMINI: config(seed=7)},
    "penalties": {
        CHAT: chat(presence_penalty=0.5, frequency_penalty=0.5),
        GEMINI: config(presencePenalty=0.5, frequencyPenalty=0.5),
    },
    "logit bias": {CHAT: chat(logit_bias={"1": 2})},
    "several answers": {CHAT: chat(n=2), GEMINI: config(candidateCount=2)},
    "log probabilities": {
        CHAT: chat(logprobs=True, top_logprobs=2),
        RESPONSES: responses(include=["message.output_text.logprobs"], top_logprobs=2),
        GEMINI: config(responseLogprobs=True, logprobs=2),
    },
    "user": {CHAT: chat(user="u"), RESPONSES: responses(user="u"), ANTHROPIC: anthropic(metadata={"user_id": "u"})},
    "metadata": {
        CHAT: chat(metadata={"a": "b"}),
        RESPONSES: responses(metadata={"a": "b"}),
        GEMINI: gemini(labels={"a": "b"}),
    },
    "service tier": {
        CHAT: chat(service_tier="default"),
        RESPONSES: responses(service_tier="default"),
        ANTHROPIC: anthropic(service_tier="standard_only"),
        GEMINI: gemini(serviceTier="standard"),
    },
    "safety settings that take filters away": {
        GEMINI: gemini(safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}])
    },
    "safety settings that block": {
        GEMINI: gemini(safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}])
    },
    "content cached beforehand": {GEMINI: gemini(cachedContent="cachedContents/x")},
    "sound or images as the answer": {
        CHAT: chat(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
        RESPONSES: responses(tools=[{"type": "image_generation"}]),
        GEMINI: config(responseModalities=["IMAGE"]),
    },
    "an answer to go on from": {RESPONSES: responses(conversation="conv_1")},
    "work in the background": {RESPONSES: responses(background=True)},
    "verbosity": {CHAT: chat(verbosity="low"), RESPONSES: responses(text={"verbosity": "low"})},
    "a field nobody knows": {
        CHAT: chat(x_unknown=1),
        RESPONSES: responses(x_unknown=1),
        ANTHROPIC: anthropic(x_unknown=1),
        GEMINI: gemini(xUnknown=1),
    },
}

# ------------------------------------------------------------------------------------------- features of answers


def answer(*parts: Part, finish: FinishReason = "stop", **fields: Any) -> Completion:
    choice = Choice(parts=parts or (Text(text="yes"),), finish=finish, **fields)
    return Completion(id="resp_1", model="m", created=1, choices=(choice,), usage=Usage(input=30, output=20))


def used(**parts: int) -> Completion:
    told = answer()
    return Completion(id=told.id, model="m", created=1, choices=told.choices, usage=Usage(input=30, output=20, **parts))


CALLS = (
    ToolCall(id="call_1", name="weather", arguments='{"city":"Ulm"}'),
    ToolCall(id="call_2", name="time", arguments="{}"),
)
CITED = Text(text="Ulm", citations=(Citation(url="https://a.test/", title="A", start=0, end=3),))


@dataclass(frozen=True, slots=True)
class Told:
    """A feature of an answer: a sample, and what of it must arrive."""

    completion: Completion
    facets: tuple[str, ...] = ("choices",)
    of: Callable[[Completion], object] = lambda _: None
    """What else must arrive."""


def _usage(name: str) -> Callable[[Completion], object]:
    return lambda completion: None if completion.usage is None else getattr(completion.usage, name)


def _logprobs(completion: Completion) -> object:
    return [(token.token, token.logprob) for choice in completion.choices for token in choice.logprobs or ()]


ANSWERS: Mapping[str, Told] = {
    "text": Told(answer()),
    "several texts": Told(answer(Text(text="yes, "), Text(text="sir"))),
    "parallel tool calls": Told(answer(Text(text="so"), *CALLS, finish="tool_calls"), ("choices", "finish")),
    "refusal": Told(answer(Refusal(text="no")), ("choices", "refusals")),
    "thoughts": Told(answer(Reasoning(text="hm"), Text(text="yes")), ("choices", "thoughts")),
    "citation of a page": Told(answer(CITED), ("choices", "citations")),
    "cut at the limit": Told(answer(finish="length"), ("finish",)),
    "stopped by a stop text": Told(answer(finish="stop_sequence", stop_sequence="x"), ("finish", "stop_sequence")),
    "blocked by a filter": Told(answer(finish="content_filter"), ("finish",)),
    "ended by a refusal": Told(answer(finish="refusal"), ("finish",)),
    "paused": Told(answer(finish="pause"), ("finish",)),
    "usage": Told(answer(), ("usage",)),
    "usage: cached": Told(used(cached=10), (), _usage("cached")),
    "usage: written to the cache": Told(used(cache_written=10), (), _usage("cache_written")),
    "usage: reasoning": Told(used(reasoning=10), (), _usage("reasoning")),
    "usage: sound": Told(used(audio_input=10), (), _usage("audio_input")),
    "log probabilities": Told(answer(logprobs=(TokenLogprob(token="yes", logprob=-0.5),)), (), _logprobs),
}

# ---------------------------------------------------------------------------------------------------- verdicts


class Lost(AssertionError):
    """A meaning that did not arrive, and nobody was told."""


def _translated(client: str, offer: str, body: Body) -> tuple[str, Mapping[str, str]]:
    """The verdict, and notes by field. A refusal has the field it names as its only note."""
    one, other = dialect_of(client), dialect_of(offer)
    adapted = Adapted()
    like = CompletionRequest(model="m", messages=())
    try:
        one.read_facts(json.dumps(body).encode())  # what the road does first
        meant = received(one, json.dumps(body).encode(), like)
        said = other.encode_request(meant, model="m", adapted=adapted)
    except (Unsupported, InvalidRequest) as exc:
        return "refused", {exc.param or "?": exc.code}
    lost = differences(of_request(meant), of_request(received(other, said, like)), notes_of(adapted))
    if lost:
        raise Lost(f"{client} -> {offer}: {lost}")
    notes = dict(note.split(": ", 1) for note in adapted.text.split("; ") if ": " in note)
    return ("adapted" if notes else "exact"), notes


def verdict(client: str, offer: str, feature: str) -> str:
    """The cell of a request's feature; empty where clients of the dialect cannot say it."""
    if (body := REQUESTS[feature].get(client)) is None:
        return ""
    kind, notes = _translated(client, offer, body)
    if kind == "refused":
        return "refused: " + ", ".join(f"`{param}`" for param in notes)
    _, always = _translated(client, offer, REQUESTS["text"][client])
    if feature != "text":  # what is noted of every request is no news
        notes = {field: how for field, how in notes.items() if always.get(field) != how}
    return "adapted: " + "; ".join(f"`{field}` {how}" for field, how in notes.items()) if notes else "exact"


def answered(client: str, offer: str, feature: str) -> str:
    """The cell of an answer's feature; empty where offers of the dialect cannot say it."""
    sample = ANSWERS[feature]
    one, other = dialect_of(client), dialect_of(offer)
    request = CompletionRequest(model="m", messages=())
    told = other.decode_completion(other.encode_completion(sample.completion, request))
    if not _same(sample, sample.completion, told):
        return ""
    arrived = one.decode_completion(one.encode_completion(told, request))
    if _same(sample, told, arrived):
        return "exact"
    meant, got = of_completion(told), of_completion(arrived)
    if "finish" in sample.facets and meant["finish"] != got["finish"]:
        return f"adapted: `{got['finish'][0]}`"
    if "choices" in sample.facets and meant["choices"] == got["choices"] and feature == "refusal":
        return "adapted: a text"
    return "left out"


def _same(sample: Told, one: Completion, other: Completion) -> bool:
    meant, got = of_completion(one), of_completion(other)
    return all(meant[facet] == got[facet] for facet in sample.facets) and sample.of(one) == sample.of(other)


# ---------------------------------------------------------------------------------------------------- the page

HEAD = """\
# What becomes of what, between dialects

Made by `python -m tests.unit.dialects.matrix`, which translates one sample of every feature; a test fails where this
page says otherwise.

Where client and offer speak the same dialect, nothing is translated: the body passes through, with every field in it.
The tables are for the other cases.

- **exact**: the meaning arrives whole.
- **adapted**: it is said by what comes nearest, or left out because no answer depends on it. The client is told in the
  header `isthmus-adapted`, with the words that stand here.
- **refused**: status 400, code `unsupported_parameter`, and the field in `param`. Another offer of the workload may
  still serve; only where none can is the client refused.
- An empty cell: the one who asks, or answers, has no word for it.
"""


def page() -> str:
    """The whole page, in Markdown."""
    out = [HEAD]
    for client in NAMES:
        out.append(f"\n## Requests of `{client}` clients\n")
        out += _table("to an offer that speaks", client, REQUESTS, verdict)
    for client in NAMES:
        out.append(f"\n## Answers to `{client}` clients\n")
        out += _table("from an offer that speaks", client, ANSWERS, answered)
    return "\n".join(out) + "\n"


def _table(head: str, client: str, rows: Iterable[str], cell: Callable[[str, str, str], str]) -> list[str]:
    offers = [name for name in NAMES if name != client]
    lines = [f"| {head} | " + " | ".join(f"`{offer}`" for offer in offers) + " |", "|---" * (len(offers) + 1) + "|"]
    for row in rows:
        cells = [cell(client, offer, row) for offer in offers]
        if any(cells):
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    sys.stdout.write(page())
