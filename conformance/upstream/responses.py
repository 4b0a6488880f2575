"""OpenAI's Responses, as a stand-in answers them: the schema is that of the `openai` package's own types."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from tests.fakes.stand_in import Asked, Rejected, Said, complain, event, image_size, published

_STREAMING = published(ResponseCreateParamsStreaming)
_WHOLE = published(ResponseCreateParamsNonStreaming)
_USAGE = {
    "input_tokens": 19,
    "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 26,
}


def check_form(body: dict[str, Any]) -> None:
    """Refuse a body that breaks the published schema."""
    complain(_STREAMING if body.get("stream") else _WHOLE, _filled(body))


def check_turns(body: dict[str, Any]) -> None:
    """Every call has its output, and every output its call."""
    items = _items(body)
    calls = [one["call_id"] for one in items if one.get("type") == "function_call"]
    outputs = [one["call_id"] for one in items if one.get("type") == "function_call_output"]
    for identity in calls:
        if identity not in outputs:
            raise Rejected(f"No tool output found for function call {identity}.")
    for identity in outputs:
        if identity not in calls and not body.get("previous_response_id"):
            raise Rejected(f"No tool call found for function call output with call_id {identity}.")


def asked(body: dict[str, Any]) -> Asked:
    """What the body asks, in no vendor's terms."""
    items = _items(body)
    results: list[str] = []
    while items and items[-1].get("type") == "function_call_output":
        results.insert(0, _text(items[-1]["output"]))
        items = items[:-1]
    while items and items[-1].get("type") in ("function_call", "reasoning"):
        items = items[:-1]
    content = items[-1].get("content", "") if items else ""
    images = [one for one in content if one["type"] == "input_image"] if isinstance(content, list) else []
    choice = body.get("tool_choice", "auto")
    tools = {one["name"]: one.get("parameters") or {} for one in body.get("tools") or () if one["type"] == "function"}
    if choice == "none":
        tools = {}
    if isinstance(choice, dict) and "name" in choice:
        tools = {choice["name"]: tools[choice["name"]]}
    wanted = (body.get("text") or {}).get("format") or {}
    return Asked(
        text=_text(content),
        images=[_size(one.get("image_url") or "") for one in images],
        results=results,
        tools=tools,
        must_call=choice == "required" or isinstance(choice, dict),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=wanted.get("schema"),
        json=wanted.get("type") == "json_object",
        thinks=(body.get("reasoning") or {}).get("summary") is not None,
    )


def whole(body: dict[str, Any], said: Said) -> dict[str, Any]:
    return _response(body, _output(said), "completed")


def stream(body: dict[str, Any], said: Said) -> list[bytes]:
    """The events, framed and numbered."""
    number = count()
    events: list[dict[str, Any]] = []
    opening = _response(body, [], "in_progress")
    events += [{"type": "response.created", "response": opening}, {"type": "response.in_progress", "response": opening}]
    output = _output(said)
    for index, item in enumerate(output):
        place = {"item_id": item["id"], "output_index": index}
        events.append({"type": "response.output_item.added", "output_index": index, "item": _begun(item)})
        match item["type"]:
            case "reasoning":
                events += _summary(item["summary"][0], place)
            case "message":
                events += _content(item["content"][0], place, said.pieces)
            case _:
                events += _arguments(item, place)
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": _response(body, output, "completed")})
    return [event(one | {"sequence_number": next(number)}, one["type"]) for one in events]


# ----------------------------------------------------------------------------------------------------------- reading


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input") or []
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _filled(body: dict[str, Any]) -> dict[str, Any]:
    """The body with what the types demand and the API does without: OpenAI's own guide leaves these out."""
    filled = dict(body)
    if body.get("tools"):
        filled["tools"] = [{"strict": None} | tool if tool["type"] == "function" else tool for tool in body["tools"]]
    if isinstance(body.get("input"), list):
        filled["input"] = [_filled_item(item) for item in body["input"]]
    return filled


def _filled_item(item: dict[str, Any]) -> dict[str, Any]:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    defaults = {"input_image": {"detail": "auto"}, "output_text": {"annotations": []}}
    parts = [defaults.get(part["type"], {}) | part for part in content]
    spoken = {"id": "msg_0", "status": "completed", "type": "message"} if item.get("role") == "assistant" else {}
    return spoken | item | {"content": parts}


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(one.get("text") or "" for one in content)


def _size(url: str) -> int:
    return image_size(url.partition(",")[2]) if url.startswith("data:") else 0


# ----------------------------------------------------------------------------------------------------------- answers


def _response(body: dict[str, Any], output: list[dict[str, Any]], status: str) -> dict[str, Any]:
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body.get("model"),
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": body.get("store") is not False,
        "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _USAGE if status == "completed" else None,
        "metadata": body.get("metadata") or {},
    }


def _output(said: Said) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        output.append({"type": "reasoning", "id": "rs_0", "summary": summary, "encrypted_content": "c2VhbGVk"})
    if said.text:
        content = [{"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}]
        output.append(
            {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": content}
        )
    output += [
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": identity,
            "name": name,
            "arguments": msgspec.json.encode(arguments).decode(),
            "status": "completed",
        }
        for number, (identity, name, arguments) in enumerate(said.calls)
    ]
    return output


def _begun(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is before anything of it was said."""
    empty: dict[str, Any] = {
        "message": {"content": []},
        "reasoning": {"summary": []},
        "function_call": {"arguments": ""},
    }
    begun: dict[str, Any] = item | empty[item["type"]]
    return begun | {"status": "in_progress"} if "status" in item else begun


def _summary(part: dict[str, Any], place: dict[str, Any]) -> list[dict[str, Any]]:
    here = place | {"summary_index": 0}
    return [
        {"type": "response.reasoning_summary_part.added", **here, "part": part | {"text": ""}},
        {"type": "response.reasoning_summary_text.delta", **here, "delta": part["text"]},
        {"type": "response.reasoning_summary_text.done", **here, "text": part["text"]},
        {"type": "response.reasoning_summary_part.done", **here, "part": part},
    ]


def _content(part: dict[str, Any], place: dict[str, Any], pieces: list[str]) -> list[dict[str, Any]]:
    here = place | {"content_index": 0}
    return [
        {"type": "response.content_part.added", **here, "part": part | {"text": ""}},
        *({"type": "response.output_text.delta", **here, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **here, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **here, "part": part},
    ]


def _arguments(item: dict[str, Any], place: dict[str, Any]) -> list[dict[str, Any]]:
    text = item["arguments"]
    pieces = (text[: len(text) // 2], text[len(text) // 2 :])
    return [
        *({"type": "response.function_call_arguments.delta", **place, "delta": piece} for piece in pieces),
        {"type": "response.function_call_arguments.done", **place, "name": item["name"], "arguments": text},
    ]
