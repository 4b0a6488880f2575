"""`isthmus advise`: open or closed, for whom, at what cost, and what decides."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.advice.advice import Advice, advise
from isthmus.catalog.advice.markdown import markdown
from isthmus.catalog.advice.plain import plain
from isthmus.catalog.advice.question import (
    CAPABILITIES,
    DATA_CLASSES,
    SKILLS,
    Question,
    Workload,
    problems_of,
    read_question,
)
from isthmus.catalog.advice.report import Block, Bullets, Code, Rows, foot, pages
from isthmus.catalog.advice.report import Text as Paragraph
from isthmus.catalog.organisation import Organisation
from isthmus.cli.catalog.source import catalog_in_force, organisation_in_force
from isthmus.cli.ledger import StoreOption, store_of
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.cli.span import span
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.licensing import Use
from isthmus.domain.usage import plain as plain_decimal
from isthmus.ledger.reader import LedgerReader

WIDTH = 80
USES: tuple[Use, ...] = get_args(Use)


def command(
    file: Annotated[
        Path | None,
        typer.Option("--from", help="Question as a TOML file; without it and without --calls, you are asked."),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(help="A workload of the ledger: its calls and tokens are taken from there."),
    ] = None,
    since: Annotated[str, typer.Option(help="How far back the ledger is read: 24h, 7d, 4w.")] = "30d",
    calls: Annotated[int | None, typer.Option(min=1, help="Calls a day.")] = None,
    tokens_in: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a call, on average. Not said: 1000.", show_default=False)
    ] = None,
    tokens_out: Annotated[
        int | None, typer.Option(min=1, help="Tokens of an answer, on average. Not said: 300.", show_default=False)
    ] = None,
    capability: Annotated[
        str | None, typer.Option("--for", help=f"One of {', '.join(CAPABILITIES)}. Not said: chat.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help=f"Kinds of data in it, with commas: {', '.join(DATA_CLASSES)}. Not said: internal."),
    ] = None,
    within: Annotated[int | None, typer.Option(min=1, help="Seconds an answer may take. Not said: 30.")] = None,
    budget: Annotated[int | None, typer.Option(min=0, help="Dollars a month at most.")] = None,
    skills: Annotated[
        str | None, typer.Option(help=f"Who looks after machines: {', '.join(SKILLS)}. Not said: none.")
    ] = None,
    seat: Annotated[str | None, typer.Option(help="Country of your seat, as DE. Else: as the settings say.")] = None,
    use: Annotated[str | None, typer.Option(help=f"One of {', '.join(USES)}. Not said: internal.")] = None,
    report: Annotated[Path | None, typer.Option("--markdown", help="Write a report for others to this file.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Advise which side a workload belongs on, what serves it, what it costs, and which condition decides."""
    answers = {
        "calls_per_day": calls, "input_tokens": tokens_in, "output_tokens": tokens_out, "capability": capability,
        "data": data, "answer_within_s": within, "budget_usd": budget, "skills": skills, "seat": seat, "use": use,
    }  # fmt: skip
    said = {name: value for name, value in answers.items() if value is not None}
    if file is not None and said:
        raise typer.BadParameter("A file says all of it: give either --from, or what it is about in options.")
    measured = None if workload is None else figures(LedgerReader(store_of(store, config)), workload, since)
    if file is not None:
        question = read_question(file)
    elif calls is not None or measured is not None:
        question = _question(said, organisation_in_force(config), workload)
    elif _at_a_terminal() and not as_json:
        question = _question(_asked(said), organisation_in_force(config), workload)
    else:
        raise InvalidRequest(
            "There is nothing to advise on.", hint="Give --from FILE, or at least --calls, or run it in a terminal."
        )
    if measured is not None:
        question = measured.put_into(question)
    advice = advise(question, catalog_in_force(config), datetime.now(UTC).date())
    if report is not None:
        try:
            report.write_text(markdown(advice), encoding="utf-8")
        except OSError as exc:
            raise InvalidRequest(f"{report} cannot be written: {exc.strerror or exc}.") from exc
    if as_json:
        print_json({"measured": None if measured is None else measured.plain(), **plain(advice)})
        return
    console = Console(width=min(Console().width, WIDTH), highlight=False)
    print_advice(console, advice, measured)
    if report is not None:
        console.print(f"Written to {report}.", markup=False, soft_wrap=True)


class Figures(NamedTuple):
    """What the ledger has of a workload."""

    workload: str
    days: int
    """Since the first of its requests, or since the beginning of the span."""
    requests: int
    """That were answered."""
    input_tokens: int
    cached_tokens: int
    """Part of the input."""
    output_tokens: int
    cost: Decimal
    """Dollars, of the requests whose cost is known."""
    unknown_cost: int

    def put_into(self, question: Question) -> Question:
        """The question with these figures in place of those that were said or taken for granted.

        Raises:
            InvalidRequest: it has no workload of that name.
        """
        names = [workload.name for workload in question.workloads]
        if self.workload not in names:
            raise InvalidRequest(f"The question has no workload {self.workload!r}; it has {', '.join(names)}.")
        workloads = tuple(
            msgspec.structs.replace(
                workload,
                calls_per_day=max(round(self.requests / self.days), 1),
                input_tokens=max(round(self.input_tokens / self.requests), 1),
                output_tokens=max(round(self.output_tokens / self.requests), 1),
                cached_share=self.cached_tokens / self.input_tokens if self.input_tokens else 0.0,
            )
            if workload.name == self.workload
            else workload
            for workload in question.workloads
        )
        return msgspec.structs.replace(question, workloads=workloads)

    @property
    def sentence(self) -> str:
        month = self.cost / self.days * 30
        unknown = f"; of {self.unknown_cost:,} the cost is not known" if self.unknown_cost else ""
        return (
            f"From the ledger: {self.requests:,} answers of {self.workload} in {self.days} days. They cost "
            f"${month:,.2f} a month{unknown}."
        )

    def plain(self) -> Mapping[str, object]:
        return {**self._asdict(), "cost": plain_decimal(self.cost)}


_ANSWERED_NOTHING = frozenset({"refused", "failed"})


def figures(reader: LedgerReader, workload: str, since: str) -> Figures:
    """Calls and tokens of a workload.

    Raises:
        InvalidRequest: the ledger has no answer of it.
    """
    now = datetime.now(UTC)
    began = now - span(since)
    found = [
        (spending, spending.group[1])
        for spending in reader.spending(["workload", "day", "outcome"], since=began)
        if spending.group[0] == workload and spending.group[2] not in _ANSWERED_NOTHING
    ]
    if not found:
        raise InvalidRequest(
            f"The ledger has no answers of workload {workload!r} of the last {since}.",
            hint="`isthmus ledger cost --by workload` names those that it has.",
        )
    first = min(date.fromisoformat(day) for _, day in found if day is not None)
    spendings = [spending for spending, _ in found]
    return Figures(
        workload=workload,
        days=max((now.date() - max(first, began.date())) // timedelta(days=1) + 1, 1),
        requests=sum(spending.requests for spending in spendings),
        input_tokens=sum(spending.input_tokens for spending in spendings),
        cached_tokens=sum(spending.cached_tokens for spending in spendings),
        output_tokens=sum(spending.output_tokens for spending in spendings),
        cost=sum((spending.cost for spending in spendings), Decimal(0)),
        unknown_cost=sum(spending.unknown_cost for spending in spendings),
    )


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _question(said: Mapping[str, Any], held: Organisation | None, workload: str | None) -> Question:
    """A question of one workload, out of what was said in options or answers.

    Args:
        said: by the names of the fields, `seat` and `skills` besides; what is not said has its default.
        held: the organisation of the settings.
        workload: its name; None: it has none.
    """
    values = {"input_tokens": 1000, "output_tokens": 300, **said}
    # Where nobody says how many calls there are, the ledger does, and its figure takes the place of this one.
    values.setdefault("calls_per_day", 1)
    if "data" in values:
        values["data"] = [kind.strip() for kind in values["data"].split(",") if kind.strip()]
    organisation = held or Organisation()
    if (seat := values.pop("seat", None)) is not None:
        organisation = msgspec.structs.replace(organisation, seat=seat.upper())
    means = {"skills": values.pop("skills")} if "skills" in values else {}
    try:
        one = msgspec.convert({"name": workload or "workload", **values}, Workload)
        question = msgspec.convert({"organisation": {}, "workloads": [], **means}, Question)
    except msgspec.ValidationError as exc:
        raise InvalidRequest(f"{exc}.") from exc
    question = msgspec.structs.replace(question, organisation=organisation, workloads=(one,))
    if problems := problems_of(question):
        raise InvalidRequest(f"{'; '.join(problems)}.")
    return question


class _Asked(NamedTuple):
    """A question to a person."""

    field: str
    text: str
    kind: type[str] | type[int] = str
    default: str | int | None = None
    """None: there is none, and it has to be answered."""
    choices: tuple[str, ...] = ()
    """Empty: anything of the kind will do."""

    def put(self) -> Any:
        text = f"{self.text} ({', '.join(self.choices)})" if self.choices else self.text
        while True:
            said = typer.prompt(text, type=self.kind, default=self.default)
            if not self.choices or said in self.choices:
                return said
            typer.echo(f"{said} is none of them.")


_TO_ASK = (
    _Asked("seat", "Country of your seat, in two letters (DE, US, …)"),
    _Asked("capability", "What is it to do", default="chat", choices=CAPABILITIES),
    _Asked("data", f"What is in it, with commas ({', '.join(DATA_CLASSES)})", default="internal"),
    _Asked("use", "What for", default="internal", choices=USES),
    _Asked("calls_per_day", "Calls a day", int),
    _Asked("input_tokens", "Tokens of a call (a page has about 600)", int, 1000),
    _Asked("output_tokens", "Tokens of an answer", int, 300),
    _Asked("answer_within_s", "Seconds an answer may take", int, 30),
    _Asked("budget_usd", "Dollars a month at most (0: no limit)", int, 0),
    _Asked("skills", "Who looks after machines", default="none", choices=SKILLS),
)


def _asked(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a person answers to what options did not say. Return takes what stands in brackets."""
    typer.echo("A few short questions; Return takes what stands in brackets.\n")
    answers = dict(said)
    for asked in _TO_ASK:
        if asked.field not in answers:
            answers[asked.field] = asked.put()
    if answers["budget_usd"] == 0:
        answers["budget_usd"] = None
    typer.echo("")
    return answers


def print_advice(console: Console, advice: Advice, measured: Figures | None) -> None:
    """The report for people: the decision first."""
    if measured is not None:
        console.print(measured.sentence, style="dim", markup=False)
        console.print()
    for page in pages(advice):
        console.print(page.title, style="bold underline", markup=False)
        console.print(page.asked, style="dim", markup=False)
        console.print()
        console.print(page.decision, style="bold green", markup=False)
        for section in page.sections:
            console.print()
            console.print(section.title, style="bold", markup=False)
            for block in section.blocks:
                _print_block(console, block)
        console.print()
    console.print(foot(advice), style="dim", markup=False)


def _print_block(console: Console, block: Block) -> None:
    match block:
        case Paragraph(text):
            console.print(Padding(Text(text), (0, 0, 0, 2)))
        case Bullets(items):
            table = Table.grid(padding=(0, 1))
            table.add_column(width=2, justify="right")
            table.add_column()
            for item in items:
                table.add_row("-", Text(item))
            console.print(table)
        case Rows(header, rows):
            table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
            for name in header:
                table.add_column(name, justify="right" if name.startswith("$") else "left")
            for row in rows:
                table.add_row(*(Text(cell) for cell in row))
            console.print(Padding(table, (0, 0, 0, 2)))
        case Code(_, text):
            for line in text.rstrip().splitlines():
                console.print(f"    {line}", markup=False, soft_wrap=True, style="cyan")
