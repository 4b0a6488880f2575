"""The agent as a model: whoever asks for `isthmus/agent` talks with it.

What the last message says is taken as the user's own words, which the agent obeys. So it is for programmes by which the
user types, and not for those that put other people's texts into the user's messages. Who may is narrow on purpose: a
key that names `isthmus/agent`, or, on a machine without keys, whoever is on it.

The agent remembers its conversations itself, with the marks of all that was said. Of the history that a client sends,
nothing is read but which conversation it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
from anyio.to_thread import run_sync

from isthmus.agent.happenings import Asked, Ended, Happening, Said, Stepped
from isthmus.agent.inert import inert, one_line
from isthmus.agent.ports import EventLog
from isthmus.agent.profiles import AGENT_MODEL
from isthmus.agent.questions import question, things_of
from isthmus.domain.errors import InvalidRequest, IsthmusError, NotCapable, UnknownModel
from isthmus.domain.principal import Key
from isthmus.gateway.headers import EVENT_STREAM, JSON, RequestHead
from isthmus.gateway.refusal import own_fault, refusal, shape_of

if TYPE_CHECKING:
    from isthmus.agent import Agent
    from isthmus.gateway.connection import Connection

MODEL = AGENT_MODEL

_HINT = MODEL.partition("/")[0].encode()
_MOST_CONVERSATIONS = 1000
_ENDINGS = {
    "refused": "No model may be asked. ",
    "failed": "It did not come to an end. ",
    "over_budget": "The budget is used. ",
    "waiting": "",
    "done": "",
}


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text for part in self.content)


class _Named(msgspec.Struct):
    model: str = ""


class _Request(msgspec.Struct):
    messages: list[_Message]
    stream: bool = False
    tools: list[Any] = []


def may_ask(key: Key) -> bool:
    """Whether a key is good for the agent: it says so by name, or there are no keys."""
    return MODEL in key.workloads if key.workloads is not None else not key.hash


def asks(body: bytes) -> bool:
    """Whether a request is for the agent. One that is no JSON is not; it is told so elsewhere."""
    if _HINT not in body:
        return False
    try:
        return msgspec.json.decode(body, type=_Named).model == MODEL
    except msgspec.DecodeError:
        return False


class Desk:
    """Where the agent is asked by HTTP."""

    def __init__(self, agent: Agent, log: EventLog) -> None:
        """Serve an agent.

        Args:
            agent: that is asked.
            log: of the agent, by which things in its questions are called by their names.
        """
        self.agent = agent
        self._log = log
        self._known: OrderedDict[str, str] = OrderedDict()
        """Conversations by the hash of all that was said in them so far."""

    async def serve(self, key: Key, head: RequestHead, body: bytes, connection: Connection) -> None:
        """One request, from its body to the last byte of the answer."""
        shape = shape_of("openai")
        try:
            asked = _read(key, body)
            await self._answer(asked, key, head, connection)
        except IsthmusError as exc:
            if connection.begun:
                connection.drop()
            else:
                refusal(shape, exc).begin(connection, b"")
        except asyncio.CancelledError:
            if not connection.gone:
                raise
        except Exception as exc:  # the boundary: whatever it is, the client gets an answer
            error = own_fault(exc)
            if connection.begun:
                connection.drop()
            else:
                refusal(shape, error).begin(connection, b"")

    async def _answer(self, asked: _Request, key: Key, head: RequestHead, connection: Connection) -> None:
        conversation = self._conversation(asked.messages[:-1], key, head)
        user = f"api:{key.name}" if key.name else "api"
        pieces: list[str] = []
        answer = _Answer()
        if asked.stream:
            connection.begin_stream(EVENT_STREAM, answer.chunk({"role": "assistant", "content": ""}))
        turn = self.agent.turn(asked.messages[-1].text, conversation=conversation, trigger="api", user=user)
        async with aclosing(turn) as happenings:
            async for text in self._texts(happenings):
                if text.startswith(_STEP):
                    piece = b": %b\n\n" % text.removeprefix(_STEP).encode()
                else:
                    pieces.append(text)
                    piece = answer.chunk({"content": text})
                if asked.stream and (writable := connection.write_piece(piece)) is not None:
                    await writable
        said = "".join(pieces)
        self._remember([*asked.messages, _Message(role="assistant", content=said)], key, conversation)
        if asked.stream:
            connection.write_piece(answer.chunk({}, finish="stop") + b"data: [DONE]\n\n")
            connection.end_stream()
        else:
            connection.answer(200, JSON, answer.whole(said))

    def _conversation(self, before: Sequence[_Message], key: Key, head: RequestHead) -> str:
        """Which conversation goes on. A client that names none is known by what was said in it."""
        if head.conversation is not None:
            return f"api-{key.name}-{head.conversation}"
        known = self._known.get(_said(before, key)) if before else None
        return known or f"api-{secrets.token_hex(6)}"

    def _remember(self, messages: Sequence[_Message], key: Key, conversation: str) -> None:
        self._known[_said(messages, key)] = conversation
        while len(self._known) > _MOST_CONVERSATIONS:
            self._known.popitem(last=False)

    def _things(self, conversation: str) -> Mapping[str, str]:
        return things_of(conversation, self._log.read(conversation))

    async def _texts(self, happenings: AsyncIterator[Happening]) -> AsyncIterator[str]:
        """The pieces of the answer's text."""
        async for happening in happenings:
            match happening:
                case Said(text=text):
                    yield text
                case Stepped(says=says, state=state):
                    yield f"{_STEP}{state} {one_line(says, 200)}"
                case Asked(approval):
                    # In a block of its own, out of which nothing in it can break: a chat shows text as Markdown.
                    things = await run_sync(self._things, approval.conversation)
                    shown = inert(question(approval, things)).replace("```", "'''")
                    yield f"\n\nI have to ask you first:\n\n```text\n{shown}\n```\n\n"
                    yield f"To allow it, run `isthmus agent approve {approval.id}` where isthmus runs.\n"
                case Ended(outcome=outcome, note=note) if outcome not in {"done", "waiting"}:
                    yield f"\n\n{_ENDINGS[outcome]}{inert(note)}"
                case _:
                    pass


_STEP = "\x00"
"""Begins a piece that is no part of the answer: a step, told as a comment that keeps the connection alive."""


class _Answer:
    """An answer in the shape of OpenAI's chat completions."""

    def __init__(self) -> None:
        self._base = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": MODEL}

    def chunk(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        told = {**self._base, "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: %b\n\n" % msgspec.json.encode(told)

    def whole(self, text: str) -> bytes:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return msgspec.json.encode({**self._base, "object": "chat.completion", "choices": [choice]})


def _read(key: Key, body: bytes) -> _Request:
    if not may_ask(key):
        raise UnknownModel(
            f"{MODEL} is not for this key.", hint=f"Make one that names it: `--workloads {MODEL}`.", param="model"
        )
    try:
        asked = msgspec.json.decode(body, type=_Request)
    except msgspec.DecodeError as exc:
        raise InvalidRequest(f"The request is not understood: {exc}.") from exc
    if asked.tools:
        raise NotCapable("The agent has tools of its own and calls no others.", param="tools")
    if not asked.messages or asked.messages[-1].role != "user" or not asked.messages[-1].text.strip():
        raise InvalidRequest("The last message has to be the user's, and to say something.", param="messages")
    return asked


def _said(messages: Sequence[_Message], key: Key) -> str:
    """The hash of what was said by user and agent."""
    said = [(one.role, one.text.strip()) for one in messages if one.role in {"user", "assistant"}]
    return hashlib.sha256(msgspec.json.encode((key.name, said))).hexdigest()
