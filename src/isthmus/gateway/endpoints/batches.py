"""OpenAI's batches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from isthmus.batches.batch import Batch
from isthmus.dialects.fields import Fields
from isthmus.dialects.once import fields_once
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.label import Labelled, label
from isthmus.gateway.batching import batches_of
from isthmus.gateway.paging import limit_of
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Request, handled

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway

_WINDOW = "24h"
_SHORTEST, _LONGEST = 3600, 30 * 24 * 3600
"""Seconds that a client may let its output be kept."""

_PAIRS, _NAME, _VALUE = 16, 64, 512
"""Source: OpenAI, "Create batch", `metadata`."""

_OWN = ("isthmus-labels", "isthmus-workload", "isthmus-conversation")


def _told(batch: Batch) -> dict[str, object]:
    usage = batch.usage
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": _complaints(batch) if batch.complaints else None,
        "input_file_id": batch.input_file,
        "completion_window": _WINDOW,
        "status": batch.state,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "created_at": _seconds(batch.created),
        "in_progress_at": _seconds(batch.began),
        "expires_at": _seconds(batch.expires),
        "finalizing_at": _seconds(batch.finalizing),
        "completed_at": _ended(batch, "completed"),
        "failed_at": _ended(batch, "failed"),
        "expired_at": _ended(batch, "expired"),
        "cancelling_at": _seconds(batch.cancelling),
        "cancelled_at": _ended(batch, "cancelled"),
        "request_counts": {
            "total": batch.counts.total,
            "completed": batch.counts.succeeded,
            "failed": batch.counts.failed,
        },
        "metadata": batch.metadata,
        "usage": usage
        and {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        },
    }


def _complaints(batch: Batch) -> dict[str, object]:
    data = [
        {"code": one.code, "message": one.message, "param": one.param, "line": one.line} for one in batch.complaints
    ]
    return {"object": "list", "data": data}


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def _ended(batch: Batch, state: str) -> int | None:
    return _seconds(batch.ended) if batch.state == state else None


async def _create(gateway: Gateway, request: Request) -> Reply:
    told = fields_once(request.body)
    fields = Fields({name: msgspec.json.decode(value) for name, value in told.items()})
    if fields.required_text("completion_window") != _WINDOW:
        raise InvalidRequest(f"completion_window must be {_WINDOW}.", param="completion_window")
    metadata = _metadata(told.get("metadata"))
    head = request.head
    batch = await batches_of(gateway).create(
        request.key,
        endpoint=fields.required_text("endpoint"),
        input_file=fields.required_text("input_file_id"),
        labels=(*head.labels, *_declared(metadata or {})),
        workload=head.workload or (metadata or {}).get("isthmus-workload"),
        conversation=head.conversation or (metadata or {}).get("isthmus-conversation"),
        metadata=metadata,
        keep_seconds=_keep(fields.inner("output_expires_after")),
    )
    return Reply.json(_told(batch))


def _metadata(raw: msgspec.Raw | None) -> dict[str, str] | None:
    """What the client wants to be told back.

    Raises:
        InvalidRequest: not text, more or longer than may be, or a name that resembles ours: a label that is not read
            would be a label lost.
    """
    if raw is None or bytes(raw) == b"null":
        return None
    metadata: dict[str, str] = {}
    for name, value in fields_once(raw, within="metadata").items():
        text = msgspec.json.decode(value)
        if not isinstance(text, str) or len(name) > _NAME or len(text) > _VALUE:
            raise InvalidRequest(
                f"metadata takes names of up to {_NAME} and texts of up to {_VALUE} characters.", param="metadata"
            )
        if name not in _OWN and name.strip().lower().replace("_", "-").startswith("isthmus"):
            raise InvalidRequest(
                f"metadata has a name that begins with isthmus and is none of {', '.join(_OWN)}.", param="metadata"
            )
        metadata[name] = text
    if len(metadata) > _PAIRS:
        raise InvalidRequest(f"metadata takes up to {_PAIRS} pairs.", param="metadata")
    return metadata


def _declared(metadata: Mapping[str, str]) -> list[Labelled]:
    names = [name for part in metadata.get("isthmus-labels", "").split(",") if (name := part.strip())]
    try:
        return [Labelled(label(name), "metadata") for name in names]
    except ValueError as exc:
        raise InvalidRequest(f"metadata.isthmus-labels is not a list of labels: {exc}.", param="metadata") from exc


def _keep(fields: Fields | None) -> int | None:
    """Seconds the client wants the output kept; None: it does not say."""
    if fields is None:
        return None
    if fields.required_text("anchor") != "created_at":
        raise fields.wrong("anchor", "must be created_at")
    seconds = fields.integer("seconds")
    if seconds is None or not _SHORTEST <= seconds <= _LONGEST:
        raise fields.wrong("seconds", f"must be {_SHORTEST} to {_LONGEST}")
    return seconds


async def _list(gateway: Gateway, request: Request) -> Reply:
    limit = limit_of(request.query, default=20, most=100)
    found = await batches_of(gateway).batches(request.key, "openai", after=request.query.get("after"), limit=limit + 1)
    batches = [_told(batch) for batch in found[:limit]]
    return Reply.json(
        {
            "object": "list",
            "data": batches,
            "first_id": batches[0]["id"] if batches else None,
            "last_id": batches[-1]["id"] if batches else None,
            "has_more": len(found) > limit,
        }
    )


async def _retrieve(gateway: Gateway, request: Request) -> Reply:
    return Reply.json(_told(await batches_of(gateway).batch(request.key, "openai", request.params["batch"])))


async def _cancel(gateway: Gateway, request: Request) -> Reply:
    return Reply.json(_told(await batches_of(gateway).cancel(request.key, "openai", request.params["batch"])))


ENDPOINTS = (
    handled("POST", "/v1/batches", "openai", _create),
    handled("GET", "/v1/batches", "openai", _list),
    handled("GET", "/v1/batches/{batch}", "openai", _retrieve),
    handled("POST", "/v1/batches/{batch}/cancel", "openai", _cancel),
)
