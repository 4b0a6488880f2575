"""What there is to ask for, as OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.domain.principal import Key
from isthmus.gateway.endpoint import Endpoint, Params
from isthmus.gateway.headers import JSON, RequestHead
from isthmus.gateway.openapi import encoded
from isthmus.gateway.reply import Reply

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway


def _described(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Reply:  # noqa: ARG001
    return Reply(200, JSON, encoded())


ENDPOINTS = (Endpoint("GET", "/isthmus/v1/openapi.json", "isthmus", _described, public=True),)
