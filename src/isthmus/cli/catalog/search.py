"""`isthmus catalog search`: models by words and by what they must be."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus.catalog.finding import Match, Wanted, like, others, price_of, search
from isthmus.cli.catalog.pages import WIDE, cheapest_told, headline
from isthmus.cli.catalog.source import catalog_in_force
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.offer import Side

_OTHERS = 8
"""Records that are no models, shown below."""


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter("is no amount of dollars")
    return amount


def command(
    words: Annotated[list[str] | None, typer.Argument(help="Words in names; none: all models.")] = None,
    config: ConfigOption = None,
    side: Annotated[Side | None, typer.Option(help="own or hosted: with weights; closed: without.")] = None,
    open_: Annotated[int | None, typer.Option("--open", min=0, max=4, help="Open at least so much, 0 to 4.")] = None,
    licence: Annotated[str | None, typer.Option(help="A licence, or a tier such as permissive.")] = None,
    context: Annotated[int | None, typer.Option(min=1, help="Tokens of context at least.")] = None,
    max_price: Annotated[
        Decimal | None,
        typer.Option(parser=_dollars, help="Dollars per million tokens at most, three of input to one of output."),
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Listed at this provider.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find models by words in their names and by what they must be. What is not known meets no demand."""
    catalog = catalog_in_force(config)
    text = " ".join(words or ())
    wanted = Wanted(
        text=text,
        side=side,
        open_at_least=open_,
        licence=licence,
        context_at_least=context,
        max_price=max_price,
        provider=provider,
    )
    found = search(catalog, wanted)
    besides = others(catalog, text) if wanted == Wanted(text=text) else ()
    if as_json:
        kinds = [{"kind": one.kind, "id": one.record.id, "title": one.record.title} for one in besides]
        print_json({"models": [as_plain(one) for one in found], "others": kinds, "catalog": catalog.version})
        return
    console = Console(highlight=False)
    if found:
        console.print(_table(found, wide=console.width >= WIDE))
    elif not besides:
        close = like(text, catalog)
        console.print(f"Nothing is called so. Did you mean {' or '.join(close)}?" if close else "Nothing is found.")
    for one in besides[:_OTHERS]:
        console.print(Text(f"{one.kind} {one.record.id}: {one.record.title}"))
    if len(besides) > _OTHERS:
        console.print(f"and {len(besides) - _OTHERS} more licences, offers, terms and providers", style="dim")
    console.print(f"{len(found)} of {len(catalog.models)} models · catalog {catalog.version}", style="dim")


def as_plain(one: Match) -> dict[str, object]:
    """A row as plain values."""
    return {
        "model": one.model.id,
        "title": one.model.title,
        "headline": one.openness.headline,
        "licence": one.model.licence.readings,
        "tier": one.openness.axes.licence,
        "context_tokens": one.context,
        "providers": sorted({listing.provider for listing in one.listings}),
        "cheapest": one.cheapest,
        "price_blended": None if one.cheapest is None else price_of(one.cheapest),
    }


def _table(found: tuple[Match, ...], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    table.caption = "$ in / out per million tokens at the cheapest provider"
    table.caption_justify = "left"
    table.add_column("model", overflow="fold", min_width=20)
    table.add_column("open", no_wrap=True)
    table.add_column("licence", overflow="fold")
    table.add_column("context", justify="right", no_wrap=True)
    table.add_column("$ from", no_wrap=wide, overflow="fold")
    if wide:
        table.add_column("listed at", overflow="fold")
    for one in found:
        level = headline(one) if wide else headline(one).partition(" ")[0]
        context = "?" if one.context is None else _thousands(one.context)
        cells = [one.model.id, level, one.openness.axes.licence or "?", context, cheapest_told(one)]
        if wide:
            cells.append(", ".join(sorted({listing.provider for listing in one.listings})) or "?")
        table.add_row(*cells)
    return table


def _thousands(tokens: int) -> str:
    """`128k`, `1.05M`: what a context is called."""
    return f"{tokens / 1_000_000:.3g}M" if tokens >= 1_000_000 else f"{round(tokens / 1000)}k"
