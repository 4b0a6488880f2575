"""What the file says of the organisation, the catalog and the doctor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.organisation import Contract, Organisation
from isthmus.catalog.places import is_place
from isthmus.domain.licensing import RequestUse
from isthmus.settings.places import UPDATES
from isthmus.settings.problems import Problems
from isthmus.settings.schema import CatalogTable, DoctorTable, OrganisationTable
from isthmus.settings.values import CatalogSettings, DoctorSettings


def catalog_settings(table: CatalogTable, *, folder: Path, state_dir: Path, problems: Problems) -> CatalogSettings:
    """Where the catalog is; relative paths are below the folder of the file."""
    own = None if table.folder is None else (folder / Path(table.folder).expanduser()).absolute()
    if own is not None and not own.is_dir():
        problems.add(("catalog", "folder"), "is not a folder that can be found")
    return CatalogSettings(
        updates=state_dir / UPDATES,
        own=own,
        lock=(folder / Path(table.lock).expanduser()).absolute(),
        require_lock=table.require_lock,
    )


def organisation_of(table: OrganisationTable, problems: Problems) -> Organisation:
    """The organisation, as licences and terms ask for it."""
    if table.seat is not None and not is_place(table.seat):
        problems.add(("organisation", "seat"), "is no country. Say its ISO 3166-1 code of two letters, such as DE")
    for place in table.operates_in:
        if not is_place(place):
            problems.add(("organisation", "operates_in"), "has a code that is no country, nor EU or EEA")
    contracts = tuple(
        Contract(covers=held.covers, kind=held.kind, sha256=held.sha256, until=held.until)
        for held in table.contracts.values()
    )
    said = table.model_dump(exclude={"use", "unknown", "contracts"})
    return Organisation(**said, contracts=contracts)


def check_contracts(table: OrganisationTable, catalog: Catalog, problems: Problems) -> None:
    """Whether what contracts cover is in the catalog: a misspelt one would silently not count."""
    for name, held in table.contracts.items():
        known: Mapping[str, object] = catalog.licences if held.kind == "licence" else catalog.terms
        if held.covers not in known:
            what = "licence" if held.kind == "licence" else "terms"
            problems.add(("organisation", "contracts", name, "covers"), f"is no {what} of the catalog")


def doctor_settings(table: DoctorTable, folder: Path) -> DoctorSettings:
    return DoctorSettings(
        addresses=table.addresses,
        folders=tuple((folder / Path(name).expanduser()).absolute() for name in table.folders),
    )


def uses_of(table: OrganisationTable | None) -> frozenset[RequestUse]:
    """What answers are for where a workload does not say."""
    return frozenset({"internal"}) if table is None else frozenset(table.use)
