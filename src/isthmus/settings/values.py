"""The settings in force, as frozen values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from isthmus.agent.profiles import Profile
from isthmus.batches.limits import BatchLimits
from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.retirement import Retirement
from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Label
from isthmus.domain.licensing import RequestUse
from isthmus.domain.offer import Offer, SecretRef, Workload
from isthmus.domain.principal import Key
from isthmus.perimeter.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what clients may ask of the server."""

    max_body_bytes: int = 32 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    max_messages: int = 2000
    max_connections: int = 8192
    """Sockets open at once, idle ones included."""
    max_requests: int = 4096
    """Requests worked on at once."""
    max_stream_seconds: float = 3600.0
    header_timeout: float = 10.0
    """How long a client may take to send its request's head, and then from one piece of its body to the next."""
    drain_seconds: float = 30.0
    """How long requests under way may take to end when the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where requests come in."""

    host: str = "127.0.0.1"
    port: int = 8090
    limits: Limits = field(default_factory=Limits)
    given: bool = False
    """Host and port were given at the start, and what the file says of them does not count."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


BIND_FORM = "Say HOST:PORT, such as 127.0.0.1:8090 or [::1]:8090."

OnFailure = Literal["refuse", "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where the ledger is kept."""

    url: str
    """SQLAlchemy URL; of SQLite with an absolute path."""
    group_ms: float = 50.0
    """Entries are committed together, at the latest this many milliseconds after the first of them."""
    on_failure: OnFailure = "refuse"
    """When nothing can be recorded: refuse requests, or serve them and say so."""
    max_pending: int = 10_000
    """Requests under way and entries waiting to be written."""
    content_key: SecretRef | None = None
    """What kept content is encrypted with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerimeterSettings:
    """How content is looked at."""

    lineage: bool = True
    surrogates: bool = False
    """Whether stand-ins look like what they stand for."""
    topics: Path | None = None
    """Weights of the semantic gate; None: those that came along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSettings:
    """Where facts about models come from, besides those that came along."""

    updates: Path
    """What `isthmus catalog update` applied."""
    own: Path | None = None
    """The operator's own records."""
    lock: Path = Path("models.lock")
    """File of pinned weights; need not be there."""
    require_lock: bool = False

    def load(self, cache_dir: Path) -> Catalog:
        """The catalog in force. Takes 10 ms, and seconds where what was read is not kept in the cache folder.

        Raises:
            ConfigError: a record is not right.
        """
        return load_catalog(updates=self.updates, own=self.own, cache_dir=cache_dir)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorSettings:
    """What the doctor may look at besides this machine."""

    addresses: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """An account of the agent's at a service."""

    name: str
    kind: str
    account: msgspec.Struct
    """What the kind needs to be told; secrets are references."""
    labels: frozenset[Label] = frozenset()
    """Of all that is found there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How the agent works."""

    profile: Profile = "privacy-first"
    routine: str | None = None
    """Workload of routine work; None: that of the profile."""
    complex: str | None = None
    """Workload of complex work; None: that of the profile."""
    users: tuple[str, ...] = ()
    """Who may speak to it by channels, as `matrix:@me:example.org`; others have to be paired."""
    policy: Path | None = None
    """File of policy in the place of the one that comes along."""
    hold_seconds: float = 30.0
    """How long what is sent waits, so that it can be called back."""
    budget: Mapping[str, Decimal] = field(default_factory=dict)
    """Dollars a day, by trigger; what is not named has no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRule:
    """What the agent is to do when mail comes in."""

    name: str
    account: str
    """Of mail; its inbox is watched."""
    task: str
    """In the user's words."""
    sender: str | None = None
    """What the sender's address contains. None: any."""
    subject: str | None = None
    """What the subject contains. None: any."""
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is set, read once."""

    server: Server
    store: Store
    offers: Mapping[str, Offer]
    """By name, in the order of the file."""
    workloads: Mapping[str, Workload]
    """By name, in the order of the file. No name is both an offer's and a workload's."""
    policy: Policy
    """The rules of labels."""
    perimeter: PerimeterSettings
    keys: Mapping[bytes, Key]
    """Of the file, by hash. Keys made by command are in the store."""
    default_workload: str
    """Of requests that name none. Always one of `workloads`."""
    version: str
    """Hash of offers, prices and workloads: the catalog version that decisions and entries carry."""
    source: Path | None
    """None: no file, all of it was discovered."""
    notes: tuple[str, ...]
    """What was found and what is worth knowing, a sentence each."""
    cache_dir: Path
    """What may be deleted: weights, prices looked up."""
    state_dir: Path
    """What must be kept: the ledger."""
    catalog: CatalogSettings
    manifest: str
    """Version of the catalog that offers were held against."""
    organisation: Organisation | None = None
    """None: not said, and nothing is held against licences and terms."""
    uses: frozenset[RequestUse] = frozenset({"internal"})
    """What answers are for where a workload does not say."""
    beliefs: Mapping[str, str] = field(default_factory=dict)
    """Canonical JSON by the first 16 hexadecimal digits of its SHA-256: of `version`, all that is believed of offers;
    of the policy's version, the rules."""
    retirements: tuple[Retirement, ...] = ()
    """Offers whose model ends within 90 days, or has ended; the first to end first."""
    doctor: DoctorSettings = field(default_factory=DoctorSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)
    """Of the agent's, by name."""
    rules: Mapping[str, MailRule] = field(default_factory=dict)
    """For new mail, by name, in the order of the file."""
    batches: BatchLimits = field(default_factory=BatchLimits)

    @property
    def read_from(self) -> tuple[Path, ...]:
        """What to watch for changes: the file, and what it is held against. Empty where all of it was discovered."""
        if self.source is None:
            return ()
        return (self.source, self.catalog.lock, self.catalog.updates, self.state_dir / "accounts.json")


_BIND = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]\s]+)):([0-9]{1,5})\Z")


def parse_bind(server: Server, bind: str) -> Server:
    """The server with another address.

    Args:
        server: what stays as it is.
        bind: `HOST:PORT`, or `[ADDRESS]:PORT` for IPv6; port 0 lets the system choose.

    Raises:
        ConfigError: it is neither.
    """
    match = _BIND.match(bind)
    if match is None or int(match[3]) > 65535:
        raise ConfigError(f"'{bind[:60]}' is no address to listen on.", hint=BIND_FORM)
    return replace(server, host=match[1] or match[2], port=int(match[3]))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself and nothing else reaches it.

    Args:
        host: a name, or an IPv4 or IPv6 address, with or without brackets.
    """
    bare = host.strip("[]").partition("%")[0].rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):  # RFC 6761, section 6.3: always loopback
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
