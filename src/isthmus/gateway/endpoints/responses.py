"""OpenAI's responses: asking for one, and what is kept of earlier ones where their workload keeps what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.dialects.registry import form_of, resumable
from isthmus.domain.errors import InvalidRequest, NotFound
from isthmus.domain.kept import Kept
from isthmus.gateway.headers import JSON
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Request, call_of, handled, on_the_road
from isthmus.routing.answer import Call

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway

_FORM = "openai-responses"


async def _retrieve(gateway: Gateway, request: Request) -> Reply:
    """A kept answer, as it was given."""
    if request.query.get("stream") == "true":
        raise InvalidRequest("A kept answer is not streamed again.", hint="Ask without stream.", param="stream")
    kept = await _kept(gateway, request)
    return Reply(200, JSON, kept.answer_text.encode())


async def _input_items(gateway: Gateway, request: Request) -> Reply:
    """What was said to the model before a kept answer."""
    kept = await _kept(gateway, request)
    form = resumable(_FORM)
    assert form is not None
    return Reply(200, JSON, form.input_items(kept.request_text.encode()))


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
