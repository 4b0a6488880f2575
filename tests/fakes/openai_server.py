"""A strict stand-in for OpenAI's chat completions. The schema is that of the `openai` package's own types."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import msgspec
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from tests.fakes.stand_in import (
    Asked,
    Received,
    Rejected,
    StandIn,
    complain,
    event,
    image_size,
    published,
    serving,
)
from typing_extensions import override

KEY = "sk-test"
_STREAMING = published(CompletionCreateParamsStreaming)
_WHOLE = published(CompletionCreateParamsNonStreaming)
_USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 7,
    "total_tokens": 26,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}


class OpenAIServer(StandIn):
    @override
    def check(self, received: Received) -> None:
        body = received.body
        if received.method != "POST" or received.path != "/v1/chat/completions":
            raise Rejected("Invalid URL", 404)
        if received.headers.get("authorization") != f"Bearer {KEY}":
            raise Rejected("Incorrect API key provided", 401)
        complain(_STREAMING if body.get("stream") else _WHOLE, body)
        for name, (least, most) in _RANGES.items():
            if (value := body.get(name)) is not None and not least <= value <= most:
                raise Rejected(f"Invalid value for {name}: must be between {least} and {most}")
        if body.get("stream_options") is not None and not body.get("stream"):
            raise Rejected("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
        if body.get("top_logprobs") is not None and not body.get("logprobs"):
            raise Rejected("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
        if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
            raise Rejected("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None and not body.get("tools"):
                raise Rejected(f"'{name}' is only allowed when 'tools' are specified.")
        _check_turns(body["messages"])

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        said = self.say(_asked(received.body))
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
        if said.calls:
            message["tool_calls"] = [_call(*call) for call in said.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(said.calls)}
        return _base(received, "chat.completion") | {"choices": [choice], "usage": _USAGE}

    @override
    def stream(self, received: Received) -> list[bytes]:
        said = self.say(_asked(received.body))
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in said.pieces]
        for number, (identity, name, arguments) in enumerate(said.calls):
            begun = _call(identity, name, {})
            text = msgspec.json.encode(arguments).decode()
            deltas.append({"tool_calls": [begun | {"index": number, "function": {"name": name, "arguments": ""}}]})
            deltas += [
                {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}
                for piece in (text[: len(text) // 2], text[len(text) // 2 :])
            ]
        base = _base(received, "chat.completion.chunk")
        chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": _reason(said.calls)}]})
        if (received.body.get("stream_options") or {}).get("include_usage"):
            chunks.append(base | {"choices": [], "usage": _USAGE})
        return [*map(event, chunks), b"data: [DONE]\n\n"]

    @override
    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    @override
    def error_event(self) -> bytes:
        return event(self.error(503, "The server is overloaded."))


def openai_server() -> AbstractContextManager[OpenAIServer]:
    """Serve on a free port of the loopback interface."""
    return serving(OpenAIServer())


def _check_turns(messages: list[dict[str, Any]]) -> None:
    """After calls come their results, each in a message of its own, before anybody else speaks."""
    owed: set[str] = set()
    for at, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in owed:
                raise Rejected(
                    f"messages[{at}]: role 'tool' must be a response to a preceding message with 'tool_calls'"
                )
            owed.discard(message["tool_call_id"])
        elif owed:
            raise Rejected("An assistant message with 'tool_calls' must be followed by tool messages.")
        owed |= {call["id"] for call in message.get("tool_calls") or ()}
    if owed:
        raise Rejected("An assistant message with 'tool_calls' must be followed by tool messages.")


def _asked(body: dict[str, Any]) -> Asked:
    messages = body["messages"]
    results: list[str] = []
    while messages and messages[-1]["role"] == "tool":
        results.insert(0, _text(messages[-1]["content"]))
        messages = messages[:-1]
    last = messages[-1].get("content") or ""
    urls = [one["image_url"]["url"] for one in last if one["type"] == "image_url"] if isinstance(last, list) else []
    choice = body.get("tool_choice", "auto")
    tools = {one["function"]["name"]: one["function"].get("parameters", {}) for one in body.get("tools") or ()}
    if choice == "none":
        tools = {}
    if isinstance(choice, dict):
        tools = {choice["function"]["name"]: tools[choice["function"]["name"]]}
    wanted = body.get("response_format") or {}
    return Asked(
        text=_text(last),
        images=[image_size(url.partition(",")[2]) if url.startswith("data:") else 0 for url in urls],
        results=results,
        tools=tools,
        must_call=choice == "required" or isinstance(choice, dict),
        parallel=body.get("parallel_tool_calls", True),
        schema=wanted.get("json_schema", {}).get("schema"),
        json=wanted.get("type") == "json_object",
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)


def _call(identity: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    text = msgspec.json.encode(arguments).decode()
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": text}}


def _reason(calls: list[Any]) -> str:
    return "tool_calls" if calls else "stop"


def _base(received: Received, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-test", "object": kind, "created": 1, "model": received.body["model"]}
