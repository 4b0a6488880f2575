"""Anthropic's message batches."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from anyio.to_thread import run_sync

from isthmus.batches.batch import Batch, Counts
from isthmus.batches.limits import BatchLimits
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.once import fields_once
from isthmus.domain.errors import InvalidRequest
from isthmus.gateway.batching import batches_of
from isthmus.gateway.paging import limit_of
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Request, handled

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway

_PATH = "/v1/messages/batches"
_LINES = b"content-type: application/x-jsonl\r\n"


class _Asked(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw


_asked = msgspec.json.Decoder(list[_Asked]).decode


def _told(batch: Batch) -> dict[str, object]:
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": _status(batch),
        "request_counts": _counts(batch),
        "created_at": _time(batch.created),
        "expires_at": _time(batch.expires),
        "ended_at": _time(batch.ended),
        "cancel_initiated_at": _time(batch.cancelling),
        "archived_at": None,
        # Below whatever the client calls its base address: what stands before it, a proxy say, only the client knows.
        "results_url": None if batch.open else f"{_PATH}/{batch.id}/results",
    }


def _status(batch: Batch) -> str:
    if not batch.open:
        return "ended"
    return "canceling" if batch.state == "cancelling" else "in_progress"


def _counts(batch: Batch) -> dict[str, int]:
    """Until all have ended, all count as being processed.

    Source: Anthropic, "Retrieve a Message Batch", `request_counts`.
    """
    counts = Counts(waiting=batch.counts.total) if batch.open else batch.counts
    return {
        "processing": counts.waiting,
        "succeeded": counts.succeeded,
        "errored": counts.errored + counts.revoked,
        "canceled": counts.cancelled,
        "expired": counts.expired,
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


async def _create(gateway: Gateway, request: Request) -> Reply:
    requests = await run_sync(_requests, request.body)
    head = request.head
    batch = await batches_of(gateway).create_messages(
        request.key,
        requests,
        labels=head.labels,
        workload=head.workload,
        conversation=head.conversation,
    )
    return Reply.json(_told(batch))


def _requests(body: bytes) -> list[tuple[str, bytes]]:
    """Custom id and body of each request; what is in the bodies is looked at when they are asked."""
    requests = fields_once(body).get("requests")
    if requests is None:
        raise InvalidRequest("requests is missing.", param="requests")
    try:
        asked = _asked(requests)
    except UNREADABLE as exc:
        raise invalid(exc, within="requests") from exc
    return [(one.custom_id, bytes(one.params)) for one in asked]


async def _list(gateway: Gateway, request: Request) -> Reply:
    query = request.query
    limit = limit_of(query, default=20, most=1000)
    after, before = query.get("after_id"), query.get("before_id")
    found = await batches_of(gateway).batches(request.key, "anthropic", after=after, before=before, limit=limit + 1)
    # Of those before an id the nearest come; the one too many is the first.
    shown = found[-limit:] if before is not None and after is None else found[:limit]
    batches = [_told(batch) for batch in shown]
    return Reply.json(
        {
            "data": batches,
            "first_id": batches[0]["id"] if batches else None,
            "last_id": batches[-1]["id"] if batches else None,
            "has_more": len(found) > limit,
        }
    )


async def _retrieve(gateway: Gateway, request: Request) -> Reply:
    return Reply.json(_told(await batches_of(gateway).batch(request.key, "anthropic", request.params["batch"])))


async def _cancel(gateway: Gateway, request: Request) -> Reply:
    return Reply.json(_told(await batches_of(gateway).cancel(request.key, "anthropic", request.params["batch"])))


async def _delete(gateway: Gateway, request: Request) -> Reply:
    batch = request.params["batch"]
    await batches_of(gateway).delete(request.key, "anthropic", batch)
    return Reply.json({"id": batch, "type": "message_batch_deleted"})


async def _results(gateway: Gateway, request: Request) -> Reply:
    return Reply(200, _LINES, await batches_of(gateway).results(request.key, request.params["batch"]))


ENDPOINTS = (
    handled("POST", _PATH, "anthropic", _create, most_bytes=BatchLimits().file_bytes),
    handled("GET", _PATH, "anthropic", _list),
    handled("GET", f"{_PATH}/{{batch}}", "anthropic", _retrieve),
    handled("POST", f"{_PATH}/{{batch}}/cancel", "anthropic", _cancel),
    handled("DELETE", f"{_PATH}/{{batch}}", "anthropic", _delete),
    handled("GET", f"{_PATH}/{{batch}}/results", "anthropic", _results),
)
