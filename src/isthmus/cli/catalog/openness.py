"""`isthmus catalog openness`: how open models are, what that is computed from, and what other rules make of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.components import title
from isthmus.catalog.openness.openness import RULES, Assessment, Badge
from isthmus.catalog.openness.tier import TIERS
from isthmus.catalog.records.model import ModelRecord
from isthmus.cli.catalog.source import catalog_in_force
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import ConfigError
from isthmus.settings import load

Order = Literal["headline", "name", "licence", "mof", "index"]

Row = tuple[ModelRecord, Assessment]

_STYLES = {None: "dim", 0: "red", 1: "yellow", 2: "cyan", 3: "green", 4: "bold green"}
"""Of the headline."""

_WIDE = 120
"""Columns from which on the table has room for everything."""

_MOF = ("class III", "class II", "class I")


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Model or offer; without one, all models of the catalog.")
    ] = None,
    config: ConfigOption = None,
    sort: Annotated[
        Order, typer.Option(help="Order of all models: by headline, name, licence, MOF class or European index.")
    ] = "headline",
    as_json: JsonOption = False,
) -> None:
    """Show how open models are: the headline from 0 to 4, what it is computed from, and what other rules say."""
    catalog = catalog_in_force(config)
    records = tuple(catalog.models.values()) if name is None else models_meant(name, catalog, config)
    found = in_order(((record, assess(record, catalog.licences)) for record in records), sort)
    if as_json:
        shown = [as_plain(record, assessment) for record, assessment in found]
        print_json(shown if name is None or len(shown) != 1 else shown[0])
        return
    console = Console(highlight=False)
    if name is not None and len(found) == 1:
        _print_one(console, *found[0])
        return
    console.print(_table([assessment for _, assessment in found], wide=console.width >= _WIDE))
    console.print(f"{len(found)} models · catalog {catalog.version} · {RULES}", style="dim")


def in_order(found: Iterable[Row], order: Order) -> list[Row]:
    """Models with their assessments, the most open first, or by name; what is not known comes last."""
    return sorted(found, key=_ORDERS[order])


def models_meant(name: str, catalog: Catalog, config: Path | None) -> tuple[ModelRecord, ...]:
    """The models that a name stands for: a model, an offer of the catalog with all that it serves, or an own offer.

    Raises:
        ConfigError: nothing is called so, or the catalog does not know the model of the offer.
    """
    if (model := catalog.model(name)) is not None:
        return (model,)
    if (served := _served_by(name, catalog)) is not None:
        return served
    offers = load(config).offers
    if name in offers:
        record = catalog.models.get(offers[name].record or "")
        if record is not None:
            return (record,)
        raise ConfigError(
            f"Offer '{name}' serves '{offers[name].model}', which is not in the catalog.",
            hint="`isthmus catalog search` finds models by parts of their names.",
        )
    close = difflib.get_close_matches(name.lower(), [*catalog.models, *offers], n=3, cutoff=0.5)
    raise ConfigError(
        f"'{name}' is neither a model of the catalog nor an offer.",
        hint=f"Did you mean {' or '.join(close)}?" if close else "`isthmus catalog openness` lists all models.",
    )


def _served_by(name: str, catalog: Catalog) -> tuple[ModelRecord, ...] | None:
    """What an offer of the catalog serves: what it names, else what its provider lists; None: it is no such offer."""
    offer = catalog.offers.get(name)
    if offer is None:
        return None
    listed = (listing.model for listing in catalog.snapshot.listings if listing.provider == offer.provider)
    names = offer.models or tuple(sorted({model for model in listed if model is not None}))
    if not names:
        raise ConfigError(
            f"Which models '{name}' serves is not in the catalog.", hint="Name the model, such as qwen/qwen3-32b."
        )
    return tuple(catalog.models[model] for model in names if model in catalog.models)


def as_plain(record: ModelRecord, found: Assessment) -> dict[str, object]:
    """An assessment as plain values, with the sources that the record names."""
    return {
        "model": found.model,
        "title": record.title,
        "rules": RULES,
        "headline": found.headline,
        "headline_title": found.title,
        "axes": found.axes,
        "missing": found.missing,
        "unknown": found.unknown,
        "badges": found.badges,
        "licence": record.licence.readings,
        "sources": record.sources,
    }


def _mof(found: Assessment) -> Badge:
    return found.badges[0]


def _rank(found: Assessment) -> int:
    result = _mof(found).result
    return _MOF.index(result) + 1 if result in _MOF else 0


def _sum(found: Assessment) -> float:
    result = found.badges[-1].result
    return -1.0 if result == "unknown" else float(result.partition(" ")[0])


def _tier(found: Assessment) -> int:
    return -1 if found.axes.licence is None else TIERS.index(found.axes.licence)


def _headline(found: Assessment) -> int:
    return -1 if found.headline is None else found.headline


_ORDERS: dict[Order, Callable[[Row], tuple[Any, ...]]] = {
    "headline": lambda row: (-_headline(row[1]), row[0].id),
    "name": lambda row: (row[0].id,),
    "licence": lambda row: (-_tier(row[1]), row[0].id),
    "mof": lambda row: (-_rank(row[1]), -_headline(row[1]), row[0].id),
    "index": lambda row: (-_sum(row[1]), -_headline(row[1]), row[0].id),
}


def _table(found: list[Assessment], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    names = ["model", "how open", "licence"]
    names += ["weights", "data", "code", "MOF", "OSAID", "Art. 53(2)", "index"] if wide else ["MOF"]
    for name in names:
        table.add_column(name, no_wrap=True)
    for one in found:
        tool, _, osaid, act, index = one.badges
        headline = Text(_level(one), style=_STYLES[one.headline])
        axes = one.axes
        licence = axes.licence or "?"
        checklist = {"meets the checklist": "meets", "does not meet the checklist": "no"}.get(osaid.result, "?")
        cells: list[str | Text] = [one.model, headline, licence]
        if wide:
            cells += [axes.weights or "?", axes.data or "?", axes.train_code or "?"]
            cells += [_short(tool), checklist, _short(act), _short(index).removesuffix(" of 12")]
        else:
            cells.append(_short(tool))
        table.add_row(*cells)
    return table


def _level(found: Assessment) -> str:
    return found.title if found.headline is None else f"{found.headline} {found.title}"


def _short(badge: Badge) -> str:
    return {"unknown": "?", "unclassified": "-"}.get(badge.result, badge.result.removeprefix("class "))


def _print_one(console: Console, record: ModelRecord, found: Assessment) -> None:
    console.print(Text.assemble((record.title, "bold"), f" · {record.id} · {record.producer.name}"))
    console.print(Text(_level(found), style=_STYLES[found.headline]), Text(f"by {RULES}", style="dim"))
    if found.missing:
        console.print(f"For the next level: {'; '.join(found.missing)}.")
    if found.unknown:
        console.print(f"Not known, and it might be higher: {', '.join(found.unknown)}.")
    console.print()
    axes = found.axes
    facts = Table.grid("fact", "value", padding=(0, 2))
    for name, value in (
        ("weights", axes.weights),
        ("licence", _licence(record, axes.licence)),
        ("training data", axes.data),
        ("training code", axes.train_code),
        ("checkpoints", None if axes.checkpoints is None else ("given" if axes.checkpoints else "not given")),
        ("documents", axes.docs),
    ):
        facts.add_row(name, Text(value or "unknown", style="" if value else "dim"))
    console.print(facts)
    for _, group in groupby(found.badges, key=lambda badge: (badge.result, badge.missing)):
        _print_badges(console, list(group))
    console.print("\nSources")
    for source in record.sources.values():
        line = f"{source.title or source.kind.replace('_', ' ')}, read {source.observed_on}: {source.url}"
        console.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def _print_badges(console: Console, badges: list[Badge]) -> None:
    """Badges with the same result, which lack the same."""
    console.print()
    names = " and ".join(badge.rules for badge in badges)
    console.print(Text.assemble((names, "bold"), ": ", badges[0].result))
    for line in _missing(badges[0]):
        console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))
    for note in dict.fromkeys(badge.note for badge in badges if badge.note):
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))


def _licence(record: ModelRecord, tier: str | None) -> str | None:
    if not record.licence.known:
        return None
    return f"{' or '.join(record.licence.readings)}: {tier or 'unknown'}"


def _missing(badge: Badge) -> tuple[str, ...]:
    """What is missing, shortly: where nothing is known of most components, a line instead of a page of them."""
    unknown = [title(part.component) for part in badge.parts if part.standing == "unknown"]
    if len(unknown) <= 3:
        return badge.missing
    kept = tuple(line for line in badge.missing if not line.endswith(": unknown"))
    left = [name for name in unknown if f"{name}: unknown" in badge.missing]
    return (*kept, f"unknown: {', '.join(left)}") if left else kept
