"""From files to records, with every mistake named by file and field.

A record is a YAML file in the folder of its kind, named after its id (`meta/llama-4-scout` is
`models/meta/llama-4-scout.yaml`; dots and colons stay). What msgspec cannot say about a record is checked here:
sources that are not there, claims that say more than their state allows, codes of countries that are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

import msgspec

from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.places import is_place
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.licence import Clause, LicenceRecord, TerritoryExclusion
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.offer import OfferRecord, Region
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord, UseTerm
from isthmus.domain.errors import ConfigError

R = TypeVar("R", bound=Record)

KINDS: Mapping[str, type[Record]] = {
    "models": ModelRecord,
    "licences": LicenceRecord,
    "providers": ProviderRecord,
    "offers": OfferRecord,
    "terms": TermsRecord,
}
"""The kinds of records by the folder they lie in."""

QUOTE_WORDS = 25
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_SEAT = "seat"


def read_record(kind: type[R], text: bytes, where: str) -> R:
    """One record.

    Args:
        kind: what it is to be.
        text: YAML.
        where: the file, for errors.

    Raises:
        ConfigError: it is not YAML, has a field too many or of another type, or contradicts itself.
    """
    try:
        record = msgspec.yaml.decode(text, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(f"{where}: {exc}") from exc
    problems = list(problems_of(record))
    if (
        PurePosixPath(where).with_suffix("").parts[-len(PurePosixPath(record.id).parts) :]
        != PurePosixPath(record.id).parts
    ):
        problems.append(f"id {record.id!r} is not the name of the file")
    if problems:
        raise ConfigError(f"{where}: {'; '.join(problems)}.")
    return record


def problems_of(record: Record) -> Iterator[str]:
    """What is wrong with a record that its types cannot say, as parts of a sentence."""
    for key, source in record.sources.items():
        yield from (f"sources.{key} {problem}" for problem in _source_problems(source))
    for path, found in _within(record, ""):
        match found:
            case Claim():
                yield from (f"{path} {problem}" for problem in _claim_problems(found, record.sources))
                if path.rpartition(".")[2] == _SEAT and found.value is not None and not is_place(str(found.value)):
                    yield f"{path} is no country: {found.value!r}"
            case TerritoryExclusion() if not all(is_place(code) for code in found.countries):
                yield f"{path}.countries has a code that is no country"
            case Region():
                for name in ("processing", "storage"):
                    for places in getattr(found, name).readings:
                        yield from (f"{path}.{name} is no country: {code!r}" for code in places if not is_place(code))
        if isinstance(found, Clause | UseTerm):
            if not found.says.endswith(".") or not found.place:
                yield f"{path} must say something in a sentence, and where it stands"
            yield from (f"{path} {problem}" for problem in _source_keys(found.sources, record.sources, needed=True))


def _source_problems(source: Source) -> Iterator[str]:
    if not source.url.startswith("https://"):
        yield "has no https address"
    if source.content_sha256 is not None and not _HEX.match(source.content_sha256):
        yield "has a content_sha256 that is none"


def _claim_problems(claim: Claim[Any], sources: Mapping[str, Source]) -> Iterator[str]:
    if (claim.state == "unknown") != (claim.value is None):
        yield "must have a value exactly where its state is not 'unknown'"
    if (claim.state == "conflict") != bool(claim.alternatives):
        yield "must have alternatives exactly where its state is 'conflict'"
    if claim.state == "unknown" and claim.evidence != "E0":
        yield "is unknown, and has evidence"
    for alternative in claim.alternatives:
        yield from _source_keys(alternative.sources, sources, needed=True)
    if claim.state == "derived":
        return
    yield from _source_keys(claim.sources, sources, needed=claim.state != "unknown")
    kinds = {sources[key].kind for key in claim.sources if key in sources}
    if kinds == {"recollection"} and (claim.evidence != "E0" or claim.state == "verified"):
        yield "rests on recollection alone, and must be declared with evidence E0"
    if claim.state == "verified" and kinds <= {"secondary", "recollection", "feed"}:
        yield "is not verified by what others say or feeds list; it is declared"


def _source_keys(keys: tuple[str, ...], sources: Mapping[str, Source], *, needed: bool) -> Iterator[str]:
    if needed and not keys:
        yield "has no source"
    for key in keys:
        if key not in sources:
            yield f"names source {key!r}, which the record has not"


def _within(value: object, path: str) -> Iterator[tuple[str, Any]]:
    """Every struct inside a value, with the path of fields that leads there."""
    if isinstance(value, msgspec.Struct):
        if path:
            yield path, value
        for field in value.__struct_fields__:
            yield from _within(getattr(value, field), f"{path}.{field}" if path else field)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _within(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _within(item, f"{path}[{number}]")
