"""What a request says to isthmus itself, in the `metadata` of its body.

A misspelt name is refused: a label that is not understood would be no label.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.estimates import CONVERSATION_LIMIT
from isthmus.dialects.once import fields_once
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.label import Label, label

_NAMES = ("isthmus-labels", "isthmus-workload", "isthmus-conversation")
_NULL = b"null"
_text = msgspec.json.Decoder(str | None)


class OwnMetadata(NamedTuple):
    labels: frozenset[Label] = frozenset()
    workload: str | None = None
    conversation: str | None = None


NOTHING = OwnMetadata()


def read_own(metadata: msgspec.Raw | None, *, within: str = "metadata") -> OwnMetadata:
    """What the field `metadata` says to isthmus; `within` is its name where a dialect calls it otherwise.

    Raises:
        InvalidRequest: it is no object, says a name twice, or what it says to isthmus cannot be understood.
    """
    if metadata is None or bytes(metadata) == _NULL:
        return NOTHING
    told = fields_once(metadata, within=within)
    for name in told:
        if name not in _NAMES and name.strip().lower().replace("_", "-").startswith("isthmus"):
            raise InvalidRequest(
                f"{within} has a name that begins with isthmus and is none of {', '.join(_NAMES)}.", param=within
            )
    try:
        labels, workload, conversation = (_text.decode(told.get(name, _NULL)) for name in _NAMES)
    except UNREADABLE as exc:
        raise InvalidRequest(f"What {within} says to isthmus must be text.", param=within) from exc
    if conversation is not None and len(conversation) > CONVERSATION_LIMIT:
        raise InvalidRequest(
            f"{within}.isthmus-conversation must have at most {CONVERSATION_LIMIT} characters.",
            param=f"{within}.isthmus-conversation",
        )
    return OwnMetadata(_labels(labels, within), workload or None, conversation or None)


def without_own(metadata: msgspec.Raw | None, *, within: str = "metadata") -> msgspec.Raw | None:
    """The field as an offer is sent it; None: nothing of it is left."""
    if metadata is None or bytes(metadata) == _NULL:
        return metadata
    told = fields_once(metadata, within=within)
    kept = {name: value for name, value in told.items() if name not in _NAMES}
    if len(kept) == len(told):
        return metadata
    return msgspec.Raw(msgspec.json.encode(kept)) if kept else None


def readdressed(fields: dict[str, msgspec.Raw], model: str) -> bytes:
    """A body of these fields as an offer is sent it: for its model, and without what `metadata` says to isthmus."""
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    kept = without_own(fields.pop("metadata", None))
    if kept is not None:
        fields["metadata"] = kept
    return msgspec.json.encode(fields)


def _labels(names: str | None, within: str) -> frozenset[Label]:
    try:
        return frozenset(label(name) for part in (names or "").split(",") if (name := part.strip()))
    except ValueError as exc:
        raise InvalidRequest(
            f"{within}.isthmus-labels must be label names separated by commas, each 1 to 63 of a-z, 0-9, '.', '_', "
            "'-', beginning with a-z or 0-9.",
            param=f"{within}.isthmus-labels",
        ) from exc
