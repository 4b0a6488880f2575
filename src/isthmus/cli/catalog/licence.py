"""`isthmus catalog licence`: what may be done with a model, on which clauses that rests, and what has to be done."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.check import USE_PHRASES, licence_check
from isthmus.catalog.licensing.notice import notice_report
from isthmus.catalog.licensing.verdict import Duty, Ground, Verdict
from isthmus.catalog.openness.tier import tier_of
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.places import COUNTRIES
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import ConfigError
from isthmus.domain.licensing import Outcome, Use
from isthmus.domain.offer import Offer
from isthmus.settings import load

_WIDE = 120
"""Columns from which on a table has room for sentences."""

_STYLES: dict[Outcome, str] = {
    "allowed": "green",
    "allowed-with-duties": "cyan",
    "unknown": "yellow",
    "needs-agreement": "magenta",
    "forbidden": "red",
}

_DISCLAIMER = "Read by a programme from records of clauses, and no legal advice: the texts decide."


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model, with the terms it is used under."""

    model: ModelRecord
    terms: TermsRecord | None


def command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="MODEL|OFFER|LICENCE…", help="Models, offers, or licences to show the clauses of."),
    ],
    config: ConfigOption = None,
    use: Annotated[
        list[str] | None, typer.Option(help=f"Only this use, with all it rests on: {', '.join(get_args(Use))}.")
    ] = None,
    organisation: Annotated[
        Path | None,
        typer.Option(
            help="Settings file whose [organisation] asks; else that of the settings in force.", dir_okay=False
        ),
    ] = None,
    seat: Annotated[str | None, typer.Option(help="Country of the organisation, such as DE.")] = None,
    revenue: Annotated[
        str | None, typer.Option(metavar="DOLLARS", help="Its revenue in a year, group included.")
    ] = None,
    users: Annotated[int | None, typer.Option(min=0, help="Monthly users of all its products.")] = None,
    model_service: Annotated[
        bool | None, typer.Option("--model-service/--no-model-service", help="Whether it offers models as a service.")
    ] = None,
    work_assistant: Annotated[
        bool | None,
        typer.Option("--work-assistant/--no-work-assistant", help="Whether it offers an AI work assistant."),
    ] = None,
    commercial: Annotated[
        bool | None, typer.Option("--commercial/--non-commercial", help="Whether its use of models serves a business.")
    ] = None,
    terms: Annotated[str | None, typer.Option(help="Terms it is used under, such as openai/api.")] = None,
    notice: Annotated[
        bool, typer.Option("--notice", help="Print the duties of all these as a NOTICE in Markdown.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what your organisation may do with a model: the outcome, the clause that decides, and the duties."""
    uses = _uses(use)
    in_force = load(config)
    catalog = in_force.catalog.load(in_force.cache_dir)
    asking = _asking(
        in_force.organisation if organisation is None else load(organisation).organisation,
        seat=seat,
        revenue=revenue,
        users=users,
        model_service=model_service,
        work_assistant=work_assistant,
        commercial=commercial,
    )
    today = datetime.now(UTC).date()
    subjects: list[_Subject] = []
    licences: list[LicenceRecord] = []
    for name in names:
        meant = _meant(name, catalog, in_force.offers, terms)
        if isinstance(meant, LicenceRecord):
            licences.append(meant)
        else:
            subjects += meant
    checked = [(subject, _check(subject, asking, uses, catalog, today)) for subject in subjects]
    if notice:
        typer.echo(notice_report([one for _, found in checked for one in found], catalog, today=today), nl=False)
        return
    if as_json:
        shown: list[dict[str, Any]] = [_plain(subject, found, asking, catalog) for subject, found in checked]
        shown += [_plain_licence(licence, catalog) for licence in licences]
        print_json(shown[0] if len(shown) == 1 else shown)
        return
    console = Console(highlight=False)
    for licence in licences:
        _print_licence(console, licence, catalog)
    for subject, found in checked:
        _print_subject(console, subject, found, asking, catalog, in_full=use is not None)
    console.print(f"{_DISCLAIMER} Catalog {catalog.version}.", style="dim")


def _uses(names: Sequence[str] | None) -> tuple[Use, ...]:
    known: tuple[Use, ...] = get_args(Use)
    if names is None:
        return known
    found = tuple(use for use in known if use in names)
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"'{unknown[0]}' is no use.", hint=f"Uses are {', '.join(known)}.")
    return found


def _asking(
    organisation: Organisation | None,
    *,
    seat: str | None,
    revenue: str | None,
    users: int | None,
    model_service: bool | None,
    work_assistant: bool | None,
    commercial: bool | None,
) -> Organisation:
    """Who asks: the organisation of the settings, with what the options say instead."""
    said: dict[str, str | Decimal | int | bool | None] = {
        "seat": None if seat is None else seat.upper(),
        "revenue_year_usd": None if revenue is None else _dollars(revenue),
        "monthly_users": users,
        "model_service": model_service,
        "work_assistant": work_assistant,
        "commercial": commercial,
    }
    if said["seat"] is not None and said["seat"] not in COUNTRIES:
        raise ConfigError(f"'{seat}' is no country.", hint="Say its code of two letters, such as DE.")
    told: dict[str, str | Decimal | int | bool | None]
    told = {key: value for key, value in said.items() if value is not None}
    if "revenue_year_usd" in told:
        told["revenue_month_usd"] = None  # a month of the settings would not fit the year of the option
    return msgspec.structs.replace(Organisation() if organisation is None else organisation, **told)


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.replace("_", "").replace(",", ""))
    except InvalidOperation as exc:
        raise ConfigError(f"'{text}' is no amount of dollars.", hint="Say it in digits, such as 440000000.") from exc
    if not amount.is_finite() or amount < 0:
        raise ConfigError(f"'{text}' is no amount of dollars.", hint="Say it in digits, such as 440000000.")
    return amount


def _meant(
    name: str, catalog: Catalog, offers: Mapping[str, Offer], terms_name: str | None
) -> LicenceRecord | list[_Subject]:
    """What a name stands for: a licence by id, a model, an offer, a licence by another name."""
    if name in catalog.licences:
        return catalog.licences[name]
    terms = None if terms_name is None else _terms(terms_name, catalog)
    if (model := catalog.model(name)) is not None:
        return [_Subject(model, terms)]
    if name in offers:
        offer = offers[name]
        served = catalog.model(offer.model) if offer.record is None else catalog.models.get(offer.record)
        if served is None:
            raise ConfigError(f"Offer '{name}' serves '{offer.model}', which is not in the catalog.")
        if terms is None and offer.side != "own" and offer.terms is not None:
            terms = catalog.terms.get(offer.terms)
        return [_Subject(served, terms)]
    if (listed := catalog.offers.get(name)) is not None and listed.models:
        of_offer = terms if terms is not None or listed.side == "own" else catalog.terms[listed.terms]
        return [_Subject(catalog.models[served_id], of_offer) for served_id in listed.models]
    if (licence := catalog.licence(name)) is not None:
        return licence
    known = [*catalog.models, *offers, *catalog.licences]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    raise ConfigError(
        f"'{name}' is no model, offer or licence of the catalog.",
        hint=f"Did you mean {' or '.join(close)}?" if close else "`isthmus catalog search` finds models.",
    )


def _terms(name: str, catalog: Catalog) -> TermsRecord:
    if name not in catalog.terms:
        close = difflib.get_close_matches(name, catalog.terms, n=3, cutoff=0.4)
        raise ConfigError(
            f"'{name}' are no terms of the catalog.", hint=f"Did you mean {' or '.join(close)}?" if close else ""
        )
    return catalog.terms[name]


def _check(
    subject: _Subject, asking: Organisation, uses: Iterable[Use], catalog: Catalog, today: date
) -> list[Verdict]:
    return [
        licence_check(subject.model, asking, use, catalog=catalog, terms=subject.terms, today=today) for use in uses
    ]


def _plain(subject: _Subject, found: list[Verdict], asking: Organisation, catalog: Catalog) -> dict[str, Any]:
    return {
        "model": subject.model.id,
        "licences": subject.model.licence.readings,
        "terms": None if subject.terms is None else subject.terms.id,
        "organisation": asking,
        "verdicts": found,
        "catalog_version": catalog.version,
    }


def _plain_licence(licence: LicenceRecord, catalog: Catalog) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(licence)
    return {**plain, "tier": tier_of(licence), "models": _models_under(licence, catalog)}


def _models_under(licence: LicenceRecord, catalog: Catalog) -> list[str]:
    return [model.id for model in catalog.models.values() if licence.id in model.licence.readings]


def _print_subject(
    console: Console,
    subject: _Subject,
    found: list[Verdict],
    asking: Organisation,
    catalog: Catalog,
    *,
    in_full: bool,
) -> None:
    model = subject.model
    console.print(Text.assemble((model.title, "bold"), f"  {model.id}"))
    titles = [f"{catalog.licences[name].title} ({name})" for name in model.licence.readings]
    console.print(f"licence: {', or '.join(titles) or 'not known'}", markup=False)
    if subject.terms is not None:
        console.print(f"terms: {subject.terms.title} ({subject.terms.id})", markup=False)
    console.print(f"asked by: {_told(asking)}\n", markup=False)
    if in_full:
        for verdict in found:
            _print_in_full(console, verdict)
    elif console.width >= _WIDE:
        console.print(_table(found))
    else:
        for ground, uses in _grouped(found):
            console.print(Text.assemble((f"{', '.join(uses)}: ", "bold"), (ground.outcome, _STYLES[ground.outcome])))
            _print_ground(console, ground)
    _print_duties(console, found)
    if asks := dict.fromkeys(ask for verdict in found for ground in verdict.grounds for ask in ground.asks):
        console.print("to be said before it can be decided", style="bold")
        for ask in asks:
            console.print(Padding(Text(f"· {ask}"), (0, 0, 0, 2)))
        console.print()
    for conflict in dict.fromkeys(verdict.conflict for verdict in found if verdict.conflict):
        console.print(f"! {conflict}\n", style="yellow", markup=False)
    if subject.terms is None and all(catalog.licences[name].proprietary for name in model.licence.readings):
        _hint_at_terms(console, model, catalog)


def _told(asking: Organisation) -> str:
    """What is known of who asks, and what is not."""
    month = asking.revenue_month_usd
    facts = [
        asking.name,
        "seat not said" if asking.seat is None else f"seat {asking.seat}",
        "revenue not said" if asking.revenue_year_usd is None else f"${asking.revenue_year_usd:,.0f} a year",
        "" if month is None else f"${month:,.0f} a month",
        "users not said" if asking.monthly_users is None else f"{asking.monthly_users:,} users a month",
        {None: "model service not said", True: "offers a model service", False: "no model service"}[
            asking.model_service
        ],
        {None: "work assistant not said", True: "offers a work assistant", False: "no work assistant"}[
            asking.work_assistant
        ],
        "" if asking.commercial else "not commercial",
        "military" if asking.military else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def _table(found: list[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("use", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("what decides", ratio=3)
    table.add_column("where", ratio=2)
    table.add_column("read on", no_wrap=True)
    for ground, uses in _grouped(found):
        table.add_row(
            "\n".join(uses),
            Text(ground.outcome, _STYLES[ground.outcome]),
            Text(_says(ground)),
            Text(_where(ground)),
            "" if ground.read_on is None else str(ground.read_on),
        )
        table.add_row()
    return table


def _grouped(found: list[Verdict]) -> list[tuple[Ground, list[Use]]]:
    """What decides, with the uses that it decides for."""
    groups: dict[Ground, list[Use]] = {}
    for verdict in found:
        groups.setdefault(verdict.grounds[0], []).append(verdict.use)
    return list(groups.items())


def _print_ground(console: Console, ground: Ground) -> None:
    read = f", read {ground.read_on}" if ground.read_on is not None else ""
    console.print(Padding(Text(_says(ground)), (0, 0, 0, 2)))
    if where := _where(ground):
        console.print(Padding(Text(f"{where}{read}", "dim"), (0, 0, 1, 2)))
    else:
        console.print()


def _print_in_full(console: Console, verdict: Verdict) -> None:
    """A use with all that its outcome rests on, the strictest first."""
    console.print(
        Text.assemble(
            (f"{verdict.use}: ", "bold"),
            (verdict.outcome, _STYLES[verdict.outcome]),
            f"  ({USE_PHRASES[verdict.use]})",
        )
    )
    for ground in verdict.grounds:
        console.print(Padding(Text(ground.outcome, _STYLES[ground.outcome]), (0, 0, 0, 2)))
        console.print(Padding(Text(_says(ground)), (0, 0, 0, 4)))
        read = f", read {ground.read_on}" if ground.read_on is not None else ""
        if where := _where(ground):
            console.print(Padding(Text(f"{where}{read}", "dim"), (0, 0, 0, 4)))
        if ground.url:
            console.print(Padding(Text(ground.url, "dim"), (0, 0, 0, 4)), soft_wrap=True)
    console.print()


def _says(ground: Ground) -> str:
    known = {"conflict": " Sources disagree on this.", "unknown": ""}.get(ground.state, "")
    if ground.evidence == "E0" and ground.state != "unknown":
        known += " This is from memory, and was not read again."
    return f"{ground.says}{known}"


def _where(found: Ground | Duty) -> str:
    return ", ".join(part for part in (found.record.removeprefix("LicenseRef-isthmus-"), found.place) if part)


def _print_duties(console: Console, found: list[Verdict]) -> None:
    """What has to be done for the uses that are not forbidden anyway."""
    uses: dict[Duty, list[str]] = {}
    for verdict in found:
        for duty in verdict.duties if verdict.outcome != "forbidden" else ():
            uses.setdefault(duty, []).append(verdict.use)
    if not uses:
        return
    console.print("duties", style="bold")
    for duty, names in uses.items():
        wanted = f" “{duty.text}”" if duty.text else ""
        console.print(Padding(Text(f"· {duty.says.rstrip('.')}{':' if wanted else '.'}{wanted}"), (0, 0, 0, 2)))
        console.print(Padding(Text(f"{', '.join(names)} · {_where(duty)}", "dim"), (0, 0, 0, 4)))
    console.print()


def _hint_at_terms(console: Console, model: ModelRecord, catalog: Catalog) -> None:
    producer = model.id.partition("/")[0]
    known = [name for name in catalog.terms if name.partition("/")[0] == producer] or list(catalog.terms)
    console.print(f"Name the terms it is used under with --terms: {', '.join(known)}.\n", markup=False)


def _print_licence(console: Console, licence: LicenceRecord, catalog: Catalog) -> None:
    console.print(Text.assemble((licence.title, "bold"), f"  {licence.id}"))
    facts = [
        tier_of(licence),
        "approved by the OSI" if licence.osi_approved else "not approved by the OSI",
        f"version {licence.text_version}" if licence.text_version else "",
        f"superseded by {licence.superseded_by}" if licence.superseded_by else "",
    ]
    console.print(" · ".join(fact for fact in facts if fact), markup=False)
    if licence.text_url:
        console.print(licence.text_url, style="dim", soft_wrap=True)
    console.print(f"grants: {', '.join(licence.grants) or 'nothing'}\n", markup=False)
    for clause in licence.clauses:
        source = licence.sources[clause.sources[0]]
        bears_on = f" · {', '.join(clause.uses)}" if clause.uses else ""
        kind = str(clause.__struct_config__.tag).replace("_", " ")
        console.print(Text.assemble((kind, "bold"), (bears_on, "dim")))
        console.print(Padding(Text(clause.says), (0, 0, 0, 2)))
        known = "from memory" if clause.evidence == "E0" else clause.state
        console.print(Padding(Text(f"{clause.place}, read {source.observed_on}, {known}", "dim"), (0, 0, 1, 2)))
    if licence.note:
        console.print(f"{licence.note}\n", markup=False)
    if models := _models_under(licence, catalog):
        console.print(f"models: {', '.join(models)}\n", markup=False)
