"""OpenAI's chat completions; of the model `isthmus/agent`, those of the agent."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from isthmus.domain.errors import IsthmusError
from isthmus.domain.principal import Key
from isthmus.gateway import agent
from isthmus.gateway.endpoint import Endpoint, Params
from isthmus.gateway.headers import RequestHead
from isthmus.gateway.work import on_the_road

if TYPE_CHECKING:
    from isthmus.gateway.connection import Connection, Work
    from isthmus.gateway.gateway import Gateway

_ROAD = on_the_road("POST", "/v1/chat/completions", "openai", "openai-chat")


def _work(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Work:
    work = _ROAD.work(gateway, head, key, params)
    return work if gateway.desk is None or head.fault is not None else _Either(gateway.desk, work, head, key)


class _Either:
    """A request that may be for the agent: only its body tells."""

    __slots__ = ("_desk", "_head", "_key", "_work", "most_bytes")

    def __init__(self, desk: agent.Desk, work: Work, head: RequestHead, key: Key) -> None:
        self.most_bytes = work.most_bytes
        self._desk = desk
        self._work = work
        self._head = head
        self._key = key

    def begin(self, connection: Connection, body: bytes) -> Coroutine[Any, Any, None] | None:
        if agent.asks(body):
            return self._desk.serve(self._key, self._head, body, connection)
        return self._work.begin(connection, body)

    def refused(self, error: IsthmusError) -> Work:
        return self._work.refused(error)


ENDPOINTS = (Endpoint(_ROAD.method, _ROAD.path, _ROAD.vendor, _work),)
