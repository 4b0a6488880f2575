"""What a tool of an MCP server gave, with its mark.

The mark is what the operator says of the server. What the server says of a result (`_meta`) can only make it stricter:
fewer readers, more labels, more who could have written it.

Source: `_meta` of the Model Context Protocol; `ifc` as GitHub's MCP server emits it (`integrity`, `confidentiality`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from mcp_types import CallToolResult, EmbeddedResource, ImageContent, ResourceLink, TextContent, TextResourceContents

from isthmus.agent.inert import one_line
from isthmus.agent.marks import EVERYONE, ONLY_THE_USER, UNKNOWN, Mark, Origin, Party, Readers
from isthmus.agent.tool import Field, Image, Item, ToolResult
from isthmus.connectors.mcp_client.account import Account
from isthmus.connectors.mcp_client.specs import ITEM
from isthmus.domain.label import Label, label

IFC = "ifc"
MARK = "dev.isthmus/mark"
"""Key of our own mark in `_meta`: labels, readers and origins, as `mcp_server` writes them."""

MOST_TEXT = 60_000
_MOST_ORIGINS = 50


def mark_of(name: str, account: Account, labels: frozenset[Label], meta: Mapping[str, Any] | None) -> Mark:
    """The mark of what a server gave."""
    match account.readers:
        case "user":
            readers = ONLY_THE_USER
        case "everyone":
            readers = EVERYONE
        case parties:
            readers = Readers(frozenset(map(Party, parties)))
    mark = Mark(labels=labels, readers=readers, origins=frozenset({Origin(account.origin or f"mcp:{name}")}))
    for stricter in _said(meta or {}):
        mark = mark.joined(stricter)
    return mark


def _said(meta: Mapping[str, Any]) -> list[Mark]:
    """What a server says of a result itself, as marks to be joined. What is not understood counts as the strictest."""
    found: list[Mark] = []
    if IFC in meta:
        said = meta[IFC] if isinstance(meta[IFC], dict) else {}
        who = said.get("confidentiality")
        readers = EVERYONE if who == "public" else _readers(who)
        found.append(Mark(readers=readers, origins=frozenset({UNKNOWN})))
    if MARK in meta:
        said = meta[MARK] if isinstance(meta[MARK], dict) else {}
        origins = [Origin(one_line(str(one), 200)) for one in _list(said.get("origins"))[:_MOST_ORIGINS]]
        readers = EVERYONE if said.get("readers") == "everyone" else _readers(said.get("readers"))
        found.append(
            Mark(
                labels=_labels(said.get("labels")), readers=readers, origins=frozenset(origins) or frozenset({UNKNOWN})
            )
        )
    return found


def _readers(value: Any) -> Readers:
    return Readers(frozenset(Party(str(one)) for one in _list(value)))


def _labels(value: Any) -> frozenset[Label]:
    found = set()
    for one in _list(value):
        try:
            found.add(label(one))
        except (TypeError, ValueError):
            continue  # a name that is none here; the operator's own labels are there in any case
    return frozenset(found)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def result_of(call: str, given: CallToolResult, mark: Mark) -> ToolResult:
    """What a tool gave, as a result."""
    texts, image, left_out = _parts(given, mark)
    if given.structured_content is not None and not texts:
        texts.append(msgspec.json.format(msgspec.json.encode(given.structured_content), indent=1).decode())
    whole = "\n".join(texts)
    notes = [f"{left_out} parts that are no text were left out."] if left_out else []
    if len(whole) > MOST_TEXT:
        notes.append(f"The first {MOST_TEXT} characters of {len(whole)}.")
    if given.is_error:
        notes.append("The server says that it failed.")
    items = () if not whole else (_item(call, whole[:MOST_TEXT], mark),)
    return ToolResult(items=items, note=" ".join(notes), image=image, failed=given.is_error)


def _item(call: str, text: str, mark: Mark) -> Item:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Item(kind=ITEM, id=call, fields={"text": Field(value=text, kind="text", mark=mark)}, content_sha256=digest)


def _parts(given: CallToolResult, mark: Mark) -> tuple[list[str], Image | None, int]:
    texts: list[str] = []
    image: Image | None = None
    left_out = 0
    for part in given.content:
        match part:
            case TextContent(text=text):
                texts.append(text)
            case EmbeddedResource(resource=TextResourceContents(text=text)):
                texts.append(text)
            case ResourceLink(uri=uri):
                texts.append(str(uri))
            case ImageContent(data=data, mime_type=media_type) if image is None:
                try:
                    image = Image(data=base64.b64decode(data, validate=True), media_type=media_type, mark=mark)
                except binascii.Error:
                    left_out += 1
            case _:
                left_out += 1
    return texts, image, left_out
