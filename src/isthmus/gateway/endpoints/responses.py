"""OpenAI's responses: asking for one, and what is kept of earlier ones where their workload keeps what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from isthmus.dialects.registry import form_of, resumable
from isthmus.domain.errors import InvalidRequest, NotFound
from isthmus.domain.kept import Kept
from isthmus.domain.message import Json
from isthmus.gateway.headers import JSON
from isthmus.gateway.paging import limit_of, order_of
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Request, call_of, handled, on_the_road
from isthmus.routing.answer import Call

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway

_FORM = "openai-responses"


class _Listed(msgspec.Struct):
    data: list[dict[str, Json]]


_listed = msgspec.json.Decoder(_Listed).decode


async def _retrieve(gateway: Gateway, request: Request) -> Reply:
    """A kept answer, as it was given."""
    for name in ("stream", "starting_after"):
        if request.query.get(name, "false") != "false":
            raise InvalidRequest("A kept answer is not streamed again.", hint=f"Ask without {name}.", param=name)
    kept = await _kept(gateway, request)
    return Reply(200, JSON, kept.answer_text.encode())


async def _input_items(gateway: Gateway, request: Request) -> Reply:
    """What was said to the model before a kept answer, the last first unless it is asked for otherwise."""
    limit, order = limit_of(request.query, default=20, most=100), order_of(request.query)
    kept = await _kept(gateway, request)
    form = resumable(_FORM)
    assert form is not None
    items = _listed(form.input_items(kept.request_text.encode())).data
    if order == "asc":
        items.reverse()
    ids = [str(one["id"]) for one in items]
    if (after := request.query.get("after")) is not None:
        start = ids.index(after) + 1 if after in ids else len(ids)
        items, ids = items[start:], ids[start:]
    # OpenAI's clients take no null for an id here.
    first, last = (ids[0], ids[:limit][-1]) if ids else ("", "")
    return Reply.json(
        {"object": "list", "data": items[:limit], "first_id": first, "last_id": last, "has_more": len(items) > limit}
    )


async def _delete(gateway: Gateway, request: Request) -> Reply:
    answer = request.params["response"]
    if not await gateway.road.forget(_call(request), answer):
        raise _nothing()
    return Reply.json({"id": answer, "object": "response", "deleted": True})


async def _cancel(gateway: Gateway, request: Request) -> Reply:
    await _kept(gateway, request)
    raise InvalidRequest("Only responses in the background can be cancelled, and isthmus makes none there.")


async def _kept(gateway: Gateway, request: Request) -> Kept:
    kept = await gateway.road.kept(_call(request), request.params["response"])
    if kept is None:
        raise _nothing()
    return kept


def _call(request: Request) -> Call:
    """In whose name a kept answer is asked for."""
    return call_of(form_of(_FORM), request.head, request.key, b"")


def _nothing() -> NotFound:
    return NotFound(
        "Nothing is kept under this id.", hint="Answers are kept only where the workload says so (keep_days)."
    )


ENDPOINTS = (
    on_the_road("POST", "/v1/responses", "openai", _FORM),
    on_the_road("POST", "/v1/responses/input_tokens", "openai", "openai-responses-count"),
    handled("GET", "/v1/responses/{response}", "openai", _retrieve),
    handled("DELETE", "/v1/responses/{response}", "openai", _delete),
    handled("GET", "/v1/responses/{response}/input_items", "openai", _input_items),
    handled("POST", "/v1/responses/{response}/cancel", "openai", _cancel),
)
