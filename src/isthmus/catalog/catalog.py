"""The catalog: all records, with their manifest, and how they are found by the names people and providers use.

It is what came along in `seed/` and `snapshot/`, with what an update put in their place, and an operator's own records
on top. Reading YAML takes a second, so what was read is kept as JSON in the cache folder under the hash of the files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import msgspec

from isthmus.catalog.listing import Listing, Snapshot
from isthmus.catalog.reading import KINDS, read_record
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.offer import OfferRecord
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.errors import ConfigError

R = TypeVar("R", bound=Record)

SNAPSHOT = "snapshot/listings.json"

_BESIDE = Path(__file__).parent / "__pycache__"


class Catalog(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Every record by id."""

    version: str
    """First 16 hexadecimal digits of the hash of the manifest: of every file's path and SHA-256."""
    models: Mapping[str, ModelRecord]
    licences: Mapping[str, LicenceRecord]
    providers: Mapping[str, ProviderRecord]
    offers: Mapping[str, OfferRecord]
    terms: Mapping[str, TermsRecord]
    snapshot: Snapshot

    def model(self, name: str) -> ModelRecord | None:
        """A model by id, by another name of its, or by what a provider's API calls it.

        A path before the last slash, capital letters and a date at the end of an API's name do not matter, as long as
        only one model answers to what is left.
        """
        found = self.models.get(name)
        return found if found is not None else self._model_names.get(name.lower()) or self._by_last_part(name)

    def licence(self, name: str) -> LicenceRecord | None:
        """A licence by id, SPDX identifier or another name of its."""
        return self.licences.get(name) or self._licence_names.get(name.lower())

    def listed(self, provider: str, api_id: str) -> Listing | None:
        """What the feeds say of a model at a provider."""
        return self._listings.get((provider, api_id))

    def listings_of(self, model: str) -> tuple[Listing, ...]:
        """Where a model of ours is listed."""
        return tuple(listing for listing in self.snapshot.listings if listing.model == model)

    def provider_of(self, service: str) -> ProviderRecord | None:
        """Who operates a row of the table of providers."""
        return next((found for found in self.providers.values() if service in found.services), None)

    @cached_property
    def _model_names(self) -> Mapping[str, ModelRecord]:
        names: dict[str, ModelRecord] = {}
        for model in self.models.values():
            for name in (model.id, *model.aliases):
                names[name.lower()] = model
        for listing in self.snapshot.listings:
            if listing.model is not None and (listed := self.models.get(listing.model)) is not None:
                names.setdefault(listing.api_id.lower(), listed)
        return names

    @cached_property
    def _last_parts(self) -> Mapping[str, ModelRecord | None]:
        """By the last part of their names; None where two models share it."""
        parts: dict[str, ModelRecord | None] = {}
        for name, model in self._model_names.items():
            last = name.rpartition("/")[2]
            parts[last] = model if parts.get(last, model) is model else None
        return parts

    def _by_last_part(self, name: str) -> ModelRecord | None:
        return self._last_parts.get(name.lower().rpartition("/")[2])

    @cached_property
    def _licence_names(self) -> Mapping[str, LicenceRecord]:
        return {
            name.lower(): licence
            for licence in self.licences.values()
            for name in (licence.id, *licence.names, *((licence.spdx,) if licence.spdx else ()))
        }

    @cached_property
    def _listings(self) -> Mapping[tuple[str, str], Listing]:
        return {(listing.provider, listing.api_id): listing for listing in self.snapshot.listings}


def load_catalog(*, updates: Path | None = None, own: Path | None = None, cache_dir: Path | None = None) -> Catalog:
    """The catalog in force.

    Args:
        updates: folder with files that replace those that came along, file by file; None or not there: none do.
        own: folder of the operator's own records, which go before all others.
        cache_dir: where what was read is kept, if it cannot be kept beside this module, as bytecode is; None: nowhere.

    Raises:
        ConfigError: a record is not right, or refers to one that is not there.
    """
    found = contents_of(updates=updates, own=own)
    version = version_of(found)
    places = [folder / f"catalog-{version}.json" for folder in (_BESIDE, cache_dir) if folder is not None]
    for kept in places:
        if (known := _read_kept(kept)) is not None:
            return known
    catalog = catalog_of(found)
    for kept in places:
        if _keep(kept, catalog):
            break
    return catalog


def contents_of(*, updates: Path | None = None, own: Path | None = None) -> dict[str, bytes]:
    """The files of the catalog in force, by path; folders as for `load_catalog`."""
    found = _files(files(__package__))
    for folder in (updates, own):
        if folder is not None and folder.is_dir():
            # An update turns a link to a whole folder: what is read is one folder or the other, and never half of each.
            found |= _files(folder.resolve())
    return found


def version_of(contents: Mapping[str, bytes]) -> str:
    """Of files by path: 16 hexadecimal digits that change when any of them does."""
    return hashlib.sha256(manifest_of(contents).encode()).hexdigest()[:16]


def manifest_of(contents: Mapping[str, bytes]) -> str:
    """The SHA-256 and path of every file, a line each, as `sha256sum` writes them; sorted by path."""
    return "".join(f"{hashlib.sha256(contents[path]).hexdigest()}  {path}\n" for path in sorted(contents))


def catalog_of(contents: Mapping[str, bytes]) -> Catalog:
    """The catalog that files make, by their paths (`models/meta/llama-4-scout.yaml`, `snapshot/listings.json`).

    Raises:
        ConfigError: a record is not right, or refers to one that is not there.
    """

    def records(folder: str, kind: type[R]) -> dict[str, R]:
        found = (read_record(kind, text, path) for path, text in contents.items() if path.startswith(f"{folder}/"))
        return {record.id: record for record in sorted(found, key=lambda record: record.id)}

    catalog = Catalog(
        version=version_of(contents),
        models=records("models", ModelRecord),
        licences=records("licences", LicenceRecord),
        providers=records("providers", ProviderRecord),
        offers=records("offers", OfferRecord),
        terms=records("terms", TermsRecord),
        snapshot=msgspec.json.decode(contents[SNAPSHOT], type=Snapshot),
    )
    if problems := tuple(_dangling(catalog)):
        raise ConfigError("The catalog refers to records that it has not.", problems=problems)
    return catalog


def _dangling(catalog: Catalog) -> Iterable[str]:
    """References to records that are not there."""
    for model in catalog.models.values():
        for licence in model.licence.readings:
            if licence not in catalog.licences:
                yield f"{model.id}: its licence {licence!r} is not in the catalog"
    for terms in catalog.terms.values():
        if terms.provider not in catalog.providers:
            yield f"{terms.id}: its provider {terms.provider!r} is not in the catalog"
        excepted = {name for exception in terms.retention.model_exceptions for name in exception.models}
        yield from (f"{terms.id}: model {name!r} is not in the catalog" for name in excepted - catalog.models.keys())
    for offer in catalog.offers.values():
        if offer.provider not in catalog.providers:
            yield f"{offer.id}: its provider {offer.provider!r} is not in the catalog"
        if offer.terms not in catalog.terms:
            yield f"{offer.id}: its terms {offer.terms!r} are not in the catalog"
        yield from (f"{offer.id}: model {n!r} is not in the catalog" for n in offer.models if n not in catalog.models)


def _files(root: Traversable) -> dict[str, bytes]:
    """The files of records below a folder, and the snapshot, by path; without `seed/`."""
    found: dict[str, bytes] = {}
    for kind in KINDS:
        for base in (root / "seed" / kind, root / kind):
            if base.is_dir():
                _walk(base, kind, found)
    listings = root / "snapshot" / "listings.json"
    if listings.is_file():
        found[SNAPSHOT] = listings.read_bytes()
    return found


def _walk(folder: Traversable, path: str, found: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            _walk(entry, name, found)
        elif entry.name.endswith(".yaml"):
            found[name] = entry.read_bytes()


def _read_kept(kept: Path) -> Catalog | None:
    try:
        return msgspec.json.decode(kept.read_bytes(), type=Catalog)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _keep(kept: Path, catalog: Catalog) -> bool:
    """Write the file, whole or not at all, in the place of older ones; returns whether it could be written.

    It only saves time, so a folder that cannot be written is no failure.
    """
    partial = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.encode(catalog))
        for old in kept.parent.glob("catalog-*.json"):
            old.unlink(missing_ok=True)
        partial.replace(kept)
    except OSError:
        return False
    return True
