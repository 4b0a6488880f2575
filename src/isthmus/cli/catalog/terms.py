"""`isthmus catalog terms`: what an operator may do with data, for whoever has to answer for that.

Every line says what is said, how well it is known, in which text, and when that was read. Where sources disagree all
readings are shown, and what follows for isthmus is drawn from the strictest.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim, Source, SourceKind, stale
from isthmus.catalog.facts import Observation, OfferFacts, facts_of
from isthmus.catalog.matching import offer_record
from isthmus.catalog.organisation import Contract
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.offer import OfferRecord
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import ConfigError
from isthmus.providers.accounts.kept import observations_of
from isthmus.providers.accounts.registry import all_probes
from isthmus.settings import Settings, load

_TRAINS = {
    "never": "no",
    "opt-in": "no, unless you ask for it",
    "opt-out": "yes, unless you object",
    "always": "yes, and you cannot object",
}
_ZERO = {
    "default": "yes: nothing is kept as it comes",
    "self": "yes: you switch it on yourself",
    "approval": "yes: on request, if it is approved",
    "contract": "yes: by contract",
    "none": "no",
}
_PROMISED = {
    "contractual": "promised by contract",
    "best_effort": "tried, not promised",
    "none": "no place is promised",
}
_TRANSFER = {
    "in_eea": "none: it stays in the EEA",
    "adequacy": "by an adequacy decision",
    "scc": "by standard contractual clauses",
    "none": "nothing was found that allows it",
}
_PERMITS = {
    "yes": "allowed",
    "with_duties": "allowed, with duties",
    "agreement": "by agreement alone",
    "no": "forbidden",
}

_KINDS: Mapping[SourceKind, str] = {
    "law": "law",
    "licence": "licence",
    "vendor_doc": "the operator's own text",
    "card": "model card",
    "code": "source code",
    "api": "interface",
    "feed": "feed",
    "secondary": "what others say of it",
    "recollection": "from memory: counts for nothing",
}

_UNKNOWN = "not known"

_WIDE = 110
"""Columns from which on a table has room for sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is said, or not known."""

    group: str
    about: str
    readings: tuple[str, ...]
    """What sources say; more than one: they disagree. Empty: not known."""
    note: str = ""
    others: tuple[str, ...] = ()
    """Notes on the readings after the first."""
    state: str = "unknown"
    evidence: str = "E0"
    stale: bool = False
    """Nobody looked for longer than this sort of fact keeps."""
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What the name that was given stands for."""

    terms: TermsRecord
    provider: ProviderRecord
    offer: OfferRecord | None
    """None: terms alone were named, or it is not known which offer of the catalog it is."""
    own: str = ""
    """Name of the offer of the settings; empty: none was named."""
    model: ModelRecord | None
    observed: Observation | None = None


def command(
    name: Annotated[
        str,
        typer.Argument(metavar="TERMS_OR_OFFER", help="Terms or offer of the catalog, or an offer of the settings."),
    ],
    model: Annotated[
        str | None, typer.Option(help="Model for which it is asked: some have rules of their own.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an operator may do with data: training, retention, region, contracts, and where each stands."""
    settings = load(config)
    catalog = settings.catalog.load(settings.cache_dir)
    meant = meant_by(name, catalog, settings, model=_model(model, catalog))
    today = datetime.now(UTC).date()
    contracts = () if settings.organisation is None else settings.organisation.contracts
    facts = facts_of(
        meant.offer, meant.terms, meant.model, meant.provider, observed=meant.observed, contracts=contracts, today=today
    )
    lines = list(lines_of(meant, today))
    held = [contract for contract in contracts if contract.covers == meant.terms.id]
    if as_json:
        print_json(_plain(meant, facts, lines, held))
        return
    _print(Console(highlight=False), meant, facts, lines, held)


def meant_by(name: str, catalog: Catalog, settings: Settings, *, model: ModelRecord | None) -> Meant:
    """The terms that a name stands for, with all that is known around them.

    Raises:
        ConfigError: nothing is called so, or the offer of the settings names no terms.
    """
    if (terms := catalog.terms.get(name)) is not None:
        return Meant(terms=terms, provider=catalog.providers[terms.provider], offer=None, model=model)
    if (offer := catalog.offers.get(name)) is not None:
        return Meant(
            terms=catalog.terms[offer.terms], provider=catalog.providers[offer.provider], offer=offer, model=model
        )
    own = settings.offers.get(name)
    if own is None:
        names = [*catalog.terms, *catalog.offers, *settings.offers]
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        raise ConfigError(
            f"There are no terms and no offer called {name!r}.",
            hint=f"Did you mean {' or '.join(close)}?" if close else f"There are terms {', '.join(catalog.terms)}.",
        )
    if own.terms is None or own.terms not in catalog.terms:
        raise ConfigError(
            f"Offer {name} does not say under which terms it is used.",
            hint=f"Set `terms` of the offer to one of {', '.join(catalog.terms)}.",
        )
    terms = catalog.terms[own.terms]
    return Meant(
        terms=terms,
        provider=catalog.providers[terms.provider],
        offer=offer_record(own, catalog),
        own=name,
        model=model or catalog.models.get(own.record or ""),
        observed=observations_of(settings.state_dir, [own]).get(name),
    )


def _model(name: str | None, catalog: Catalog) -> ModelRecord | None:
    if name is None:
        return None
    found = catalog.model(name)
    if found is None:
        close = difflib.get_close_matches(name, catalog.models, n=3, cutoff=0.4)
        raise ConfigError(
            f"The catalog has no model {name!r}.", hint=f"Did you mean {' or '.join(close)}?" if close else None
        )
    return found


def lines_of(meant: Meant, today: date) -> Iterator[Line]:
    """Everything that is said, in the order in which it is read."""
    terms, provider = meant.terms, meant.provider
    of_terms = _Lines(terms.sources, today)
    zero = terms.zero_retention
    yield of_terms.line("training", "trains on inputs", terms.training.default, _TRAINS.__getitem__)
    yield of_terms.line("training", "people may read them", terms.training.human_review, _yes)
    yield of_terms.line("retention", "kept by default", terms.retention.default_days, _days)
    if terms.retention.stored.known:
        yield of_terms.line("retention", "stored by default", terms.retention.stored, _yes)
    if terms.retention.safety_exception:
        yield _saying("retention", "on suspicion of abuse", terms.retention.safety_exception)
    for kept in terms.retention.classes:
        off = {True: "Can be avoided.", False: "Cannot be switched off.", None: ""}[kept.can_be_disabled]
        if kept.days.known:
            yield of_terms.line("kept besides", kept.what, kept.days, _days, note=off)
        else:
            yield _saying("kept besides", kept.what, off or "For a time that is not told.")
    for exception in terms.retention.model_exceptions:
        about = f"for {_short(exception.models)}"
        yield of_terms.line("exceptions", about, exception.days, _days, note=exception.says)
    yield of_terms.line("zero retention", "can be had", zero.how, _ZERO.__getitem__)
    if zero.excluded_features:
        yield _saying("zero retention", "not for features", ", ".join(zero.excluded_features))
    if zero.excluded_models:
        yield _saying("zero retention", "not for models", ", ".join(zero.excluded_models))
    if zero.withdrawable:
        yield _saying("zero retention", "may be taken back", "yes: the operator may take models out of it")
    yield from _places(meant.offer, today)
    of_provider = _Lines(provider.sources, today)
    yield of_provider.line("operator", "seat", provider.seat, str)
    yield of_provider.line("operator", "legal entity", provider.legal_entity, str)
    if provider.dpf.known:
        yield of_provider.line("operator", "Data Privacy Framework", provider.dpf, _yes)
    if terms.downstream:
        yield _saying("operator", "operators behind it", "Their terms hold as well.")
    yield of_terms.line("contracts", "business associate agreement", terms.baa, _yes, note=terms.baa_note)
    yield of_terms.line("contracts", "answers belong to", terms.output_ownership, str)
    for term in terms.uses:
        yield Line(
            group="uses",
            about=term.use,
            readings=(f"{_PERMITS[term.permits]}. {term.says} ({term.place})",),
            state=term.state,
            evidence=term.evidence,
            sources=tuple(terms.sources[key] for key in term.sources),
        )


def _places(offer: OfferRecord | None, today: date) -> Iterator[Line]:
    if offer is None:
        yield Line(group="place", about="processes in", readings=(), note="Name an offer to see where it processes.")
        return
    of_offer = _Lines(offer.sources, today)
    yield of_offer.line("place", "processes in", offer.region.processing, ", ".join)
    yield of_offer.line("place", "stores in", offer.region.storage, ", ".join)
    yield of_offer.line("place", "how far that is promised", offer.region.guarantee, _PROMISED.__getitem__)
    yield of_offer.line("place", "transfer out of the EEA", offer.transfer, _TRANSFER.__getitem__)
    if offer.surcharge_percent.known:
        yield of_offer.line(
            "place", "surcharge", offer.surcharge_percent, lambda percent: f"{percent:g} % above list prices"
        )


@dataclass(frozen=True, slots=True)
class _Lines:
    """Makes lines of the claims of one record."""

    sources: Mapping[str, Source]
    today: date

    def line(self, group: str, about: str, claim: Claim[Any], word: Callable[[Any], str], *, note: str = "") -> Line:
        keys = (*claim.sources, *(key for other in claim.alternatives for key in other.sources))
        return Line(
            group=group,
            about=about,
            readings=tuple(word(value) for value in claim.readings),
            note=" ".join(part for part in (claim.note, note) if part),
            others=tuple(other.note for other in claim.alternatives),
            state=claim.state,
            evidence=claim.evidence,
            stale=stale(claim, self.sources, self.today),
            sources=tuple(self.sources[key] for key in dict.fromkeys(keys) if key in self.sources),
        )


def _saying(group: str, about: str, says: str) -> Line:
    """What a record says without a claim of its own."""
    return Line(group=group, about=about, readings=(says,), state="said")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _days(count: int) -> str:
    if count == 0:
        return "not at all"
    return "1 day" if count == 1 else f"{count} days"


def _short(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} more"


# ---- for people


def _print(console: Console, meant: Meant, facts: OfferFacts, lines: list[Line], held: list[Contract]) -> None:
    title = meant.terms.title if meant.offer is None else meant.offer.title
    console.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
    named = " · ".join(
        part
        for part in (
            f"terms {meant.terms.id}",
            "" if meant.offer is None else f"offer {meant.offer.id}",
            "" if not meant.own else f"offer {meant.own} of the settings",
            "" if meant.model is None else f"for {meant.model.id}",
        )
        if part
    )
    console.print(named, style="dim", markup=False, soft_wrap=True)
    console.print()
    console.print("What labels are held against, by the strictest readings:", style="italic")
    console.print(_facts_table(facts))
    console.print()
    numbers: dict[Source, int] = {}
    for source in (source for line in lines for source in line.sources):
        numbers.setdefault(source, len(numbers) + 1)
    if console.width >= _WIDE:
        console.print(_lines_table(lines, numbers))
    else:
        _print_lines_narrow(console, lines, numbers)
    console.print()
    for line in _account_lines(meant, held):
        console.print(line, markup=False)
    if meant.terms.note:
        console.print(meant.terms.note, markup=False)
    console.print()
    for source, number in numbers.items():
        said = f"[{number}] {source.title or source.url}, read {source.observed_on}, {_KINDS[source.kind]}"
        console.print(Text(f"{said}\n    {source.url}", "dim"), soft_wrap=True)
    console.print(f"\nThe terms themselves: {meant.terms.url}", style="dim", markup=False, soft_wrap=True)


def _facts_table(facts: OfferFacts) -> Table:
    kept = _UNKNOWN if facts.retention_days is None else _days(facts.retention_days)
    trains = {"never": "no", "opt-out": "no: it was objected to", "yes": "yes", "unknown": _UNKNOWN}[facts.training]
    table = Table(box=None, pad_edge=False)
    for column in ("region", "operated from", "kept", "trains", "evidence"):
        table.add_column(column)
    table.add_row(facts.region or _UNKNOWN, facts.jurisdiction or _UNKNOWN, kept, trains, facts.evidence)
    return table


def _lines_table(lines: list[Line], numbers: Mapping[Source, int]) -> Table:
    table = Table("", "", "what is said", "known", "source", box=None, pad_edge=False)
    table.columns[0].style = "bold"
    table.columns[0].no_wrap = table.columns[3].no_wrap = table.columns[4].no_wrap = True
    table.columns[1].min_width = 14
    for group, members in groupby(lines, key=attrgetter("group")):
        for number, line in enumerate(members):
            table.add_row(
                "" if number else group, Text(line.about), _said(line), _known(line), Text(_cited(line, numbers))
            )
    return table


def _print_lines_narrow(console: Console, lines: list[Line], numbers: Mapping[Source, int]) -> None:
    """A paragraph for each line: columns would leave a word or two to each."""
    for group, members in groupby(lines, key=attrgetter("group")):
        console.print(Text(group, "bold"))
        for line in members:
            text = Text.assemble((f"{line.about}: ", "bold"), _said(line))
            if known := " ".join(part for part in (_known(line).plain, _cited(line, numbers)) if part):
                text.append(f" ({known})", _known(line).style or "dim")
            console.print(Padding(text, (0, 0, 0, 2)))


def _known(line: Line) -> Text:
    if line.state in {"unknown", "said"}:
        return Text("")
    doubtful = line.stale or line.state == "conflict"
    return Text(f"{line.evidence} {line.state}{', stale' if line.stale else ''}", "yellow" if doubtful else "")


def _cited(line: Line, numbers: Mapping[Source, int]) -> str:
    return " ".join(f"[{numbers[source]}]" for source in line.sources)


def _said(line: Line) -> Text:
    """All readings, each with its note; where they disagree, a line for each."""
    if not line.readings:
        return Text(_UNKNOWN + (f". {line.note}" if line.note else ""), "dim")
    text = Text(line.readings[0], "bold" if len(line.readings) > 1 else "")
    if line.note:
        text.append(f". {line.note}" if not line.readings[0].endswith(".") else f" {line.note}", "not bold")
    for reading, note in zip(line.readings[1:], line.others, strict=True):
        text.append(f"\nor {reading}", "bold yellow")
        if note:
            text.append(f". {note}", "not bold not yellow")
    return text


def _account_lines(meant: Meant, held: list[Contract]) -> Iterator[str]:
    if meant.observed is not None:
        seen = meant.observed
        yield f"Read from the account on {seen.observed_at:%Y-%m-%d}: {seen.setting}. {seen.says}"
    elif meant.terms.account_check in all_probes():
        yield f"The account's setting can be read: isthmus catalog account {meant.own or 'OFFER'}"
    else:
        yield "No setting of the account can be read; a contract is the only evidence beyond what the texts say."
    for contract in held:
        until = "" if contract.until is None else f" until {contract.until}"
        yield f"Contract held: {contract.kind}{until}."


# ---- for programmes


def _plain(meant: Meant, facts: OfferFacts, lines: list[Line], held: list[Contract]) -> dict[str, object]:
    return {
        "terms": meant.terms.id,
        "title": meant.terms.title,
        "url": meant.terms.url,
        "provider": meant.provider.id,
        "offer": None if meant.offer is None else meant.offer.id,
        "model": None if meant.model is None else meant.model.id,
        "facts": facts,
        "lines": [_plain_line(line) for line in lines],
        "downstream": meant.terms.downstream,
        "account_check": meant.terms.account_check or None,
        "observed": meant.observed,
        "contracts": held,
        "note": meant.terms.note,
    }


def _plain_line(line: Line) -> dict[str, object]:
    return {
        "group": line.group,
        "about": line.about,
        "readings": line.readings,
        "note": line.note,
        "notes_on_other_readings": line.others,
        "state": line.state,
        "evidence": line.evidence,
        "stale": line.stale,
        "sources": [
            {"title": source.title, "url": source.url, "kind": source.kind, "read_on": source.observed_on}
            for source in line.sources
        ],
    }
