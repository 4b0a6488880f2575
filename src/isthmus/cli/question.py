"""One question to isthmus from the command line, and its answer as it comes.

A question goes through the server if one is running at the configured address, else through the same road in this
process. Either way it leaves an entry in the ledger.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from isthmus.app import App
from isthmus.dialects.registry import dialect_of
from isthmus.domain.decision import Decision
from isthmus.domain.errors import ConfigError, InvalidRequest, IsthmusError
from isthmus.domain.label import Labelled, label
from isthmus.domain.message import Event, TextDelta, Used
from isthmus.domain.principal import Principal
from isthmus.domain.usage import Usage
from isthmus.ledger.reader import LedgerReader
from isthmus.ledger.store import Store
from isthmus.routing.answer import Call
from isthmus.settings import Settings

OPENAI_CHAT = dialect_of("openai-chat")
KEY_VARIABLE = "ISTHMUS_API_KEY"

_ENTRY_PATIENCE = 1.0
"""Seconds that an entry may take to be written, beyond the time that entries wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, and how."""

    text: str
    model: str = "auto"
    """A workload, an offer, or `auto`."""
    labels: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None

    def body(self) -> bytes:
        """The question as a request for a streamed chat completion."""
        request: dict[str, object] = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.text}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.max_tokens is not None:
            request["max_tokens"] = self.max_tokens
        if self.temperature is not None:
            request["temperature"] = self.temperature
        return msgspec.json.encode(request)

    def call(self) -> Call:
        """The question as a call on the road, in the name of whoever sits at this machine."""
        try:
            labels = tuple(Labelled(label(name), "command") for name in self.labels)
        except ValueError as exc:
            raise ConfigError(f"{exc}.") from exc
        return Call(
            form=OPENAI_CHAT,
            body=self.body(),
            principal=Principal(user=os.environ.get("USER")),
            labels=labels,
            arrived=time.perf_counter(),
        )


def text_of(argument: str | None) -> str:
    """The question's text: the argument, or standard input where that is `-` or not given.

    Raises:
        InvalidRequest: there is none.
    """
    text = sys.stdin.read() if argument is None or argument == "-" else argument
    if not text.strip():
        raise InvalidRequest("The question is empty.", hint='Say it, as in `isthmus ask "Name three fruits."`')
    return text


@dataclass(slots=True)
class Told:
    """What is known of an answer once it has ended."""

    request: str = ""
    offer: str = ""
    side: str = ""
    usage: Usage | None = None
    cost: Decimal | None = None
    decision: Decision | None = None
    seconds: float = 0.0
    recorded_here: bool = True
    """Whether the store of the settings has its entry. Not so where the server keeps its ledger elsewhere."""

    def take(self, event: Event) -> str:
        """The text of an event; usage is remembered."""
        if isinstance(event, Used):
            self.usage = event.usage
        return event.text if isinstance(event, TextDelta) else ""


async def ask_here(app: App, question: Question, told: Told) -> AsyncIterator[str]:
    """Ask on the road of this process. Gives the text as it comes and fills `told`.

    Raises:
        IsthmusError: no answer, or one that broke off.
    """
    began = time.perf_counter()
    decoder = OPENAI_CHAT.stream_decoder()
    async with await app.road.serve(question.call()) as answer:
        if answer.offer is not None:
            told.request, told.offer, told.side = answer.id, answer.offer.name, answer.offer.side
        told.decision = answer.decision
        piece = answer.body  # empty where what is said is remembered first
        while True:
            for event in decoder.feed(piece):
                if text := told.take(event):
                    yield text
            if not (piece := await answer.piece()):
                break
        told.usage, told.cost = answer.usage, answer.cost
    told.seconds = time.perf_counter() - began


def ask_server(settings: Settings, question: Question, told: Told) -> Iterator[str]:
    """Ask the server that is running. Gives the text as it comes and fills `told`.

    Raises:
        IsthmusError: the server refused, or the answer broke off.
    """
    began = time.perf_counter()
    connection = http.client.HTTPConnection(settings.server.host, settings.server.port, timeout=600)
    try:
        connection.request("POST", "/v1/chat/completions", question.body(), _headers(question.labels))
        response = connection.getresponse()
        if response.status != 200:
            raise IsthmusError(_message(response.read()))
        told.request = response.headers.get("isthmus-request", "")
        told.offer = response.headers.get("isthmus-offer", "")
        told.side = response.headers.get("isthmus-side", "")
        decoder = OPENAI_CHAT.stream_decoder()
        while data := response.read1(65536):
            for event in decoder.feed(data):
                if text := told.take(event):
                    yield text
        decoder.close()
    finally:
        connection.close()
    told.seconds = time.perf_counter() - began


def read_cost(settings: Settings, told: Told) -> None:
    """Fill in what the server's ledger says an answer cost: a stream ends before its cost is known.

    The ledger is read from the store of the settings. That a server has another one is found out by the entry not
    being there.
    """
    end = time.monotonic() + _ENTRY_PATIENCE + settings.store.group_ms / 1000
    store = Store(settings.store.url)
    try:
        while store.exists():
            record = LedgerReader(store).get(told.request)
            if record is not None:
                told.cost = record.entry.cost
                return
            if time.monotonic() > end:
                break
            time.sleep(0.02)
    except IsthmusError:
        pass  # the answer is there; that the ledger cannot be read here must not make a failure of it
    finally:
        store.dispose()
    told.recorded_here = False


def server_is_up(settings: Settings) -> bool:
    """Whether an isthmus answers at the configured address."""
    connection = http.client.HTTPConnection(settings.server.host, settings.server.port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return b'"waiting_for"' in answer
    finally:
        connection.close()


def explain_by_server(settings: Settings, body: bytes, labels: tuple[str, ...]) -> dict[str, object]:
    """The decision the running server would make, with what it knows of the health of its offers.

    The labels go there as a header, but it was the command line that they were said to.
    """
    connection = http.client.HTTPConnection(settings.server.host, settings.server.port, timeout=10)
    try:
        connection.request("POST", "/isthmus/v1/explain", body, _headers(labels))
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise IsthmusError(_message(answer))
        decision = msgspec.json.decode(answer, type=dict[str, Any])
        for found in decision["labels"]:
            if found["source"] == "header":
                found["source"] = "command"
        return decision
    finally:
        connection.close()


def _headers(labels: tuple[str, ...]) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["authorization"] = f"Bearer {key}"
    if labels:
        headers["isthmus-labels"] = ",".join(labels)
    return headers


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "The server's answer is not understood."
