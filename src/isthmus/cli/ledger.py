"""`isthmus ledger`: the latest requests, one request, what was spent, and whether all of it is what was written."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.cli.span import span
from isthmus.domain.entry import CrossingNote, Entry
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.kept import Kept
from isthmus.domain.label import Labelled
from isthmus.domain.offer import SecretRef
from isthmus.ledger.capture import read_content, read_key
from isthmus.ledger.reader import DIMENSIONS, Dimension, Gap, LedgerReader, Record, Spending
from isthmus.ledger.signing import PublicKey, key_file, read_public_key, read_signing_key
from isthmus.ledger.store import Store
from isthmus.ledger.verify import ExportedCheckpoint, Report, latest_checkpoint, verify
from isthmus.providers.secrets import Secrets
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
        console.print(entries_table(latest, console.width))
        _say_gaps(console, reader.gaps(since=min(record.entry.began for record in latest)))
    elif not follow:
        console.print("The ledger has no entries yet.")
    for record in new:
        console.print(entries_table([record], console.width, header=False))


@app.command()
def show(
    request: Annotated[str, typer.Argument(help="Id of the request, or enough of its beginning.", metavar="ID")],
    content: Annotated[
        bool, typer.Option("--content", help="Show what was said, where it was kept and has not expired.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", help="Where the key of kept content is (env:NAME, file:PATH, keyring:NAME): for --content."
        ),
    ] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one request: who asked, what was decided and why, what was tried, what it used and cost."""
    opened = store_of(store, config)
    reader = LedgerReader(opened)
    record = reader.get(request)
    if record is None:
        raise InvalidRequest(
            f"The ledger has no request {request!r}.", hint="`isthmus ledger tail` names the latest ones."
        )
    crossings = reader.crossings(record.entry.id)
    kept = _content(opened, record.entry.id, key) if content else None
    if as_json:
        values = {**record_json(record), "crossings": crossings}
        print_json({**values, "content": kept} if content else values)
        return
    console = Console()
    _print_record(console, record, crossings)
    if content:
        _print_content(console, kept)


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
                        **{n: value for n, value in msgspec.to_builtins(spending).items() if n != "group"},
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


@app.command("verify")
def verify_store(
    public_keys: Annotated[
        list[Path] | None,
        typer.Option(
            "--public-key",
            help="Public key (PEM) that may have signed; may be given more than once. Else: this store's.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Checkpoint kept elsewhere that must be in the store.")
    ] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Check that the ledger is what was written. Names what was altered, dropped or moved, and then ends with 1."""
    opened = store_of(store, config)
    opened.require()
    keys = [read_public_key(path) for path in public_keys or ()] or [_own_key(opened)]
    kept = None if checkpoint is None else _read_checkpoint(checkpoint)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        task = progress.add_task("checking", total=None)
        report = verify(
            opened,
            keys,
            kept=kept,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        print_json({"intact": report.intact, **msgspec.to_builtins(report)})
    else:
        _print_report(Console(soft_wrap=True, highlight=False, markup=False), report, told_keys=bool(public_keys))
    if not report.intact:
        raise typer.Exit(1)


@app.command("public-key")
def public_key(store: StoreOption = None, config: ConfigOption = None) -> None:
    """Print the public key of this ledger's checkpoints (PEM). Keep it where the ledger's machine cannot write."""
    typer.echo(_own_key(store_of(store, config)).pem, nl=False)


@app.command("checkpoint")
def checkpoint_command(store: StoreOption = None, config: ConfigOption = None) -> None:
    """Print the latest checkpoint (JSON), to be kept elsewhere: with it, `verify` notices a ledger that was cut off."""
    opened = store_of(store, config)
    opened.require()
    latest = latest_checkpoint(opened)
    if latest is None:
        raise InvalidRequest("The ledger has no checkpoint yet.", hint="The first is signed when `isthmus up` starts.")
    print_json(latest)


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


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table of entries."""

    name: str
    cell: Callable[[Record], str]
    gives_way: int
    """Columns leave a narrow table in this order, the lowest first; 0: stays."""
    right: bool = False
    at_most: int = 31
    """Characters; what is longer ends in an ellipsis."""


_COLUMNS = (
    _Column("time", lambda record: _time(record.entry.began), 0),
    _Column("who", lambda record: record.entry.principal.key or record.entry.principal.user or "", 5),
    _Column("workload", lambda record: record.entry.workload or "", 4),
    _Column("offer", lambda record: _offer(record.entry), 0, at_most=24),
    _Column("outcome", lambda record: _outcome(record.entry), 0),
    _Column("labels", lambda record: ", ".join(dict.fromkeys(one.label for one in record.entry.labels)), 8, at_most=24),
    _Column("in", lambda record: "" if record.entry.usage is None else str(record.entry.usage.input), 2, right=True),
    _Column("out", lambda record: "" if record.entry.usage is None else str(record.entry.usage.output), 3, right=True),
    _Column("cost", lambda record: _money(record.entry.cost), 7, right=True),
    _Column("first", lambda record: _seconds(record.entry.first_token), 1, right=True),
    _Column("total", lambda record: _seconds(_known(record.entry.total)), 6, right=True),
    # Last and never cut: it is what `isthmus ledger show` wants to be given.
    _Column("request", lambda record: record.entry.id, 0, at_most=64),
)
_BETWEEN = 2
"""Blanks between columns."""


def entries_table(records: Sequence[Record], width: int, *, header: bool = True) -> Table:
    """Entries in a line each, in as many columns as fit: first the year goes, then columns, the least useful first."""
    cells = {column.name: [column.cell(record) for record in records] for column in _COLUMNS}
    columns = list(_COLUMNS)

    def wide(column: _Column) -> int:
        longest = max(len(cell) for cell in cells[column.name])
        return min(max(longest, len(column.name) if header else 0), column.at_most)

    def least(column: _Column) -> int:
        return min(wide(column), _READABLE) if column.name in _CUT else wide(column)

    def too_wide(of: Callable[[_Column], int]) -> int:
        return max(0, sum(map(of, columns)) + _BETWEEN * (len(columns) - 1) - width)

    if too_wide(wide):
        cells["time"] = [_clock(record.entry.began) for record in records]
    while too_wide(least) and any(column.gives_way for column in columns):
        columns.remove(min((column for column in columns if column.gives_way), key=lambda column: column.gives_way))
    excess = too_wide(wide)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _BETWEEN, 0, 0), show_header=header)
    for column in columns:
        share = min(excess, wide(column) - least(column))
        excess -= share
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=wide(column) - share,
        )
    for place in range(len(records)):
        table.add_row(*(Text(cells[column.name][place]) for column in columns))
    return table


_CUT = frozenset({"offer", "outcome", "labels"})
_READABLE = 13
"""Columns that can still be read when cut to so many characters."""


def _offer(entry: Entry) -> str:
    return f"{entry.offer} ({entry.side})" if entry.offer and entry.side else entry.offer or ""


def _outcome(entry: Entry) -> str:
    return entry.outcome if entry.error is None else f"{entry.outcome}: {entry.error}"


def _print_record(console: Console, record: Record, crossings: Sequence[CrossingNote]) -> None:
    entry, who = record.entry, record.entry.principal
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    usage = entry.usage
    rows: list[tuple[str, str | None]] = [
        ("request", entry.id),
        ("began", f"{_time(entry.began)} ({entry.began.isoformat()})"),
        ("outcome", f"{_outcome(entry)}{_SAID.get(entry.outcome, '')}"),
        ("asked by", _words(("tenant", who.tenant), ("team", who.team), ("user", who.user), ("key", who.key))),
        ("asked for", f"{entry.model} in {entry.dialect}{', streamed' if entry.streamed else ''}"),
        ("workload", entry.workload),
        ("conversation", entry.conversation),
        ("labels", ", ".join(map(_labelled, entry.labels)) or "none"),
        ("goal", entry.goal),
        ("offer", entry.offer and _words(("", entry.offer), ("model", entry.offer_model), ("side", entry.side))),
        ("cache", "the answer was given before, nobody was asked" if entry.cached else None),
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
        ("policy", entry.policy_version),
        ("ledger", f"writer {record.writer}, number {record.seq}"),
    ]
    for name, value in rows:
        if value:
            facts.add_row(name, value)
    console.print(facts, highlight=False, markup=False)
    if entry.attempts:
        tried = Table(title="Tried", title_justify="left", box=None)
        labelled = any(attempt.labels or attempt.lowered for attempt in entry.attempts)
        for name in ("offer", "after", "took", "status", "error", *(("sent with", "lowered") if labelled else ())):
            tried.add_column(name)
        for attempt in entry.attempts:
            status = "" if attempt.status is None else str(attempt.status)
            row = [
                attempt.offer,
                _seconds(attempt.started),
                _seconds(attempt.seconds),
                status,
                attempt.error or _FATES.get(attempt.fate, "served"),
            ]
            tried.add_row(*row, *((", ".join(attempt.labels), ", ".join(attempt.lowered)) if labelled else ()))
        console.print(tried, highlight=False, markup=False)
    if crossings:
        secured = Table(title="On record before it was sent", title_justify="left", box=None)
        for name in ("offer", "at", "labels", "lowered", "SHA-256 of what was sent"):
            secured.add_column(name, overflow="fold")
        for note in crossings:
            secured.add_row(note.offer, _time(note.at), ", ".join(note.labels), ", ".join(note.lowered), note.digest)
        console.print(secured, highlight=False, markup=False)
    if entry.rejected:
        rejected = Table("offer", "code", "why", title="Not used", title_justify="left", box=None)
        for rejection in entry.rejected:
            rejected.add_row(rejection.offer, rejection.code, rejection.sentence)
        console.print(rejected, highlight=False, markup=False)


_FATES: dict[str | None, str] = {
    "outrun": "outrun: another was quicker",
    "broken_off": "broke off after its beginning was sent",
    "continued": "served: went on from there",
}
"""What became of an answer, where that is not that it was sent whole."""

_SAID = {
    "stopped": " (isthmus was stopped while the request was under way)",
    "crashed": " (isthmus died while the request was in flight)",
}


def _labelled(found: Labelled) -> str:
    """A label with where it came from: `pii (from detector: email in messages[0].content)`."""
    finder = f": {found.finder}" if found.finder else ""
    where = f" in {found.where}" if found.where else ""
    return f"{found.label} (from {found.source}{finder}{where})"


def _content(store: Store, request: str, key: str | None) -> Kept | None:
    hint = "Say where its key is: --key env:NAME, file:PATH or keyring:NAME."
    if key is None:
        raise InvalidRequest("Kept content is encrypted.", hint=hint)
    scheme, _, name = key.partition(":")
    if scheme not in _SCHEMES or not name:
        raise InvalidRequest("--key is no reference to a secret.", hint=hint)
    secret = asyncio.run(Secrets().resolve(SecretRef(_SCHEMES[scheme], name)))
    return read_content(store, read_key(secret), request, now=datetime.now(UTC))


_SCHEMES: dict[str, Literal["env", "file", "keyring"]] = {"env": "env", "file": "file", "keyring": "keyring"}


def _print_content(console: Console, content: Kept | None) -> None:
    if content is None:
        console.print("No content of this request is kept: capture was off, or it has expired.")
        return
    labels = ", ".join(content.labels) or "none"
    console.print(f"\nContent (labels: {labels}; kept until {_time(content.expires)})", style="bold", markup=False)
    for name, text in (("request", content.request_text), ("answer", content.answer_text)):
        console.print(f"--- {name}", style="dim", markup=False)
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _own_key(store: Store) -> PublicKey:
    path = key_file(store.path)
    try:
        return read_signing_key(path).public
    except FileNotFoundError:
        raise InvalidRequest(
            f"There is no signing key at {path}.", hint="It is made by `isthmus up`; or name a --public-key."
        ) from None


def _read_checkpoint(path: Path) -> ExportedCheckpoint:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ExportedCheckpoint)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRequest(f"{path} holds no checkpoint.", hint="`isthmus ledger checkpoint` prints one.") from error


def _print_report(console: Console, report: Report, *, told_keys: bool) -> None:
    for fault in report.faults:
        console.print(f"{fault.kind}: {fault.sentence}", style="red")
    checked = (
        f"{report.records} records of {report.writers} writers, {report.checkpoints} checkpoints"
        f"{'' if report.last_signed is None else f', the last of {_time(report.last_signed)}'}"
    )
    console.print(
        f"Intact: {checked}." if report.intact else f"Not intact: {len(report.faults)} faults in {checked}.",
        style="green" if report.intact else "bold red",
    )
    if report.unsigned:
        console.print(
            f"{report.unsigned} records came after the last checkpoint: cutting them off would leave no trace."
        )
    if report.carried:
        writers = ", ".join(map(str, report.carried))
        console.print(
            f"Chained only when the store was brought up to date, vouched for from then on: writers {writers}."
        )
    if not told_keys:
        console.print(
            "Checked with the key that lies beside the store: who can change that too can write a ledger anew. "
            "Use --public-key with a copy kept elsewhere, and --checkpoint.",
            style="dim",
        )


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


def _clock(instant: datetime) -> str:
    return instant.astimezone().strftime("%m-%d %H:%M:%S")


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f} s"


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"${amount.normalize():f}"
