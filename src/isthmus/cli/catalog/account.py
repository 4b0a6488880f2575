"""`isthmus catalog account`: how accounts at providers are set, read from the providers themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.facts import OBSERVED_HOLDS, Observation
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import counting, print_json
from isthmus.domain.errors import ConfigError, IsthmusError, UpstreamMalformed
from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.kept import forget, keep, observations_of
from isthmus.providers.accounts.probe import Probe
from isthmus.providers.accounts.reading import read_account
from isthmus.providers.accounts.registry import all_probes
from isthmus.providers.secrets import Secrets
from isthmus.settings import Settings, load

_REFERENCE = re.compile(r"(env|file|keyring):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Askable:
    """An offer whose account can be asked, and how."""

    offer: Offer
    terms: str
    probe: Probe
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Untold:
    """An account that could not be read, and why."""

    offer: str
    probe: str
    code: str
    says: str


def command(
    offer: Annotated[
        str | None, typer.Argument(help="Name of an offer of the settings; else all that can be asked.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Where the key is that may read settings: env:NAME, file:PATH or keyring:NAME.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="Which part of the account: the project at OpenAI, the resource at Azure.")
    ] = "",
    finished: Annotated[
        str, typer.Option(help="Id of an answer the provider gave lately; it must have forgotten it.")
    ] = "",
    address: Annotated[
        str | None, typer.Option(help="Of the provider's management interface, where it is not the usual one.")
    ] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Ask nothing; show what was read before.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read from providers how accounts are set, show it, and keep it as evidence E3 of the offer's facts."""
    settings = load(config)
    if kept:
        _show(list(observations_of(settings.state_dir, settings.offers.values()).values()), [], as_json=as_json)
        return
    if offer is None and (key or part or finished or address):
        raise ConfigError(
            "Which offer is meant is not said.", hint="Name it before the options: isthmus catalog account OFFER …"
        )
    asked = askable(settings, settings.catalog.load(settings.cache_dir), offer)
    reference = None if key is None else _reference(key)
    read: list[Observation] = []
    untold: list[_Untold] = []
    with counting(quiet=as_json) as progress:
        for one in progress.track(asked, description="asking"):
            try:
                found = asyncio.run(_read(one, key=reference, address=address, part=part, finished=finished))
            except IsthmusError as exc:
                if isinstance(exc, UpstreamMalformed):  # it was asked, and nothing can be concluded any longer
                    forget(settings.state_dir, one.offer.name)
                untold.append(_Untold(offer=one.offer.name, probe=one.probe.name, code=exc.code, says=exc.sentence))
                continue
            keep(settings.state_dir, found)
            read.append(found)
    _show(read, untold, as_json=as_json)
    if untold:
        raise typer.Exit(1)


def askable(settings: Settings, catalog: Catalog, only: str | None) -> list[_Askable]:
    """The offers whose accounts can be asked.

    Raises:
        ConfigError: the one that was named cannot, or none can.
    """
    if only is not None and only not in settings.offers:
        raise ConfigError(f"There is no offer {only!r}.", hint=f"There are {', '.join(settings.offers)}.")
    offers = [settings.offers[only]] if only is not None else list(settings.offers.values())
    found = [one for one in (_askable(offer, catalog) for offer in offers) if one is not None]
    if found:
        return found
    probes = all_probes()
    checkable = sorted(terms.id for terms in catalog.terms.values() if terms.account_check in probes)
    raise ConfigError(
        f"The account of offer {only} cannot be asked." if only is not None else "No account can be asked.",
        hint=f"That takes an offer with `terms` that have a check: {', '.join(checkable)}.",
    )


def _askable(offer: Offer, catalog: Catalog) -> _Askable | None:
    terms = catalog.terms.get(offer.terms or "")
    probe = None if terms is None else all_probes().get(terms.account_check)
    if terms is None or probe is None:
        return None
    hosts = tuple(host for found in catalog.offers.values() if found.terms == terms.id for host in found.hosts)
    return _Askable(offer=offer, terms=terms.id, probe=probe, hosts=hosts)


async def _read(one: _Askable, *, key: SecretRef | None, address: str | None, part: str, finished: str) -> Observation:
    return await read_account(
        one.probe,
        one.offer,
        terms=one.terms,
        secrets=Secrets(),
        now=datetime.now(UTC),
        key=key,
        hosts=one.hosts,
        address=address,
        part=part,
        finished=finished,
    )


def _reference(text: str) -> SecretRef:
    """Where a key is. The key itself is never taken: it would stay in the history of the shell.

    Raises:
        ConfigError: it is no reference. What was given is not repeated, for it may be the key.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ConfigError("--key takes a reference, not the key.", hint="Say env:NAME, file:PATH or keyring:NAME.")
    return SecretRef(match[1], match[2])  # type: ignore[arg-type]  # the pattern has only the three schemes


def _show(read: Iterable[Observation], untold: Iterable[_Untold], *, as_json: bool) -> None:
    read, untold = list(read), list(untold)
    if as_json:
        print_json({"observations": [_plain(one) for one in read], "untold": untold})
        return
    console = Console()
    if read:
        table = Table("offer", "setting", "means", "kept", "read", box=None, pad_edge=False)
        for one in read:
            days = "as in the terms" if one.retention_days is None else f"{one.retention_days} days"
            table.add_row(one.offer, one.setting, one.says, days, f"{one.observed_at:%Y-%m-%d}")
        console.print(table)
        console.print(f"Counts as evidence E3 for {OBSERVED_HOLDS.days} days.", style="dim", highlight=False)
    elif not untold:
        console.print("Nothing was read yet. `isthmus catalog account` asks.", highlight=False)
    for missed in untold:
        console.print(f"{missed.offer}: {missed.says}", style="red", markup=False, highlight=False, soft_wrap=True)


def _plain(one: Observation) -> dict[str, Any]:
    return {
        "offer": one.offer,
        "terms": one.terms,
        "setting": one.setting,
        "says": one.says,
        "retention_days": one.retention_days,
        "training": one.training,
        "observed_at": one.observed_at,
        "counts_until": (one.observed_at + OBSERVED_HOLDS).date(),
        "where": one.where,
    }
