"""`isthmus ledger`: the latest requests, one request, and what was spent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.cli.span import span
from isthmus.domain.errors import InvalidRequest
from isthmus.ledger.reader import DIMENSIONS, Dimension, Gap, LedgerReader, Record, Spending
from isthmus.ledger.store import Store
from isthmus.settings import load

app = typer.Typer(help="What was asked, who served it, why, and what it cost.", no_args_is_help=True)

StoreOption = Annotated[
    str | None, typer.Option("--store", help="Address of the store (sqlite:////absolute/path.db), past the settings.")
]


def store_of(address: str | None, config: Path | None) -> Store:
    """The store at an address, or else that of the settings."""
    # Without ports: where the store is does not hang on which engines run.
    return Store(address if address is not None else load(config, ports={}).store.url)


@app.command()
def tail(
    count: Annotated[int, typer.Option("-n", "--count", min=0, help="Entries to begin with.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show new entries as they come, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the latest entries, newest last. JSON comes as one object a line."""
    reader = LedgerReader(store_of(store, config))
    # Asked for first, so that nothing falls between the latest entries and the new ones.
    new = reader.follow() if follow else iter(())
    latest = reader.tail(count)
    if as_json:
        for record in latest:
            typer.echo(msgspec.json.encode(record_json(record)))
        for record in new:
            typer.echo(msgspec.json.encode(record_json(record)))
        return
    console = Console()
    if latest:
        console.print(_entries_table(latest))
        _say_gaps(console, reader.gaps(since=min(record.entry.began for record in latest)))
    elif not follow:
        console.print("The ledger has no entries yet.")
    for record in new:
        console.print(_line(record), highlight=False, markup=False)


@app.command()
def show(
    request: Annotated[str, typer.Argument(help="Id of the request, or enough of its beginning.", metavar="ID")],
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one request: who asked, what was decided and why, what was tried, what it used and cost."""
    record = LedgerReader(store_of(store, config)).get(request)
    if record is None:
        raise InvalidRequest(
            f"The ledger has no request {request!r}.", hint="`isthmus ledger tail` names the latest ones."
        )
    if as_json:
        print_json(record_json(record))
        return
    _print_record(Console(), record)


@app.command()
def cost(
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help=f"Group by {', '.join(DIMENSIONS)}; may be given more than once, or with commas."),
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w.")] = "30d",
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what was spent, the dearest first. Days are days in UTC."""
    dimensions = _dimensions(by if by is not None else ["workload", "offer"])
    began = datetime.now(UTC) - span(since)
    reader = LedgerReader(store_of(store, config))
    spendings = reader.spending(dimensions, since=began)
    gaps = reader.gaps(since=began)
    if as_json:
        print_json(
            {
                "since": began,
                "by": dimensions,
                "groups": [
                    {
                        **dict(zip(dimensions, spending.group, strict=True)),
                        **{name: value for name, value in msgspec.to_builtins(spending).items() if name != "group"},
                    }
                    for spending in spendings
                ],
                "gaps": gaps,
            }
        )
        return
    console = Console()
    if not spendings:
        console.print(f"The ledger has no entries of the last {since}.")
    else:
        console.print(_spending_table(dimensions, spendings, since))
    _say_gaps(console, gaps)


def record_json(record: Record) -> dict[str, Any]:
    """A record as plain values: decimals as text, instants in UTC, `total` null where it is not known."""
    values: dict[str, Any] = msgspec.to_builtins(record.entry)
    return {
        **values,
        "total": _known(record.entry.total),
        "settled": record.settled,
        "writer": record.writer,
        "seq": record.seq,
        "crashed_writer": record.crashed_writer,
    }


def _dimensions(texts: Iterable[str]) -> list[Dimension]:
    names = [name for text in texts for name in text.split(",") if name]
    unknown = [name for name in names if name not in DIMENSIONS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is nothing to group by: choose from {', '.join(DIMENSIONS)}.")
    return [dimension for name in dict.fromkeys(names) for dimension in DIMENSIONS if dimension == name]


_REQUEST_WIDTH = 31
"""Of the ids that isthmus gives."""


def _entries_table(records: Iterable[Record]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("time", "who", "workload", "offer", "outcome"):
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for column in ("in", "out", "cost", "first", "total"):
        table.add_column(column, justify="right", no_wrap=True)
    # Last and never cut: it is what `isthmus ledger show` wants to be given.
    table.add_column("request", min_width=_REQUEST_WIDTH, no_wrap=True)
    for record in records:
        table.add_row(*_cells(record))
    return table


def _line(record: Record) -> str:
    return "  ".join(cell for cell in _cells(record) if cell)


def _cells(record: Record) -> list[str]:
    entry = record.entry
    usage = entry.usage
    return [
        _time(entry.began),
        entry.principal.key or entry.principal.user or "",
        entry.workload or "",
        f"{entry.offer} ({entry.side})" if entry.offer and entry.side else entry.offer or "",
        entry.outcome if entry.error is None else f"{entry.outcome}: {entry.error}",
        "" if usage is None else str(usage.input),
        "" if usage is None else str(usage.output),
        _money(entry.cost),
        _seconds(entry.first_token),
        _seconds(_known(entry.total)),
        entry.id,
    ]


def _print_record(console: Console, record: Record) -> None:
    entry, who = record.entry, record.entry.principal
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    usage = entry.usage
    rows: list[tuple[str, str | None]] = [
        ("request", entry.id),
        ("began", f"{_time(entry.began)} ({entry.began.isoformat()})"),
        ("outcome", entry.outcome if entry.error is None else f"{entry.outcome}: {entry.error}"),
        ("asked by", _words(("tenant", who.tenant), ("team", who.team), ("user", who.user), ("key", who.key))),
        ("asked for", f"{entry.model} in {entry.dialect}{', streamed' if entry.streamed else ''}"),
        ("workload", entry.workload),
        ("conversation", entry.conversation),
        ("labels", ", ".join(f"{found.label} (from {found.source})" for found in entry.labels) or "none"),
        ("goal", entry.goal),
        ("offer", entry.offer and _words(("", entry.offer), ("model", entry.offer_model), ("side", entry.side))),
        (
            "tokens",
            "not known"
            if usage is None
            else f"{usage.input} in ({usage.cached} cached, {usage.cache_written} written to the cache), "
            f"{usage.output} out ({usage.reasoning} reasoning)",
        ),
        ("cost", f"{_money(entry.cost) or 'not known'}{f', by {entry.price_source}' if entry.price_source else ''}"),
        ("first token", _seconds(entry.first_token) or "none"),
        ("total", _seconds(_known(entry.total)) or "not known: isthmus stopped while it was in flight"),
        ("catalog", entry.catalog_version),
        ("ledger", f"writer {record.writer}, number {record.seq}"),
    ]
    for name, value in rows:
        if value:
            facts.add_row(name, value)
    console.print(facts, highlight=False, markup=False)
    if entry.attempts:
        tried = Table("offer", "after", "took", "status", "error", title="Tried", title_justify="left", box=None)
        for attempt in entry.attempts:
            status = "" if attempt.status is None else str(attempt.status)
            tried.add_row(
                attempt.offer, _seconds(attempt.started), _seconds(attempt.seconds), status, attempt.error or "served"
            )
        console.print(tried, highlight=False, markup=False)
    if entry.rejected:
        rejected = Table("offer", "code", "why", title="Not used", title_justify="left", box=None)
        for rejection in entry.rejected:
            rejected.add_row(rejection.offer, rejection.code, rejection.sentence)
        console.print(rejected, highlight=False, markup=False)


def _spending_table(dimensions: list[Dimension], spendings: list[Spending], since: str) -> Table:
    table = Table(title=f"Spent in the last {since}", title_justify="left", box=None, show_footer=True)
    total = sum((spending.cost for spending in spendings), Decimal(0))
    for place, dimension in enumerate(dimensions):
        table.add_column("day (UTC)" if dimension == "day" else dimension, footer="" if place else "all")
    sums = [
        ("requests", str(sum(spending.requests for spending in spendings))),
        ("in", str(sum(spending.input_tokens for spending in spendings))),
        ("out", str(sum(spending.output_tokens for spending in spendings))),
        ("cost", _money(total)),
        ("cost unknown", str(sum(spending.unknown_cost for spending in spendings))),
    ]
    for name, footer in sums:
        table.add_column(name, justify="right", footer=footer)
    for spending in spendings:
        table.add_row(
            *(value or "-" for value in spending.group),
            str(spending.requests),
            str(spending.input_tokens),
            str(spending.output_tokens),
            _money(spending.cost),
            str(spending.unknown_cost),
        )
    return table


def _say_gaps(console: Console, gaps: list[Gap]) -> None:
    for gap in gaps:
        console.print(
            f"Missing: {gap.lost} entries of requests from {_time(gap.first)} to {_time(gap.last)}. {gap.reason}",
            style="red",
            highlight=False,
            markup=False,
        )


def _words(*pairs: tuple[str, str | None]) -> str:
    return ", ".join(f"{name} {value}".strip() for name, value in pairs if value)


def _time(instant: datetime) -> str:
    return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f} s"


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"${amount.normalize():f}"
