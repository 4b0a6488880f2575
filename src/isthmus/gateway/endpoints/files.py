"""OpenAI's files: what batches are made of, and what they leave."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from anyio.to_thread import run_sync

from isthmus.batches.file import UPLOADED, StoredFile
from isthmus.batches.limits import BatchLimits
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.domain.errors import InvalidRequest
from isthmus.gateway.batching import batches_of
from isthmus.gateway.multipart import read_form
from isthmus.gateway.paging import limit_of, order_of
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Request, handled

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway

_FORM_BYTES = 64 * 1024
"""What a form has beside its file."""

_CONTENT = b"content-type: application/octet-stream\r\n"
_FIELDS = frozenset({"file", "purpose", "expires_after", "expires_after[anchor]", "expires_after[seconds]"})
_SHORTEST, _LONGEST = 3600, 30 * 24 * 3600
"""Seconds that a client may let its files be kept."""


class _Expiry(msgspec.Struct):
    anchor: str
    seconds: int


_expiry = msgspec.json.Decoder(_Expiry).decode


def _told(file: StoredFile) -> dict[str, object]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created.timestamp()),
        "expires_at": int(file.expires.timestamp()),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }


async def _upload(gateway: Gateway, request: Request) -> Reply:
    form = await run_sync(read_form, request.body)
    if (file := form.get("file")) is None:
        raise InvalidRequest("file is missing.", param="file")
    if form.keys() - _FIELDS:
        raise InvalidRequest(f"The form has a field that is not known here; known are {', '.join(sorted(_FIELDS))}.")
    fields = {name: part.content.decode("utf-8", "replace") for name, part in form.items() if name != "file"}
    purpose = fields.get("purpose", "")
    if purpose not in UPLOADED:
        raise InvalidRequest(f"purpose must be one of {', '.join(UPLOADED)}.", param="purpose")
    stored = await batches_of(gateway).upload(
        request.key,
        file.filename or "upload",
        file.content,
        purpose=purpose,
        labels=request.head.labels,
        keep=_keep(fields),
    )
    return Reply.json(_told(stored))


def _keep(fields: dict[str, str]) -> timedelta | None:
    """How long the client wants the file kept; None: it does not say.

    OpenAI's clients say it in two fields with brackets; by its OpenAPI it is one field, of JSON.
    """
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if (whole := fields.get("expires_after")) is not None:
        if (anchor, seconds) != (None, None):
            raise InvalidRequest("expires_after is said twice.", hint="Say it once.", param="expires_after")
        try:
            expiry = _expiry(whole)
        except UNREADABLE as exc:
            raise invalid(exc, within="expires_after") from exc
        anchor, seconds = expiry.anchor, str(expiry.seconds)
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise InvalidRequest("expires_after.anchor must be created_at.", param="expires_after.anchor")
    kept = int(seconds) if seconds and seconds.isascii() and seconds.isdigit() and len(seconds) < 10 else 0
    if not _SHORTEST <= kept <= _LONGEST:
        raise InvalidRequest("expires_after.seconds must be 3600 to 2592000.", param="expires_after.seconds")
    return timedelta(seconds=kept)


async def _list(gateway: Gateway, request: Request) -> Reply:
    limit = limit_of(request.query, default=10_000, most=10_000)
    found = await batches_of(gateway).files(
        request.key,
        purpose=request.query.get("purpose"),
        after=request.query.get("after"),
        limit=limit + 1,
        order=order_of(request.query),
    )
    files = [_told(file) for file in found[:limit]]
    return Reply.json(
        {
            "object": "list",
            "data": files,
            "first_id": files[0]["id"] if files else None,
            "last_id": files[-1]["id"] if files else None,
            "has_more": len(found) > limit,
        }
    )


async def _retrieve(gateway: Gateway, request: Request) -> Reply:
    return Reply.json(_told(await batches_of(gateway).file(request.key, request.params["file"])))


async def _content(gateway: Gateway, request: Request) -> Reply:
    return Reply(200, _CONTENT, await batches_of(gateway).content(request.key, request.params["file"]))


async def _delete(gateway: Gateway, request: Request) -> Reply:
    file = request.params["file"]
    await batches_of(gateway).delete_file(request.key, file)
    return Reply.json({"id": file, "object": "file", "deleted": True})


ENDPOINTS = (
    handled("POST", "/v1/files", "openai", _upload, most_bytes=BatchLimits().file_bytes + _FORM_BYTES),
    handled("GET", "/v1/files", "openai", _list),
    handled("GET", "/v1/files/{file}", "openai", _retrieve),
    handled("GET", "/v1/files/{file}/content", "openai", _content),
    handled("DELETE", "/v1/files/{file}", "openai", _delete),
)
