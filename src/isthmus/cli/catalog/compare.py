"""`isthmus catalog compare`: two to five models, licences, offers, terms or providers, fact by fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.changes.facts import facts_of
from isthmus.catalog.changes.wording import told
from isthmus.catalog.claim import Claim
from isthmus.catalog.finding import Found, match
from isthmus.catalog.openness.tier import tier_of
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import ModelRecord
from isthmus.cli.catalog.pages import cheapest_told, ends, headline
from isthmus.cli.catalog.show import meant
from isthmus.cli.catalog.source import catalog_in_force
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import ConfigError

_LEAST, _MOST = 2, 5

_COLUMN = 22
"""Characters that a column needs; where there is less room, facts stand below each other."""

_SKIPPED = frozenset({"title", "note", "family", "aliases", "benchmarks", "names", "text_sha256", "licence_revisions"})
"""Fields that say nothing beside each other."""


class Row(NamedTuple):
    """One fact of all that are compared."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def command(
    names: Annotated[list[str], typer.Argument(help="Two to five of one kind.")],
    config: ConfigOption = None,
    differing: Annotated[bool, typer.Option("--differing", help="Only what differs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare things of one kind, fact by fact; ? is what nobody says, ≠ marks what differs."""
    if not _LEAST <= len(names) <= _MOST:
        raise ConfigError(f"Between {_LEAST} and {_MOST} can be compared, not {len(names)}.")
    catalog = catalog_in_force(config)
    found = [meant(name, catalog, config) for name in names]
    if len({one.kind for one in found}) > 1:
        told_kinds = ", ".join(f"{one.record.id} ({one.kind})" for one in found)
        raise ConfigError(f"Only things of one kind can be compared: {told_kinds}.")
    rows = [row for row in rows_of(found, catalog) if row.differs or not differing]
    ids = [one.record.id for one in found]
    if as_json:
        facts = [
            {"fact": row.name, "differs": row.differs, "values": dict(zip(ids, row.values, strict=True))}
            for row in rows
        ]
        print_json({"kind": found[0].kind, "compared": ids, "facts": facts, "catalog": catalog.version})
        return
    console = Console(highlight=False)
    if console.width >= _COLUMN * (len(ids) + 1):
        console.print(_table(ids, rows))
    else:
        _print_stacked(console, ids, rows)
    console.print(f"catalog {catalog.version}", style="dim")


def rows_of(found: Sequence[Found], catalog: Catalog) -> list[Row]:
    """The facts that any of them has, in the order of the records; what is computed comes first."""
    columns = [{**_computed(one, catalog), **_facts(one)} for one in found]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = (Row(name, tuple(column.get(name, "?") for column in columns)) for name in names)
    return [row for row in rows if set(row.values) - {"?", "none", "no"}]


def _computed(one: Found, catalog: Catalog) -> Mapping[str, str]:
    match one.record:
        case ModelRecord() as model:
            found = match(model, catalog)
            ending = [f"{listing.provider} {ends(listing, wide=False)}" for listing in found.listings]
            return {
                "open": headline(found),
                "licence tier": found.openness.axes.licence or "?",
                **{badge.rules: badge.result for badge in found.openness.badges},
                "listed at": ", ".join(sorted({listing.provider for listing in found.listings})) or "?",
                "$ in / out from": cheapest_told(found),
                "retires": ", ".join(dict.fromkeys(end for end in ending if not end.endswith(" "))) or "?",
            }
        case LicenceRecord() as licence:
            return {"tier": tier_of(licence)}
        case _:
            return {}


def _facts(one: Found) -> Mapping[str, str]:
    shown: dict[str, str] = {}
    for path, value in facts_of(one.record).items():
        if path in _SKIPPED or path.startswith("card"):
            continue
        name = path.replace("components.", "").replace(".present", "").replace(".", " ").replace("_", " ")
        known = value.known if isinstance(value, Claim) else value not in (None, "", ())
        shown[name] = told(value) if known else "?"
    return shown


def _table(ids: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("")
    table.add_column("fact", style="bold", overflow="fold", ratio=2)
    for name in ids:
        table.add_column(name, overflow="fold", ratio=3)
    for row in rows:
        table.add_row(Text("≠" if row.differs else " ", "yellow"), row.name, *(_cell(value) for value in row.values))
    return table


def _cell(value: str) -> Text:
    return Text(value, "dim" if value == "?" else "")


def _print_stacked(console: Console, ids: Sequence[str], rows: Sequence[Row]) -> None:
    """Every fact with one line for each."""
    for row in rows:
        console.print(Text(f"{'≠' if row.differs else ' '} {row.name}", "bold"))
        if not row.differs:
            console.print(Padding(Text(f"all: {row.values[0]}"), (0, 0, 0, 4)))
            continue
        for name, value in zip(ids, row.values, strict=True):
            console.print(Padding(Text.assemble((f"{name}: ", "dim"), _cell(value)), (0, 0, 0, 4)))
