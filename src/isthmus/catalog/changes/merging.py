"""The catalog that accepted changes make: the new files, with what was not accepted put back as it was.

A file all of whose changes are taken is taken byte for byte. Where something is put back, the record is written anew,
with the sources that its claims name: of two sources of one name, the older one gets its day behind the name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from isthmus.catalog.catalog import SNAPSHOT, Catalog, catalog_of
from isthmus.catalog.changes.change import GONE, NEW, Change
from isthmus.catalog.changes.facts import RETIREMENT, RETIREMENT_FIELDS
from isthmus.catalog.feeds.naming import Naming
from isthmus.catalog.listing import Snapshot, snapshot_json
from isthmus.catalog.reading import KINDS
from isthmus.domain.errors import ConfigError

Plain = dict[str, Any]


def merged(
    old: Catalog, new: Catalog, before: Mapping[str, bytes], after: Mapping[str, bytes], held: Collection[Change]
) -> dict[str, bytes]:
    """The files of the catalog after all changes but those that are held.

    Args:
        old: the catalog of the files in force.
        new: the catalog of those with the update's in their place.
        before: files by path, those in force.
        after: files by path, those of the update; what it lacks stays.
        held: changes from the one to the other that are not applied.

    Raises:
        ConfigError: what is left does not fit together: a record that is taken names one that is held. Its message
            says which, and nothing is to be applied.
    """
    files = {**before, **after}
    for kind in KINDS:
        for record, changes in _by_record(held, kind).items():
            path = _path(files, kind, record)
            if any(change.fact.field == NEW for change in changes):
                del files[path]
            else:
                theirs, ours = (
                    msgspec.to_builtins(getattr(catalog, kind)[record], builtin_types=(date,)) for catalog in (new, old)
                )
                back = _put_back(theirs, ours, [change.fact.field for change in changes])
                files[path] = before[path] if back == ours else msgspec.yaml.encode(back)
    listings = _listings(old, new, [change for change in held if change.fact.kind == "listings"])
    try:
        models = catalog_of({**files, SNAPSHOT: before[SNAPSHOT]}).models
    except ConfigError as exc:
        raise ConfigError(
            "What is left of the update does not fit together without what was not accepted.",
            hint="Accept the records that are missing, or none of those that name them.",
            problems=exc.problems or (exc.message,),
        ) from exc
    # Which model a name means follows from the models' aliases, whatever an update says.
    naming = Naming(models)
    mapped = tuple(
        msgspec.structs.replace(listing, model=naming.model_of(listing.api_id)) for listing in listings.listings
    )
    if mapped != new.snapshot.listings or listings.sources != new.snapshot.sources:
        files[SNAPSHOT] = snapshot_json(msgspec.structs.replace(listings, listings=mapped))
    return files


def _by_record(held: Collection[Change], kind: str) -> Mapping[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for change in held:
        if change.fact.kind == kind:
            found.setdefault(change.fact.record, []).append(change)
    return found


def _path(files: Mapping[str, bytes], kind: str, record: str) -> str:
    path = f"{kind}/{record}.yaml"
    assert path in files, "a record's file is named after it"
    return path


def _put_back(theirs: Plain, ours: Plain, fields: Collection[str]) -> Plain:
    """A record with some fields, and the sources they name, as they were."""
    sources: Plain = theirs.setdefault("sources", {})
    for field in fields:
        _put(theirs, ours, field.split("."), before=ours.get("sources", {}), sources=sources)
    return theirs


def _put(theirs: Plain, ours: Plain, parts: list[str], *, before: Plain, sources: Plain) -> None:
    """One field as it was. What holds it is put back whole, or taken out whole, where only one of the two has it."""
    part, *rest = parts
    if part not in ours:
        theirs.pop(part, None)
    elif rest and part in theirs:
        _put(theirs[part], ours[part], rest, before=before, sources=sources)
    else:
        theirs[part] = _with_sources(ours[part], before, sources)


def _with_sources(value: Any, theirs: Plain, into: Plain) -> Any:
    """A value whose sources are in a record, under other names where those names are taken."""
    names: dict[str, str] = {}
    for key in set(_named(value)):
        source = theirs.get(key)
        if source is None:
            continue
        name = key
        if into.get(name, source) != source:
            name = f"{key}@{source['observed_on']}"
        while into.get(name, source) != source:
            name += "'"
        into[name] = source
        names[key] = name
    return _renamed(value, names)


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "sources":
                yield from item
            else:
                yield from _named(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: tuple(names.get(name, name) for name in item) if key == "sources" else _renamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return tuple(_renamed(item, names) for item in value)
    return value


def _listings(old: Catalog, new: Catalog, held: Collection[Change]) -> Snapshot:
    """The listings with what is held put back."""
    theirs: dict[str, Plain] = {
        f"{one.provider} {one.api_id}": msgspec.to_builtins(one) for one in new.snapshot.listings
    }
    ours = {f"{one.provider} {one.api_id}": msgspec.to_builtins(one) for one in old.snapshot.listings}
    sources: Plain = msgspec.to_builtins(new.snapshot.sources)
    before: Plain = msgspec.to_builtins(old.snapshot.sources)
    for change in held:
        name, field = change.fact.record, change.fact.field
        if field == NEW:
            del theirs[name]
        elif field == GONE:
            theirs[name] = _with_sources(ours[name], before, sources)
        else:
            for part in RETIREMENT_FIELDS if field == RETIREMENT else (field,):
                theirs[name][part] = _with_sources(ours[name][part], before, sources)
    snapshot = {
        "made_on": new.snapshot.made_on,
        "sources": sources,
        "listings": [theirs[name] for name in sorted(theirs, key=lambda name: name.split(" ", 1))],
    }
    return msgspec.convert(snapshot, Snapshot)
