"""What time and the outside change: models that end, terms nobody looked at for long, addresses in other places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date
from typing import Any
from urllib.parse import urlsplit

import msgspec

from isthmus.catalog.claim import Claim, Source, stale
from isthmus.catalog.facts import OBSERVED_HOLDS, REGIONS, Observation
from isthmus.catalog.places import countries, is_place
from isthmus.catalog.records.offer import OfferRecord
from isthmus.catalog.retirement import BANDS, in_use, retirements
from isthmus.doctor.check import Check, Finding
from isthmus.doctor.scene import Scene
from isthmus.domain.offer import Offer, Training
from isthmus.providers.accounts.kept import observations_of
from isthmus.settings import Settings

VERY_SOON_DAYS = 30
"""Before its end, a model that is used must be replaced."""


def _settings(scene: Scene) -> Iterator[Finding]:
    if scene.problem is not None:
        problems = scene.problem.problems or (scene.problem.sentence,)
        subject = "the settings" if scene.config_file is None else str(scene.config_file)
        for problem in problems:
            yield Finding(subject=subject, found=problem)


def _retiring(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    uses = in_use(scene.settings.offers, scene.settings.workloads.values(), scene.catalog)
    for one in retirements(uses, scene.today, sources=scene.catalog.snapshot.sources):
        days = one.days
        when = f"ends on {one.retires_on}, in {days} days" if days > 0 else f"ends today, {one.retires_on}"
        if days < 0:
            when = f"ended on {one.retires_on}"
        used = f"Workloads: {', '.join(one.workloads)}." if one.workloads else "No workload has it."
        note = f" ({one.note})" if one.note else ""
        yield Finding(
            subject=f"offer {one.offer} ({one.model})",
            found=f"It {when}, says {one.source}{note}. {used}",
            severity="high" if one.band <= VERY_SOON_DAYS and one.workloads else "warn",
            remedy=f"Its successor is said to be {one.replacement}: try it beside it." if one.replacement else "",
        )


def _stale_terms(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    users: dict[str, list[str]] = {}
    for offer in scene.settings.offers.values():
        if offer.terms is not None:
            users.setdefault(offer.terms, []).append(offer.name)
    for name, offers in users.items():
        record = scene.catalog.terms.get(name)
        if record is None:
            continue
        old = [
            f"{what} (read on {_read_on(claim, record.sources)})"
            for what, claim in _claims(record)
            if stale(claim, record.sources, scene.today)
        ]
        if old:
            yield Finding(
                subject=f"terms {name}, of {', '.join(offers)}",
                found=f"Nobody read them again for longer than they keep: {', '.join(old)}.",
                remedy=f"`isthmus catalog update`, or read {record.url} and set the facts of the offer.",
            )


def _claims(record: msgspec.Struct, path: str = "") -> Iterator[tuple[str, Claim[Any]]]:
    """The claims of a record that say something, with their places in it."""
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        here = f"{path}.{field.name}".lstrip(".")
        if isinstance(value, Claim):
            if value.known:
                yield here, value
        elif isinstance(value, msgspec.Struct):
            yield from _claims(value, here)


def _read_on(claim: Claim[Any], sources: Mapping[str, Source]) -> date:
    return max(sources[key].observed_on for key in claim.sources if key in sources)


def _account_settings(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    seen = observations_of(scene.state_dir, scene.settings.offers.values())
    for name, observed in seen.items():
        offer = scene.settings.offers[name]
        age = scene.today - observed.observed_at.astimezone(UTC).date()
        if age > OBSERVED_HOLDS:
            yield Finding(
                subject=f"offer {name}",
                found=f"What its account is set to was read {age.days} days ago, and no longer counts.",
                severity="warn",
                remedy=f"`isthmus catalog account {name}`.",
            )
            continue
        for kept, set_to in _weaker(offer, observed):
            yield Finding(
                subject=f"offer {name}", found=f"It is set here as {set_to}; its account ({observed.setting}) {kept}."
            )
        yield from _weaker_than_rules(offer, observed, scene.settings)


def _weaker(offer: Offer, observed: Observation) -> Iterator[tuple[str, str]]:
    """What the account allows its operator, and what the settings say that it does not."""
    days = observed.retention_days
    if days is not None and offer.retention_days is not None and offer.retention_days < days:
        yield f"keeps what it is sent for {days} days", f"`retention_days = {offer.retention_days}`"
    if observed.training is not None and _LOOSENESS[observed.training] > _LOOSENESS[offer.training]:
        yield f"says of training: {observed.training}", f'`training = "{offer.training}"`'


def _weaker_than_rules(offer: Offer, observed: Observation, settings: Settings) -> Iterator[Finding]:
    """Labels that the workloads of an offer cannot send it, for what its account is set to."""
    days = observed.retention_days
    if days is None or (offer.retention_days is not None and offer.retention_days < days):
        return  # nothing is known of it, or the settings say less, which is told already
    labels = sorted(
        name
        for name, rule in settings.policy.rules.items()
        if rule.needs is not None and rule.needs.retention_days_max is not None and days > rule.needs.retention_days_max
    )
    if labels:
        yield Finding(
            subject=f"offer {offer.name}",
            found=f"Its account keeps what it is sent for {days} days; the rules of {', '.join(labels)} ask for less.",
            severity="warn",
            remedy="What carries these labels does not go there. If it should, change the setting at the provider.",
        )


_LOOSENESS: Mapping[Training, int] = {"never": 0, "opt-out": 1, "unknown": 2, "yes": 2}


def _elsewhere(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    for offer in scene.settings.offers.values():
        wanted = _countries(offer.region)
        if not wanted or offer.side == "own":
            continue
        host = (urlsplit(offer.base_url).hostname or "").lower()
        records = [found for found in scene.catalog.offers.values() if found.service == offer.provider and found.hosts]
        here = [found for found in records if any(_is(host, name) for name in found.hosts)]
        told = [found for found in here if found.region.processing.known]
        others = _hosts_in(records, wanted)
        if told and not any(_processed_in(found) <= wanted for found in told):
            yield Finding(
                subject=f"offer {offer.name}",
                found=f"It is set to process in {offer.region}, and {host} processes in {_places(told)}.",
                remedy=others,
            )
        elif not told and others:
            yield Finding(
                subject=f"offer {offer.name}",
                found=f"It is set to process in {offer.region}, and nobody says that {host} does.",
                severity="warn",
                remedy=others,
            )


def _countries(region: str | None) -> frozenset[str]:
    """The countries of a region, by its name or code; empty: it is no such, and nothing follows from it."""
    named = dict(REGIONS).get(region or "")
    if named is not None:
        return named
    return countries((region,)) if region is not None and is_place(region) else frozenset()


def _processed_in(record: OfferRecord) -> frozenset[str]:
    """Every country that some source says it processes in."""
    return frozenset().union(*(countries(reading) for reading in record.region.processing.readings))


def _places(records: Iterable[OfferRecord]) -> str:
    return ", ".join(
        sorted({place for found in records for reading in found.region.processing.readings for place in reading})
    )


def _hosts_in(records: Iterable[OfferRecord], wanted: frozenset[str]) -> str:
    """A sentence on the hosts that process in some of the countries; empty: none is known to."""
    hosts = [
        f"{' or '.join(found.hosts)} ({_places([found])})"
        for found in records
        if found.region.processing.known and _processed_in(found) & wanted
    ]
    return f"Hosts known to process near: {', '.join(hosts)}. Else correct `region`." if hosts else ""


def _is(host: str, name: str) -> bool:
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


CHECKS = (
    Check(
        id="OP-5",
        family="operation",
        title="The settings cannot be used",
        severity="critical",
        why="isthmus does not start with them; a running one goes on with those it had. Checks that need them found "
        "nothing, which says nothing.",
        remedy="Correct them and ask again.",
        look=_settings,
    ),
    Check(
        id="OP-1",
        family="operation",
        title="Models that end",
        severity="warn",
        why="After that day requests fail. By the settings, or the earliest day that a feed of the catalog names for "
        f"the model at its provider; told of {max(BANDS)} days before, and more loudly {VERY_SOON_DAYS} days before.",
        remedy="Choose what follows it, and try it on the workload's own requests first.",
        look=_retiring,
    ),
    Check(
        id="OP-2",
        family="operation",
        title="Terms that nobody read for long",
        severity="warn",
        why="The perimeter decides by what terms said when they were last read. Vendors change retention and training "
        "without telling: a fast fact keeps 7 days, a medium one 90, a slow one a year.",
        remedy="`isthmus catalog update`.",
        look=_stale_terms,
    ),
    Check(
        id="OP-3",
        family="operation",
        title="An account that keeps more than is set here",
        severity="high",
        why="The perimeter believes the settings. What `isthmus catalog account` read from the provider is what is so, "
        "and counts for 30 days. Accounts that were never asked are not told of.",
        remedy="Change the setting at the provider, or take the fact out of the offer.",
        look=_account_settings,
    ),
    Check(
        id="OP-4",
        family="operation",
        title="An address in another place than it is set for",
        severity="high",
        why="The perimeter believes `region`. Where residency is a matter of the host, the wrong host takes the data "
        "elsewhere.",
        remedy="Correct `url` or `region` of the offer.",
        look=_elsewhere,
    ),
)
