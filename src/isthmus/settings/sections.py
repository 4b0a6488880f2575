"""From the sections of the file to the values of the domain, collecting what is wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from isthmus.agent.profiles import AGENT_MODEL
from isthmus.batches.limits import BatchLimits
from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Label
from isthmus.domain.licensing import RequestUse
from isthmus.domain.offer import Offer, SecretRef, Workload
from isthmus.domain.principal import Key, Principal
from isthmus.perimeter.policy import Rule
from isthmus.settings.catalog import catalog_settings, doctor_settings
from isthmus.settings.labels import rule_of
from isthmus.settings.lines import KeyPath
from isthmus.settings.offers import offer_of
from isthmus.settings.problems import Problems, did_you_mean, shown
from isthmus.settings.schema import (
    ACCOUNTS,
    DEFAULT_WORKLOAD,
    LATER_SECTIONS,
    NAME,
    NAMED_SECTIONS,
    RESERVED,
    SECTIONS,
    TOP_LEVEL,
    AgentTable,
    BatchesTable,
    CatalogTable,
    DoctorTable,
    KeyTable,
    LabelTable,
    OfferTable,
    OrganisationTable,
    PerimeterTable,
    RuleTable,
    ServerTable,
    StoreTable,
    Table,
    WorkloadTable,
)
from isthmus.settings.values import (
    BIND_FORM,
    AccountSettings,
    AgentSettings,
    CatalogSettings,
    DoctorSettings,
    Limits,
    MailRule,
    PerimeterSettings,
    Server,
    Store,
    parse_bind,
)

Raw = Mapping[str, Any]
"""A table as TOML has it."""

T = TypeVar("T", bound=Table)

_MAIL = "imap"
"""The kind of accounts that rules for new mail are about."""
_SQLITE = re.compile(r"sqlite:(?:///)?([^:?/\s][^?]*|/[^?]*)\Z")


def check_sections(raw: Raw, problems: Problems) -> None:
    """Whether every section of the file is one that is known, and a table where it must be one."""
    known = [*SECTIONS, *NAMED_SECTIONS, *TOP_LEVEL, ACCOUNTS]
    for name, content in raw.items():
        if name in LATER_SECTIONS:
            for path in _tables_below(name, content):
                problems.add(path, LATER_SECTIONS[name])
        elif name not in known:
            problems.add((name,), f"is not known. {did_you_mean(name, known)}")
        elif (name in NAMED_SECTIONS or name == ACCOUNTS) and not isinstance(content, dict):
            problems.add((name,), f"must be tables with names, as in [{name}.NAME]")


def server_of(raw: Raw, problems: Problems) -> Server:
    table = _valid(ServerTable, ("server",), raw.get("server", {}), problems)
    if table is None:
        return Server()
    server = Server(limits=Limits(**table.model_dump(exclude={"bind"})))
    try:
        return parse_bind(server, table.bind)
    except ConfigError:
        problems.add(("server", "bind"), f"is no address to listen on. {BIND_FORM}")
        return server


def store_of(raw: Raw, state_dir: Path, problems: Problems) -> Store:
    """The store; a relative file is below the state folder."""
    table = _valid(StoreTable, ("store",), raw.get("store", {}), problems) or StoreTable()
    match = _SQLITE.match(table.url)
    if match is None:
        later = "PostgreSQL is not available in this release; " if table.url.startswith("postgres") else ""
        problems.add(
            ("store", "url"), f"{later}must be sqlite:FILE, such as sqlite:isthmus.db or sqlite:/var/lib/isthmus.db"
        )
    file = "isthmus.db" if match is None else match[1]
    return Store(
        url=f"sqlite:///{(state_dir / Path(file).expanduser()).absolute()}",
        group_ms=table.group_ms,
        on_failure=table.on_failure,
        max_pending=table.max_pending,
        content_key=table.content_key,
    )


def offers_of(
    raw: Raw, *, folder: Path, environ: Mapping[str, str], problems: Problems, notes: list[str]
) -> Mapping[str, Offer | None]:
    """Every offer by name; None for one that the file has but that is not right."""
    offers: dict[str, Offer | None] = {}
    for name, (path, content) in _named_tables("offers", raw, problems).items():
        table = _valid(OfferTable, path, content, problems)
        offers[name] = offer = (
            None if table is None else offer_of(name, table, folder=folder, environ=environ, problems=problems)
        )
        if offer is not None and offer.key is not None and (lack := _lack(offer.key, environ)):
            notes.append(f"Offer '{name}': {lack}, so its requests will fail.")
    return offers


def rules_of(raw: Raw, offers: Iterable[str], problems: Problems) -> Mapping[Label, Rule]:
    """The rules of labels, by label."""
    rules: dict[Label, Rule] = {}
    for name, (path, content) in _named_tables("labels", raw, problems).items():
        table = _valid(LabelTable, path, content, problems)
        if table is not None and (rule := rule_of(name, table, path, offers, problems)) is not None:
            rules[rule.label] = rule
    return rules


def batches_of(raw: Raw, problems: Problems) -> BatchLimits:
    table = _valid(BatchesTable, ("batches",), raw.get("batches", {}), problems)
    if table is None:
        return BatchLimits()
    return BatchLimits(
        patience=timedelta(seconds=table.patience_seconds),
        window=timedelta(hours=table.window_hours),
        keep=timedelta(days=table.keep_days),
        **table.model_dump(exclude={"patience_seconds", "window_hours", "keep_days"}),
    )


def organisation_in(raw: Raw, problems: Problems) -> OrganisationTable | None:
    """What is said of the organisation; None: nothing is."""
    if "organisation" not in raw:
        return None
    return _valid(OrganisationTable, ("organisation",), raw["organisation"], problems)


def catalog_of(raw: Raw, folder: Path, state_dir: Path, problems: Problems) -> CatalogSettings:
    """Where the catalog is."""
    table = _valid(CatalogTable, ("catalog",), raw.get("catalog", {}), problems) or CatalogTable()
    return catalog_settings(table, folder=folder, state_dir=state_dir, problems=problems)


def agent_of(raw: Raw, workloads: Iterable[str], folder: Path, problems: Problems) -> AgentSettings:
    """How the agent works."""
    table = _valid(AgentTable, ("agent",), raw.get("agent", {}), problems) or AgentTable()
    known = list(workloads)
    for key in ("routine", "complex"):
        named = getattr(table, key)
        if named is not None and named not in known:
            problems.add(("agent", key), f"{shown(named)} is not a workload. {did_you_mean(named, known)}")
    return AgentSettings(
        profile=table.profile,
        routine=table.routine,
        complex=table.complex,
        users=table.users,
        policy=None if table.policy is None else (folder / Path(table.policy).expanduser()).absolute(),
        hold_seconds=table.hold_seconds,
        budget={} if table.budget is None else table.budget.model_dump(exclude_none=True),
    )


def mail_rules_of(raw: Raw, accounts: Mapping[str, AccountSettings], problems: Problems) -> Mapping[str, MailRule]:
    """The rules for new mail, by name."""
    found: dict[str, MailRule] = {}
    mail = [name for name, account in accounts.items() if account.kind == _MAIL]
    for name, (path, content) in _named_tables("rules", raw, problems).items():
        table = _valid(RuleTable, path, content, problems)
        if table is None:
            continue
        if table.account not in mail:
            said = f"{shown(table.account)} is not an account of mail. {did_you_mean(table.account, mail)}"
            problems.add((*path, "account"), said)
            continue
        found[name] = MailRule(
            name=name,
            account=table.account,
            task=table.task,
            sender=table.sender,
            subject=table.subject,
            read_only=table.read_only,
        )
    return found


def doctor_of(raw: Raw, folder: Path, problems: Problems) -> DoctorSettings:
    """What the doctor may look at."""
    table = _valid(DoctorTable, ("doctor",), raw.get("doctor", {}), problems) or DoctorTable()
    return doctor_settings(table, folder)


def perimeter_of(raw: Raw, folder: Path, problems: Problems) -> PerimeterSettings:
    """How content is looked at."""
    table = _valid(PerimeterTable, ("perimeter",), raw.get("perimeter", {}), problems) or PerimeterTable()
    topics = None if table.topics is None else (folder / Path(table.topics).expanduser()).absolute()
    if topics is not None and not topics.is_file():
        problems.add(("perimeter", "topics"), "is not a file that can be found. `isthmus perimeter train` makes it")
    return PerimeterSettings(lineage=table.lineage, surrogates=table.stand_ins == "surrogate", topics=topics)


def workloads_of(
    raw: Raw, offers: Iterable[str], problems: Problems, *, uses: frozenset[RequestUse]
) -> tuple[Mapping[str, Workload], str]:
    """The workloads, and the name of the one that requests belong to that name none.

    Where the file sets no workload, there is one of all offers. `uses` are those of workloads that say none.
    """
    offers = list(offers)
    tables = _named_tables("workloads", raw, problems)
    workloads: dict[str, Workload] = {}
    for name, (path, content) in tables.items():
        if name in offers:
            problems.add(path, "has the name of an offer, and requests name either. Choose another name")
        table = _valid(WorkloadTable, path, content, problems)
        if table is None:
            continue
        for offer in table.offers:
            if offer not in offers:
                problems.add((*path, "offers"), f"{shown(offer)} is not an offer. {did_you_mean(offer, offers)}")
        if table.keep_days is not None and "content_key" not in raw.get("store", {}):
            problems.add(
                (*path, "keep_days"), "needs [store] content_key: what is kept is encrypted. Say where its key is"
            )
        if len(set(table.offers)) < len(table.offers):
            problems.add((*path, "offers"), "has an offer twice. Take one out")
        workloads[name] = Workload(
            name=name,
            offers=table.offers,
            goal=table.goal,
            labels=frozenset(Label(label) for label in table.labels),
            attempts=table.attempts,
            keep_days=table.keep_days,
            mid_stream=table.mid_stream,
            hedge_after=table.hedge_after,
            uses=uses if table.use is None else frozenset(table.use),
            cache_seconds=table.cache_seconds,
            unreadable=None if table.unreadable is None else frozenset(Label(label) for label in table.unreadable),
        )
    if not tables:
        if DEFAULT_WORKLOAD in offers:
            problems.add(
                ("offers", DEFAULT_WORKLOAD),
                "has the name of the workload that there is where none is set. Choose another name, or set a workload",
            )
        workloads[DEFAULT_WORKLOAD] = Workload(name=DEFAULT_WORKLOAD, offers=tuple(offers), uses=uses)
    return workloads, _default_workload(raw, [*tables] or [*workloads], problems)


def _default_workload(raw: Raw, workloads: Sequence[str], problems: Problems) -> str:
    default = raw.get("default_workload", workloads[0])
    if not isinstance(default, str):
        problems.add(("default_workload",), "must be the name of a workload")
    elif default not in workloads:
        problems.add(("default_workload",), f"{shown(default)} is not a workload. {did_you_mean(default, workloads)}")
    else:
        return default
    return workloads[0]


def keys_of(raw: Raw, problems: Problems) -> Mapping[bytes, Key]:
    """The keys, by hash."""
    workloads = [*_table_names("workloads", raw)] or [DEFAULT_WORKLOAD]
    # Whoever asks for an offer by its own name asks for a workload of that name.
    targets = [*workloads, *_table_names("offers", raw), AGENT_MODEL]
    keys: dict[bytes, Key] = {}
    for name, (path, content) in _named_tables("keys", raw, problems).items():
        table = _valid(KeyTable, path, content, problems)
        if table is None:
            continue
        if table.workload is not None and table.workload not in workloads:
            problems.add(
                (*path, "workload"),
                f"{shown(table.workload)} is not a workload. {did_you_mean(table.workload, workloads)}",
            )
        for target in table.workloads or ():
            if target not in targets:
                problems.add(
                    (*path, "workloads"),
                    f"{shown(target)} is neither a workload nor an offer. {did_you_mean(target, targets)}",
                )
        if table.workloads is not None and table.workload is not None and table.workload not in table.workloads:
            problems.add((*path, "workload"), "is not among the key's `workloads`. Add it there, or choose one of them")
        if table.expires is not None and table.expires.tzinfo is None:
            problems.add((*path, "expires"), "must say its offset, such as 2027-01-31T00:00:00Z")
        digest = bytes.fromhex(table.hash.removeprefix("sha256:"))
        if digest in keys:
            problems.add((*path, "hash"), f"is the hash of key '{keys[digest].name}' too. Make another key")
        keys[digest] = Key(
            name=name,
            hash=digest,
            principal=Principal(tenant=table.tenant, team=table.team, user=table.user, key=name),
            workload=table.workload,
            workloads=None if table.workloads is None else frozenset(table.workloads),
            labels=frozenset(Label(label) for label in table.labels),
            expires=None if table.expires is None else table.expires.astimezone(UTC),
        )
    return keys


def _valid(model: type[T], path: KeyPath, content: object, problems: Problems) -> T | None:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems.add_invalid(path, error, model)
        return None


def _table_names(section: str, raw: Raw) -> Iterable[str]:
    content = raw.get(section, {})
    return content if isinstance(content, dict) else ()


def _named_tables(section: str, raw: Raw, problems: Problems) -> Mapping[str, tuple[KeyPath, object]]:
    """The tables of a section that has one per name, those with usable names."""
    usable: dict[str, tuple[KeyPath, object]] = {}
    for name in _table_names(section, raw):
        path = (section, name)
        if NAME.match(name) and name not in RESERVED:
            usable[name] = (path, raw[section][name])
        else:
            problems.add(
                path,
                "is not a usable name: use 1 to 128 letters, digits and . _ : / @ + -, beginning with a letter or a "
                "digit; 'auto' is taken, it stands for the default workload",
            )
    return usable


def _tables_below(section: str, content: object) -> Sequence[KeyPath]:
    """The tables of a section, or the section itself where it has none."""
    tables = (
        [(section, name) for name, table in content.items() if isinstance(table, dict)]
        if isinstance(content, dict)
        else []
    )
    return tables or [(section,)]


def _lack(key: SecretRef, environ: Mapping[str, str]) -> str | None:
    """What an offer's key lacks to be there, where that can be told without reading it."""
    if key.scheme == "env" and not environ.get(key.name, "").strip():
        return f"the environment has no {key.name}"
    if key.scheme == "file" and not Path(key.name).is_file():
        return "the file of its key is not there"
    return None
