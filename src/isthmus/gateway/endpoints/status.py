"""Whether isthmus lives, and whether it can serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.domain.principal import Key
from isthmus.gateway.endpoint import Endpoint, Params
from isthmus.gateway.headers import RequestHead
from isthmus.gateway.reply import Reply

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway


def _lives(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Reply:  # noqa: ARG001
    return Reply.json({"status": "ok"})


def _is_ready(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Reply:  # noqa: ARG001
    state = gateway.readiness()
    return Reply.json(state, status=200 if state.ready else 503)


ENDPOINTS = (
    Endpoint("GET", "/healthz", "isthmus", _lives, public=True),
    Endpoint("GET", "/readyz", "isthmus", _is_ready, public=True),
)
