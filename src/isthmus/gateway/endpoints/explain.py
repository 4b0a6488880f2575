"""What would be decided for a request. Sends and records nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.dialects.registry import form_of
from isthmus.domain.errors import ConfigError, InvalidRequest
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Request, call_of, handled
from isthmus.routing.explain import explanation

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway


async def _explain(gateway: Gateway, request: Request) -> Reply:
    """The decision for the request in the body; the query says in which form it is (`?form=`) and its model."""
    try:
        form = form_of(request.query.get("form", "openai-chat"))
    except ConfigError as exc:
        raise InvalidRequest(exc.message, hint=exc.hint, param="form") from exc
    call = call_of(form, request.head, request.key, request.body, model=request.query.get("model"))
    return Reply.json(explanation(await gateway.road.decide(call)))


ENDPOINTS = (handled("POST", "/isthmus/v1/explain", "isthmus", _explain),)
