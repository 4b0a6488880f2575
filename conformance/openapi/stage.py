"""An isthmus that asks for keys, with vendors behind it that refuse whatever they can make nothing of.

Schemathesis sends what no client would. The vendors' stand-ins take a request apart as they please and fail over what
they did not expect, where a vendor would say 400. So do these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from anthropic import Anthropic
from anthropic.types.messages.batch_create_params import Request
from openai import OpenAI
from openai.types.responses.input_token_count_params import InputTokenCountParams
from tests.fakes import anthropic_server, gemini_server, openai_server
from tests.fakes.stand_in import Received, Rejected, StandIn, complain, published, serving
from tests.system.process import Isthmus, running
from typing_extensions import override

from conformance.stage import settings
from conformance.upstream import anthropic, gemini, openai

T = TypeVar("T")

_COUNTING = "/v1/responses/input_tokens"
_COUNTED = published(InputTokenCountParams)
_WIDEST = 3072
"""Numbers of a vector, of the vendors' largest."""
_WIDTHS = ("dimensions", "outputDimensionality")


class _Wary(StandIn):
    """Refuses what its parent fails over."""

    @override
    def check(self, received: Received) -> None:
        _refusing(lambda: super(_Wary, self).check(received))
        for one in (received.body, *(received.body.get("requests") or ())):
            width = next((one[name] for name in _WIDTHS if one.get(name) is not None), 1)
            if not isinstance(width, int) or not 1 <= width <= _WIDEST:
                raise Rejected(f"a vector has 1 to {_WIDEST} numbers")

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        return _refusing(lambda: super(_Wary, self).whole(received))

    @override
    def stream(self, received: Received) -> list[bytes]:
        return _refusing(lambda: super(_Wary, self).stream(received))


def _refusing(look: Callable[[], T]) -> T:
    try:
        return look()
    except Rejected:
        raise
    except Exception as exc:
        raise Rejected(f"the request cannot be understood ({type(exc).__name__})") from exc


class _OpenAI(_Wary, openai.OpenAIVendor):
    @override
    def check(self, received: Received) -> None:
        if received.path != _COUNTING:
            super().check(received)
        elif received.headers.get("authorization") != f"Bearer {openai_server.KEY}":
            raise Rejected("Incorrect API key provided", 401)
        else:
            _refusing(lambda: complain(_COUNTED, received.body))

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        if received.path == _COUNTING:
            return {"object": "response.input_tokens", "input_tokens": 19}
        return super().whole(received)


class _Anthropic(_Wary, anthropic.AnthropicVendor):
    pass


class _Gemini(_Wary, gemini.GeminiVendor):
    pass


@dataclass(frozen=True, slots=True)
class Stage:
    isthmus: Isthmus
    vendors: Mapping[str, StandIn]
    key: str
    there: Mapping[str, str]
    """Ids of what can be asked for, by what it is."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.isthmus.port}"

    def faults(self) -> list[str]:
        """What isthmus logs as its own faults, each once."""
        return list(dict.fromkeys(one.partition("\n")[0] for one in self.isthmus.log.read_text().split(" ERROR ")[1:]))


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Start all of it, and stop it at the end.

    Args:
        folder: for settings, ledger and log.
    """
    with serving(_OpenAI()) as gpt, serving(_Anthropic()) as claude, serving(_Gemini()) as google:
        vendors: dict[str, StandIn] = {"openai": gpt, "anthropic": claude, "gemini": google}
        urls = {"openai": f"{gpt.url}/v1", "anthropic": claude.url, "gemini": google.url}
        keys = {"OPENAI_KEY": openai_server.KEY, "ANTHROPIC_KEY": anthropic_server.KEY, "GEMINI_KEY": gemini_server.KEY}
        keys["CONTENT_KEY"] = token_hex(32)
        store = 'content_key = "env:CONTENT_KEY"'
        with running(Isthmus(folder, settings(urls), store=store, environment=keys)) as isthmus:
            key = json.loads(isthmus.run("keys", "add", "schemathesis", "--json").stdout)["key"]
            url = f"http://127.0.0.1:{isthmus.port}"
            with OpenAI(base_url=f"{url}/v1", api_key=key) as client, Anthropic(base_url=url, api_key=key) as messages:
                there = _made(client, messages)
            yield Stage(isthmus, vendors, key, there)


def _made(client: OpenAI, messages: Anthropic) -> dict[str, str]:
    """Things to ask for."""
    asked = {"model": "at-openai", "messages": [{"role": "user", "content": "Say hello."}]}
    line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": asked}
    file = client.files.create(file=("lines.jsonl", json.dumps(line).encode()), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    response = client.responses.create(model="at-openai", input="Say hello.")
    one: Request = {
        "custom_id": "one",
        "params": {"model": "at-anthropic", "max_tokens": 9, "messages": [{"role": "user", "content": "Say hello."}]},
    }
    message_batch = messages.messages.batches.create(requests=[one])
    return {"file": file.id, "batch": batch.id, "response": response.id, "message_batch": message_batch.id}
