"""Workloads and offers, in the shape of each vendor's list of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from isthmus.domain.errors import UnknownModel
from isthmus.domain.principal import Key
from isthmus.gateway.agent import MODEL, may_ask
from isthmus.gateway.endpoint import Endpoint, Params, Vendor
from isthmus.gateway.headers import RequestHead
from isthmus.gateway.reply import Reply

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway

_Shape = Callable[[str, str], dict[str, Any]]
_GEMINI_VERSIONS = ("v1beta", "v1", "v1alpha")
_EPOCH = "1970-01-01T00:00:00Z"
"""Neither a workload nor an offer has a date of release, and the vendors' clients demand one."""


def _openai(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _anthropic(name: str, owner: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": f"{name} ({owner})",
        "created_at": _EPOCH,
        "lifecycle": "active",
    }


def _gemini(name: str, owner: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": f"{name} ({owner})",
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
    }


def _openai_list(models: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": models}


def _anthropic_list(models: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = (models[0]["id"], models[-1]["id"]) if models else (None, None)
    return {"data": models, "has_more": False, "first_id": first, "last_id": last}


def _gemini_list(models: list[dict[str, Any]]) -> dict[str, Any]:
    return {"models": models}


def _named(gateway: Gateway, key: Key, vendor: Vendor) -> Mapping[str, str]:
    """What may stand for a model in a request of this key, with whose it is."""
    agent = {MODEL: "isthmus"} if vendor == "openai" and gateway.desk is not None and may_ask(key) else {}
    return _of_the_road(gateway, key) | agent


def _of_the_road(gateway: Gateway, key: Key) -> dict[str, str]:
    roster = gateway.road.roster
    if key.workloads is not None:  # it may name no offer either
        return {name: "workload" for name in roster.workloads if name in key.workloads}
    listed = dict.fromkeys(roster.workloads, "workload")
    return listed | {offer.name: f"{offer.provider} ({offer.side})" for offer in roster.offers.values()}


def _listing(vendor: Vendor, path: str, shape: _Shape, listed: Callable[[list[dict[str, Any]]], Any]) -> Endpoint:
    def work(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Reply:  # noqa: ARG001
        return Reply.json(listed([shape(*item) for item in _named(gateway, key, vendor).items()]))

    return Endpoint("GET", path, vendor, work)


def _single(vendor: Vendor, path: str, shape: _Shape) -> Endpoint:
    def work(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Reply:  # noqa: ARG001
        name, listed = params["model"], _named(gateway, key, vendor)
        if name not in listed:
            raise UnknownModel(f"{name[:100]!r} is neither a workload nor an offer here.", param="model")
        return Reply.json(shape(name, listed[name]))

    return Endpoint("GET", path, vendor, work)


ENDPOINTS = (
    _listing("openai", "/v1/models", _openai, _openai_list),
    _single("openai", "/v1/models/{model}", _openai),
    _listing("anthropic", "/v1/models", _anthropic, _anthropic_list),
    _single("anthropic", "/v1/models/{model}", _anthropic),
    *(_listing("gemini", f"/{version}/models", _gemini, _gemini_list) for version in _GEMINI_VERSIONS),
    *(_single("gemini", f"/{version}/models/{{model}}", _gemini) for version in _GEMINI_VERSIONS),
)
