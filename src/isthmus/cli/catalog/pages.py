"""How records and listings look in the terminal: every fact with how it is known, `?` for what is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus.catalog.changes.facts import facts_of
from isthmus.catalog.changes.wording import told
from isthmus.catalog.claim import Claim, Source, stale
from isthmus.catalog.finding import Match
from isthmus.catalog.listing import ListedPrice, Listing
from isthmus.catalog.records.base import Record

WIDE = 110
"""Columns from which on a fact, and how it is known, stand side by side."""

UNKNOWN = Text("?", "dim")

_SHORT = {"verified": "", "declared": "", "derived": "dim", "conflict": "yellow", "unknown": "dim"}


class Fact(NamedTuple):
    """One fact as it is shown."""

    name: str
    value: Text
    known: Text
    """State, evidence, source and day."""
    note: str


def facts_shown(record: Record, today: date, *, left_out: frozenset[str] = frozenset()) -> Iterator[Fact]:
    """The facts of a record: claims always, other fields where they say something."""
    for path, value in facts_of(record).items():
        if path in {"title", *left_out}:
            continue
        name = re.sub(r"[._]", " ", path).removeprefix("components ").removesuffix(" present")
        if isinstance(value, Claim):
            yield Fact(name, claim_text(value), known_text(value, record.sources, today), value.note)
        elif value not in (None, "", (), False):
            for number, item in enumerate(value if isinstance(value, tuple) and _long(value) else (value,)):
                yield Fact(name if not number else "", Text(told(item)), Text(_where(item, record.sources), "dim"), "")


def _long(values: tuple[object, ...]) -> bool:
    return any(not isinstance(value, str) for value in values) or sum(len(str(value)) for value in values) > 120


def _where(item: object, sources: Mapping[str, Source]) -> str:
    place = getattr(item, "place", "")
    keys: Iterable[str] = getattr(item, "sources", ())
    return " · ".join([*([place] if place else []), *(_named(key, sources) for key in keys)])


def claim_text(claim: Claim[Any]) -> Text:
    """The value; all readings where sources disagree; `?` where nobody says."""
    if not claim.known:
        return UNKNOWN
    return Text(told(claim), _SHORT[claim.state])


def known_text(claim: Claim[Any], sources: Mapping[str, Source], today: date) -> Text:
    """How a fact is known: `verified E1 · docs, 2026-10-31`; `stale` where nobody looked for too long."""
    if not claim.known:
        return Text("unknown", "dim")
    text = Text(f"{claim.state} {claim.evidence}", "yellow" if claim.state == "conflict" else "")
    keys = [*claim.sources, *(key for other in claim.alternatives for key in other.sources)]
    if keys:
        text.append(f" · {', '.join(dict.fromkeys(_named(key, sources) for key in keys))}", "dim")
    if stale(claim, sources, today):
        text.append(" · stale", "yellow")
    return text


def _named(key: str, sources: Mapping[str, Source]) -> str:
    source = sources.get(key)
    return key if source is None else f"{key} {source.observed_on}"


def print_facts(console: Console, facts: Iterable[Fact]) -> None:
    """Facts as a table; in a narrow window how they are known stands below each."""
    wide = console.width >= WIDE
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(max_width=30, style="bold", overflow="fold")
    table.add_column(ratio=3, overflow="fold")
    if wide:
        table.add_column(ratio=2, overflow="fold")
    for fact in facts:
        value = fact.value if not fact.note else Text.assemble(fact.value, "\n", (fact.note, "dim"))
        if wide:
            table.add_row(fact.name, value, fact.known)
        else:
            below = fact.known.plain and fact.value is not UNKNOWN
            table.add_row(fact.name, Text.assemble(value, "\n", fact.known) if below else value)
    table.expand = True
    console.print(table)


def listings_table(listings: Iterable[Listing], *, wide: bool) -> Table:
    """Where a model is listed, at what price, until when."""
    table = Table(title="Listed at", title_justify="left", box=None, pad_edge=False)
    table.caption = "$ per million tokens; * feeds disagree, the dearer one is shown; ' two feeds agree"
    table.caption_justify = "left"
    table.add_column("provider", no_wrap=True)
    table.add_column("called there", overflow="fold")
    for name in ("in", "out", *(("cached", "context") if wide else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("retires", no_wrap=not wide, overflow="fold")
    for one in listings:
        price = dearest(one)
        mark = "*" if one.price.alternatives else "'" if one.price.evidence == "E2" else ""
        cells = [_plain(None if price is None else price.input), _plain(None if price is None else price.output) + mark]
        if wide:
            cells += [_plain(None if price is None else price.cached), context_told(one.context_tokens)]
        table.add_row(one.provider, one.api_id, *cells, ends(one, wide=wide))
    return table


def dearest(listing: Listing) -> ListedPrice | None:
    """The dearest reading: budgets are kept by it."""
    return max(listing.price.readings, key=lambda price: price.input + price.output, default=None)


def _plain(amount: object) -> str:
    return "?" if amount is None else format(amount, "f")


def context_told(claim: Claim[int]) -> str:
    return " or ".join(f"{tokens:,}" for tokens in claim.readings) or "?"


def ends(listing: Listing, *, wide: bool) -> str:
    days = " or ".join(day.isoformat() for day in listing.retires_on.readings)
    successor = listing.replacement.value
    return f"{days} → {successor}" if days and successor and wide else days


def headline(one: Match) -> str:
    """`2 open weights`, `?`."""
    found = one.openness
    return "?" if found.headline is None else f"{found.headline} {found.title}"


def cheapest_told(one: Match) -> str:
    """`0.10 / 0.40 groq`, `?`."""
    if one.cheapest is None:
        return "?"
    price = dearest(one.cheapest)
    assert price is not None
    return f"{_plain(price.input)} / {_plain(price.output)} {one.cheapest.provider}"
