"""`isthmus offers`: which models there are, where, at what price, and what they may see."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.capabilities import SUPPORTS
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.offer import Offer, Workload
from isthmus.settings import Settings, load

_WIDE = 120
"""Columns from which on the table of offers has room."""

_SIDE_STYLES = {"own": "green", "hosted": "yellow", "closed": "red"}


def command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the offers of models, the workloads they serve, and where that is set."""
    settings = load(config)
    if as_json:
        print_json(as_plain(settings))
    else:
        _print(Console(), settings)


def as_plain(settings: Settings) -> dict[str, object]:
    """The offers and workloads as plain values. Secrets are references, as in the settings."""
    return {
        "source": None if settings.source is None else str(settings.source),
        "catalog_version": settings.version,
        "catalog_manifest": settings.manifest,
        "organisation": settings.organisation,
        "default_workload": settings.default_workload,
        "offers": [_plain_offer(offer) for offer in settings.offers.values()],
        "workloads": [
            {
                "name": workload.name,
                "offers": list(workload.offers),
                "goal": workload.goal,
                "labels": sorted(workload.labels),
                "attempts": workload.attempts,
                "uses": sorted(workload.uses),
            }
            for workload in settings.workloads.values()
        ],
        "notes": list(settings.notes),
    }


def _plain_offer(offer: Offer) -> dict[str, object]:
    price = offer.price
    return {
        "name": offer.name,
        "model": offer.model,
        "provider": offer.provider,
        "dialect": offer.dialect,
        "url": offer.base_url or None,
        "key": None if offer.key is None else str(offer.key),
        "side": offer.side,
        "record": offer.record,
        "terms": offer.terms,
        "region": offer.region,
        "jurisdiction": offer.jurisdiction,
        "retention_days": offer.retention_days,
        "training": offer.training,
        "evidence": offer.evidence,
        "barred": {use: dataclasses.asdict(ruling) for use, ruling in offer.barred},
        "cleared": "everything" if offer.clearance.everything else sorted(offer.clearance.labels),
        "quality": offer.quality,
        "price": None
        if price is None
        else {
            field.name: _amount(getattr(price, field.name)) if field.name != "source" else price.source
            for field in dataclasses.fields(price)
        },
        "capabilities": dataclasses.asdict(offer.capabilities),
        "retired_on": None if offer.retired_on is None else offer.retired_on.isoformat(),
        "weights": None if offer.engine is None else offer.engine.weights.ref,
    }


def _print(console: Console, settings: Settings) -> None:
    offers = list(settings.offers.values())
    if console.width >= _WIDE:
        console.print(_offers_table(offers))
    else:
        _print_offers_narrow(console, offers)
    console.print(_workloads_table(list(settings.workloads.values()), settings.default_workload))
    _print_bars(console, settings)
    where = settings.source or "no settings file: found on this machine"
    console.print(f"from {where} · catalog {settings.version}", style="dim", highlight=False, markup=False)
    for note in settings.notes:
        console.print(f"· {note}", style="dim", highlight=False, markup=False)


def _print_offers_narrow(console: Console, offers: list[Offer]) -> None:
    """A few lines for each offer: a table of ten columns would cut words in a narrow window."""
    console.print("Offers ($ per million tokens)", style="italic")
    for offer in offers:
        style = _SIDE_STYLES[offer.side]
        console.print(
            f"[bold]{escape(offer.name)}[/] · [{style}]{offer.side}[/] · {escape(_served(offer))}", highlight=False
        )
        facts = [
            f"cleared for {_cleared(offer)}",
            "price not known"
            if offer.price is None
            else f"${_amount(offer.price.input)} in, ${_amount(offer.price.output)} out",
            f"region {offer.region or 'not known'}",
            _data(offer),
        ]
        if offer.capabilities.context_tokens is not None:
            facts.append(f"{offer.capabilities.context_tokens:,} tokens")
        for line in (" · ".join(facts), f"can: {_can(offer)}"):
            console.print(Padding(Text(line), (0, 0, 0, 2)))
    console.print()


def _data(offer: Offer) -> str:
    """What happens to what it is sent, and how well that is known."""
    kept = "time kept not known" if offer.retention_days is None else f"kept {offer.retention_days} days"
    trains = {"never": "never trains", "opt-out": "trains not (opted out)", "yes": "trains", "unknown": "may train"}
    return f"{kept}, {trains[offer.training]} ({offer.evidence})"


def _print_bars(console: Console, settings: Settings) -> None:
    """What licences and terms keep offers from, of what their workloads are for."""
    wanted = {use for workload in settings.workloads.values() for use in workload.uses} | settings.uses
    for offer in settings.offers.values():
        for use, ruling in offer.barred:
            if use in wanted:
                line = f"{offer.name} may not be used for {use}: {ruling.sentence}"
                console.print(line, style="red", highlight=False, markup=False)


def _served(offer: Offer) -> str:
    return f"{offer.model} at {offer.provider}"


def _offers_table(offers: list[Offer]) -> Table:
    table = Table(title="Offers", title_justify="left", caption="$ per million tokens", caption_justify="left")
    for name in ("offer", "model", "provider", "side", "region", "what is sent", "cleared for"):
        table.add_column(name, overflow="fold")
    for name in ("in", "out", "context"):
        table.add_column(name, justify="right")
    table.add_column("can")
    for offer in offers:
        style = _SIDE_STYLES[offer.side]
        table.add_row(
            offer.name,
            offer.model if offer.model != offer.name else "",
            offer.provider,
            f"[{style}]{offer.side}[/]",
            offer.region or "?",
            _data(offer),
            _cleared(offer),
            "?" if offer.price is None else _amount(offer.price.input),
            "?" if offer.price is None else _amount(offer.price.output),
            "?" if offer.capabilities.context_tokens is None else f"{offer.capabilities.context_tokens:,}",
            _can(offer),
        )
    return table


def _workloads_table(workloads: list[Workload], default: str) -> Table:
    table = Table(title="Workloads", title_justify="left")
    for name in ("workload", "offers", "goal", "labels"):
        table.add_column(name, overflow="fold")
    for workload in workloads:
        name = f"{workload.name} (default)" if workload.name == default else workload.name
        table.add_row(name, ", ".join(workload.offers), workload.goal, ", ".join(sorted(workload.labels)))
    return table


def _cleared(offer: Offer) -> str:
    if offer.clearance.everything:
        return "everything"
    return ", ".join(sorted(offer.clearance.labels)) or "unlabelled only"


def _can(offer: Offer) -> str:
    """What is known to work; `~` before what isthmus emulates. Unknown is not a no: the provider will say."""
    marks = {"yes": "", "emulated": "~"}
    known = {name: getattr(offer.capabilities, name) for name in SUPPORTS}
    return " ".join(marks[support] + name for name, support in known.items() if support in marks) or "not known"


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")
