"""Reads the settings in this process: the file or what discovery finds, the environment, the prices."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from isthmus.catalog.organisation import Organisation
from isthmus.catalog.prices import PriceKey, prices_of
from isthmus.catalog.retirement import in_use, retirements
from isthmus.domain.errors import ConfigError
from isthmus.domain.licensing import RequestUse
from isthmus.domain.offer import Offer, Workload
from isthmus.providers.accounts.kept import observations_of
from isthmus.providers.compatible import services
from isthmus.providers.discovery import find_engines, find_keys, usual_ports
from isthmus.providers.embedded.lock import offer_by_lock, read_lock
from isthmus.settings import places
from isthmus.settings.accounts import accounts_of
from isthmus.settings.catalog import check_contracts, organisation_of, uses_of
from isthmus.settings.discovered import discovered
from isthmus.settings.labels import policy_of, rules_text
from isthmus.settings.lines import lines_of
from isthmus.settings.problems import Problems
from isthmus.settings.sections import (
    agent_of,
    batches_of,
    catalog_of,
    check_sections,
    doctor_of,
    keys_of,
    mail_rules_of,
    offers_of,
    organisation_in,
    perimeter_of,
    rules_of,
    server_of,
    store_of,
    workloads_of,
)
from isthmus.settings.standing import Standpoint, standing
from isthmus.settings.values import Settings

_MAX_FILE_BYTES = 4 << 20


class _File(NamedTuple):
    text: str
    raw: Mapping[str, Any]


def read(path: Path | None, *, environ: Mapping[str, str], ports: Mapping[str, int] | None = None) -> Settings:
    """Read the settings, in this process.

    Imports pydantic, and `genai-prices` where no look-up of the day is kept: 15 MB and 39 MB that a server had better
    not keep. It calls `isthmus.settings.load`, which does the same in a process of its own.

    Args:
        path: the file; None: see `load`.
        environ: the environment.
        ports: where discovery looks for engines, as name of a service and port; None: on their usual ports.

    Raises:
        ConfigError: the file cannot be used; `problems` has a sentence for each thing that is wrong.
    """
    named = path is not None
    if path is None and (found := places.config_file(environ, Path.cwd())) is not None:
        path, named = found
    file = _File("", {}) if path is None else _read(path, named=named)
    problems = Problems("isthmus.toml" if path is None else str(path), lines_of(file.text))
    notes: list[str] = []

    check_sections(file.raw, problems)
    server = server_of(file.raw, problems)
    state_dir = places.state_dir(environ)
    store = store_of(file.raw, state_dir, problems)
    folder = Path.cwd() if path is None else path.absolute().parent
    offers: Mapping[str, Offer | None]
    if file.raw.get("offers"):
        offers = offers_of(file.raw, folder=folder, environ=environ, problems=problems, notes=notes)
    else:
        engines = find_engines(usual_ports() if ports is None else ports)
        offers, told = discovered(engines, find_keys(environ))
        notes += told
    organisation_table = organisation_in(file.raw, problems)
    organisation = None if organisation_table is None else organisation_of(organisation_table, problems)
    uses = uses_of(organisation_table)
    catalog_set = catalog_of(file.raw, folder, state_dir, problems)
    lock = read_lock(catalog_set.lock)
    offers = {
        name: None
        if offer is None
        else offer_by_lock(lock, offer, file=catalog_set.lock, required=catalog_set.require_lock)
        for name, offer in offers.items()
    }
    cache = places.cache_dir(environ)
    catalog = catalog_set.load(cache)
    if organisation_table is not None:
        check_contracts(organisation_table, catalog, problems)
    point = Standpoint(
        catalog=catalog,
        organisation=organisation,
        refuse_unknown=organisation_table is None or organisation_table.unknown == "refuse",
        observed=observations_of(state_dir, [offer for offer in offers.values() if offer is not None]),
        today=datetime.now(UTC).date(),
    )
    offers = {name: None if offer is None else standing(offer, point, problems) for name, offer in offers.items()}
    workloads, default = workloads_of(file.raw, offers, problems, uses=uses)
    rules = rules_of(file.raw, offers, problems)
    perimeter = perimeter_of(file.raw, folder, problems)
    batches = batches_of(file.raw, problems)
    keys = keys_of(file.raw, problems)
    agent = agent_of(file.raw, workloads, folder, problems)
    accounts = accounts_of(file.raw, problems)
    rules_of_mail = mail_rules_of(file.raw, accounts, problems)
    problems.raise_any()

    priced = _priced([offer for offer in offers.values() if offer is not None], cache)
    unknown = [offer.name for offer in priced.values() if offer.price is None]
    if unknown:
        notes.append(f"No price is known for {', '.join(unknown)}: the cost is recorded as unknown. Set `price`.")
    ending = retirements(in_use(priced, workloads.values(), catalog), point.today, sources=catalog.snapshot.sources)
    notes += [f"{one.sentence}." for one in ending]
    believed = beliefs_of(priced, workloads, default, manifest=catalog.version, organisation=organisation, uses=uses)
    return Settings(
        server=server,
        store=store,
        offers=priced,
        workloads=workloads,
        policy=policy_of(rules),
        perimeter=perimeter,
        keys=keys,
        default_workload=default,
        version=version_of(believed),
        retirements=ending,
        beliefs={version_of(text): text for text in (believed, rules_text(rules))},
        catalog=catalog_set,
        manifest=catalog.version,
        organisation=organisation,
        uses=uses,
        agent=agent,
        accounts=accounts,
        rules=rules_of_mail,
        doctor=doctor_of(file.raw, folder, problems),
        source=path,
        notes=tuple(notes),
        cache_dir=cache,
        state_dir=state_dir,
        batches=batches,
    )


def beliefs_of(
    offers: Mapping[str, Offer],
    workloads: Mapping[str, Workload],
    default: str,
    *,
    manifest: str,
    organisation: Organisation | None,
    uses: frozenset[RequestUse],
) -> str:
    """All that decides which offer serves and what it costs, as canonical JSON. What it is held against is named."""
    content = {
        "catalog": manifest,
        "default": default,
        "organisation": None if organisation is None else msgspec.to_builtins(organisation),
        "uses": sorted(uses),
        "offers": [dataclasses.asdict(offer) for offer in offers.values()],
        "workloads": [dataclasses.asdict(workload) for workload in workloads.values()],
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)


def version_of(beliefs: str) -> str:
    """What decisions and entries carry of them: the first 16 hexadecimal digits of their SHA-256."""
    return hashlib.sha256(beliefs.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _priced(offers: list[Offer], cache: Path) -> Mapping[str, Offer]:
    """The offers by name, with the prices in force where none is set and one is known."""
    wanted = {
        offer.name: PriceKey(service.prices, offer.model)
        for offer in offers
        if offer.price is None
        and (service := services().get(offer.provider)) is not None
        and service.prices is not None
    }
    prices = prices_of(wanted.values(), datetime.now(UTC), cache_dir=cache)
    return {
        offer.name: dataclasses.replace(offer, price=prices.get(wanted[offer.name])) if offer.name in wanted else offer
        for offer in offers
    }


def _read(path: Path, *, named: bool) -> _File:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise _unusable(f"{path}: is larger than {_MAX_FILE_BYTES:,} bytes. Is this a settings file?")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        hint = " Check --config or ISTHMUS_CONFIG." if named else ""
        raise _unusable(f"{path}: does not exist.{hint}") from error
    except UnicodeDecodeError as error:
        raise _unusable(f"{path}: is not UTF-8 text, at byte {error.start}. Save it as UTF-8.") from error
    except OSError as error:
        raise _unusable(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        # Decimals, so that a price is what the file says, and not the nearest binary fraction.
        return _File(text, tomllib.loads(text, parse_float=Decimal))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _unusable(f"{path}: is not TOML: {error}.") from error


def _unusable(problem: str) -> ConfigError:
    return ConfigError(problem)
