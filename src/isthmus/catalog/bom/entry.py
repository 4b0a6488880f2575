"""What all parts of a bill of materials are made of: properties, references, licences, addresses without secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

from isthmus.catalog.openness import spdx
from isthmus.catalog.openness.open_licences import Licences

Json = dict[str, object]

PREFIX = "isthmus:"
"""Of the names of our properties."""


def properties(facts: Iterable[tuple[str, object]]) -> list[Json]:
    """Facts by name as properties, in their order, without what is None or empty; yes and no are `true` and `false`."""
    return [
        {"name": f"{PREFIX}{name}", "value": str(value).lower() if isinstance(value, bool) else str(value)}
        for name, value in facts
        if value is not None and value != ""
    ]


def reference(kind: str, url: str, comment: str = "") -> Json:
    """An external reference."""
    return {"type": kind, "url": url, **({"comment": comment} if comment else {})}


def filled(entry: Mapping[str, object]) -> Json:
    """The entry without what is empty: nothing is said where nothing is known."""
    return {key: value for key, value in entry.items() if value not in (None, "", [], {})}


def public_address(url: str) -> str:
    """An address without what might be secret in it: name and password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def licence_choice(names: tuple[str, ...], licences: Licences) -> list[Json]:
    """Licences by the ids of their records, as CycloneDX lists them; more than one where sources disagree.

    An `id` must be on the list of SPDX identifiers that came out with version 1.6 of the format. A younger one is an
    expression where it stands alone, and otherwise a name, as are licences that have no identifier.
    """
    if len(names) == 1 and (record := licences.get(names[0])) is not None and record.spdx:
        listed = spdx.osi_approved(record.spdx) or spdx.fsf_libre(record.spdx)
        return (
            [_licence(names[0], licences)] if listed else [{"expression": record.spdx, "acknowledgement": "declared"}]
        )
    return [_licence(name, licences) for name in names]


def _licence(name: str, licences: Licences) -> Json:
    record = licences.get(name)
    if record is None:
        return {"license": {"name": name, "acknowledgement": "declared"}}
    if record.spdx and (spdx.osi_approved(record.spdx) or spdx.fsf_libre(record.spdx)):
        called: Json = {"id": record.spdx}
    else:
        called = {"name": record.title}
    return {
        "license": {
            **called,
            "acknowledgement": "declared",
            "url": record.text_url,
            "properties": properties([("licence", record.id)]),
        }
    }
