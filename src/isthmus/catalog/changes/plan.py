"""What an update would change, which of it is applied on whose word, and what comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from isthmus.catalog.catalog import SNAPSHOT, Catalog, catalog_of
from isthmus.catalog.changes.change import NEW, Change
from isthmus.catalog.changes.diff import changes
from isthmus.catalog.changes.merging import merged
from isthmus.catalog.claim import Claim
from isthmus.catalog.reading import KINDS
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.offer import OfferRecord
from isthmus.catalog.records.terms import ModelException, TermsRecord
from isthmus.domain.errors import ConfigError

Name = tuple[str, str]
"""Kind and id of a record."""


@dataclass(frozen=True)
class Plan:
    """An update that was read and compared, and that nobody has agreed to yet."""

    before: Mapping[str, bytes]
    """The files in force, by path."""
    update: Mapping[str, bytes]
    """The files of the update; what it lacks stays."""

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """All of them.

        Raises:
            ConfigError: a record of the update is not right.
        """
        return changes(self.old, self.new)

    @cached_property
    def old(self) -> Catalog:
        """The catalog in force."""
        return catalog_of(self.before)

    @cached_property
    def new(self) -> Catalog:
        """The catalog that all of the update would make.

        Raises:
            ConfigError: a record of the update is not right.
        """
        files = {**self.before, **self.update}
        catalog = catalog_of(files)
        _check_names(files, catalog)
        return catalog

    @property
    def free(self) -> tuple[Change, ...]:
        """Those that loosen nothing."""
        return tuple(change for change in self.changes if not change.loosens and not change.contested)

    @property
    def loosening(self) -> tuple[Change, ...]:
        """Those that need to be accepted one by one, or as what they are."""
        return tuple(change for change in self.changes if change.loosens and not change.contested)

    @property
    def contested(self) -> tuple[Change, ...]:
        """Those that are shown only."""
        return tuple(change for change in self.changes if change.contested)

    def accepted(self, patterns: Collection[str]) -> frozenset[str]:
        """The ids of loosening changes that patterns name (`*` stands for anything).

        Raises:
            ConfigError: a pattern names none: a word that is misspelt must not look as if it had been taken.
        """
        found = {pattern: [one.id for one in self.loosening if fnmatchcase(one.id, pattern)] for pattern in patterns}
        if idle := [pattern for pattern, names in found.items() if not names]:
            raise ConfigError(f"No change that loosens is called {' or '.join(idle)}. Nothing was applied.")
        return frozenset(name for names in found.values() for name in names)

    def held(self, accepted: Collection[str], *, free: bool = True) -> tuple[Change, ...]:
        """What is not applied.

        Args:
            accepted: ids of loosening changes that are.
            free: whether those are applied that loosen nothing.

        A change that names a new record which is held is held as well, until nothing is left that names one.
        """
        held = {
            change.id: change
            for change in self.changes
            if change.contested or (change.id not in accepted if change.loosens else not free)
        }
        while True:
            absent = {(change.fact.kind, change.fact.record) for change in held.values() if change.fact.field == NEW}
            more = [one for one in self.changes if one.id not in held and absent.intersection(_names(one))]
            if not more:
                return tuple(held.values())
            held |= {change.id: change for change in more}

    def result(self, held: Collection[Change]) -> dict[str, bytes]:
        """The files that come out.

        Raises:
            ConfigError: they do not fit together.
        """
        return merged(self.old, self.new, self.before, self.update, held)


def _check_names(files: Mapping[str, bytes], catalog: Catalog) -> None:
    """Hold every file to the one path of its id: a second file of one id would stand where the first is looked at.

    Raises:
        ConfigError: a file has another path.
    """
    paths = {f"{kind}/{name}.yaml" for kind in KINDS for name in getattr(catalog, kind)}
    if strange := sorted(files.keys() - paths - {SNAPSHOT}):
        raise ConfigError("Files of the update are not named after their records.", problems=tuple(strange))


def _names(change: Change) -> Iterator[Name]:
    """The records that what comes after a change refers to."""
    match change.after:
        case ModelRecord() as model:
            yield from (("licences", name) for name in model.licence.readings)
        case TermsRecord() as terms:
            yield "providers", terms.provider
            yield from _excepted(terms.retention.model_exceptions)
        case OfferRecord() as offer:
            yield from (("providers", offer.provider), ("terms", offer.terms))
            yield from (("models", name) for name in offer.models)
        case _:
            yield from _named(change)


def _named(change: Change) -> Iterator[Name]:
    match change.fact.kind, change.fact.field, change.after:
        case "models", "licence", Claim() as claim:
            yield from (("licences", name) for name in claim.readings)
        case "terms" | "offers", "provider", str() as name:
            yield "providers", name
        case "offers", "terms", str() as name:
            yield "terms", name
        case "offers", "models", tuple() as names:
            yield from (("models", name) for name in names)
        case "terms", "retention.model_exceptions", tuple() as exceptions:
            yield from _excepted(exceptions)


def _excepted(exceptions: tuple[ModelException, ...]) -> Iterator[Name]:
    for exception in exceptions:
        yield from (("models", name) for name in exception.models)
