"""What a batch is, and the states it goes through.

    validating ──▶ in_progress ──▶ finalizing ──▶ completed | expired
        │               │
        ▼               ▼
      failed        cancelling ──▶ cancelled

The words are those of OpenAI's batches; Anthropic's have fewer and are told from these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NewType

from isthmus.batches.file import FileId, ordered_hex
from isthmus.domain.label import Labelled
from isthmus.domain.usage import Usage

BatchId = NewType("BatchId", str)

Kind = Literal["openai", "anthropic"]
"""Whose batches it is like: in the first, lines come and results go as files."""

State = Literal["validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "expired", "cancelled"]

Outcome = Literal["succeeded", "errored", "cancelled", "expired", "revoked"]
"""How a line ended.

succeeded   there is an answer
errored     there is an error, in the dialect of the line
cancelled   it was not asked, because its batch was cancelled
expired     it was not asked in time
revoked     it was not asked, because the key of its batch is no longer in force
"""

MESSAGES = "/v1/messages"
"""Endpoint of every line of a batch of Anthropic's kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Why a batch failed or was stopped."""

    code: str
    message: str
    line: int | None = None
    """Of the input file, from 1; None: it is about all of it."""
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many lines of a batch are where."""

    waiting: int = 0
    succeeded: int = 0
    errored: int = 0
    cancelled: int = 0
    expired: int = 0
    revoked: int = 0

    @property
    def failed(self) -> int:
        """Ended without an answer."""
        return self.errored + self.cancelled + self.expired + self.revoked

    @property
    def total(self) -> int:
        return self.waiting + self.succeeded + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch without its lines."""

    id: BatchId
    tenant: str
    kind: Kind
    endpoint: str
    """Path every line would be sent to."""
    state: State
    created: datetime
    expires: datetime
    key: bytes
    """SHA-256 of the key that made it; empty where there are no keys."""
    labels: tuple[Labelled, ...] = ()
    """Of every line: those of key, header and metadata at its making, and of its file."""
    workload: str | None = None
    """Declared at its making."""
    conversation: str | None = None
    metadata: Mapping[str, str] | None = None
    input_file: FileId | None = None
    keep_seconds: int | None = None
    """How long its output is kept; None: as long as the limits say."""
    began: datetime | None = None
    """When its lines were found good."""
    finalizing: datetime | None = None
    cancelling: datetime | None = None
    ended: datetime | None = None
    output_file: FileId | None = None
    error_file: FileId | None = None
    complaints: tuple[Complaint, ...] = ()
    counts: Counts = field(default_factory=Counts)
    """Up to date once it has ended; before, the store counts."""
    usage: Usage | None = None
    """Of all its lines; None: none told any, or it has not ended."""

    @property
    def open(self) -> bool:
        """Whether something is still to be done for it."""
        return self.ended is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One request of a batch."""

    batch: BatchId
    number: int
    """From 1, as in the input."""
    custom_id: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a line ended, in the dialect of its endpoint."""

    batch: BatchId
    number: int
    custom_id: str
    outcome: Outcome
    status: int | None = None
    """HTTP status of the answer or error; None: it was not asked."""
    request: str | None = None
    """Id of its entry in the ledger; None: there is none."""
    body: bytes = b""
    """Answer or error; empty where it was not asked."""
    usage: Usage | None = None


def new_batch_id(kind: Kind) -> BatchId:
    return BatchId(f"{'batch_' if kind == 'openai' else 'msgbatch_'}{ordered_hex()}")


# ---------------------------------------------------------------------------------------------------------- transitions
# Each is safe to repeat, and changes nothing in a batch that has ended.


def found_good(batch: Batch, now: datetime) -> Batch:
    """Its lines can be asked. A batch that was cancelled meanwhile stays so."""
    if batch.state != "validating":
        return batch
    return replace(batch, state="in_progress", began=now)


def found_bad(batch: Batch, complaints: tuple[Complaint, ...], now: datetime) -> Batch:
    """Its input cannot be used: it ends, and nothing of it is asked."""
    return batch if batch.ended else replace(batch, state="failed", complaints=complaints, ended=now)


def cancelled(batch: Batch, now: datetime) -> Batch:
    """Nothing more of it is to be begun; what is under way ends."""
    if batch.state not in {"validating", "in_progress"}:
        return batch
    return replace(batch, state="cancelling", cancelling=now)


def finalizing(batch: Batch, now: datetime) -> Batch:
    """All its lines have ended; the results are being written."""
    if batch.state != "in_progress":
        return batch
    return replace(batch, state="finalizing", finalizing=now)


def ended(
    batch: Batch,
    counts: Counts,
    usage: Usage | None,
    *,
    output_file: FileId | None,
    error_file: FileId | None,
    now: datetime,
) -> Batch:
    """The results are there. How it ended is told by how its lines did."""
    if batch.ended:
        return batch
    state: State = "completed"
    complaints = batch.complaints
    if counts.revoked:
        state = "cancelled"
        complaints = (Complaint(code="invalid_api_key", message="The key that made this batch is no longer in force."),)
    elif batch.state == "cancelling":
        state = "cancelled"
    elif counts.expired:
        state = "expired"
    return replace(
        batch,
        state=state,
        complaints=complaints,
        counts=counts,
        usage=usage,
        output_file=output_file,
        error_file=error_file,
        ended=now,
    )
