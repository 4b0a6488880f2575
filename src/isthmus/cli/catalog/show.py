"""`isthmus catalog show`: one page on a model, licence, offer, terms or provider."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.finding import Found, find, match
from isthmus.catalog.openness.openness import RULES
from isthmus.catalog.openness.tier import tier_of
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import ModelRecord
from isthmus.cli.catalog.pages import WIDE, facts_shown, headline, listings_table, print_facts
from isthmus.cli.catalog.source import catalog_in_force
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import ConfigError
from isthmus.settings import load


def command(
    name: Annotated[str, typer.Argument(help="Id of a model, licence, offer, terms or provider, or what an API says.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of one thing: each fact with how it is known, and ? for what nobody says."""
    catalog = catalog_in_force(config)
    found = meant(name, catalog, config)
    if as_json:
        print_json(as_plain(found, catalog))
    else:
        print_page(Console(highlight=False), found, catalog, datetime.now(UTC).date())


def meant(name: str, catalog: Catalog, config: Path | None) -> Found:
    """What a name means in the catalog; the name of an offer of the settings means the model that it serves.

    Raises:
        ConfigError: nothing.
    """
    try:
        return find(name, catalog)
    except ConfigError:
        own = load(config).offers.get(name)
        model = None if own is None else catalog.models.get(own.record or "") or catalog.model(own.model)
        if model is None:
            raise
        return Found(kind="model", record=model)


def as_plain(found: Found, catalog: Catalog) -> dict[str, object]:
    """A page as plain values."""
    page: dict[str, object] = {"kind": found.kind, "record": found.record, "catalog": catalog.version}
    if isinstance(found.record, ModelRecord):
        one = match(found.record, catalog)
        page |= {"openness": one.openness, "listings": one.listings, "feeds": catalog.snapshot.sources}
    if isinstance(found.record, LicenceRecord):
        page |= {"tier": tier_of(found.record), "models": _under(found.record, catalog)}
    return page


def print_page(console: Console, found: Found, catalog: Catalog, today: date) -> None:
    """Print the page of a record."""
    record = found.record
    console.print(Text.assemble((record.title, "bold"), f" · {record.id} · {found.kind}"))
    match record:
        case ModelRecord():
            _print_model(console, record, catalog, today)
        case LicenceRecord():
            console.print(f"tier: {tier_of(record)}\n")
            print_facts(console, facts_shown(record, today))
            if models := _under(record, catalog):
                console.print(f"\nmodels under it: {', '.join(models)}", soft_wrap=False)
        case _:
            console.print()
            print_facts(console, facts_shown(record, today))
    _print_sources(console, record)
    console.print(f"catalog {catalog.version}", style="dim")


def _print_model(console: Console, model: ModelRecord, catalog: Catalog, today: date) -> None:
    one = match(model, catalog)
    tier = one.openness.axes.licence or "?"
    licences = " or ".join(model.licence.readings) or "?"
    console.print(f"[bold]{headline(one)}[/] by {RULES} · licence {licences} ({tier})")
    for badge in one.openness.badges:
        console.print(Text(f"  {badge.rules}: {badge.result}", "dim"))
    console.print()
    print_facts(console, facts_shown(model, today))
    console.print()
    if one.listings:
        console.print(listings_table(one.listings, wide=console.width >= WIDE))
    else:
        console.print("No feed lists it at a provider that the catalog knows.", style="dim")
    for listing in one.listings:
        notes = [note for note in (listing.price.note, listing.retires_on.note) if note]
        if notes:
            console.print(Text(f"  {listing.provider} {listing.api_id}: {'; '.join(notes)}", "dim"))


def _under(licence: LicenceRecord, catalog: Catalog) -> tuple[str, ...]:
    return tuple(model.id for model in catalog.models.values() if licence.id in model.licence.readings)


def _print_sources(console: Console, record: Record) -> None:
    console.print()
    for key, source in record.sources.items():
        console.print(Text(f"{key}: {source.url} ({source.kind}, {source.observed_on})", "dim"), soft_wrap=True)
