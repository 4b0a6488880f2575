"""Whether the ledger is what was written: every chain recomputed, every checkpoint checked, every fault named.

What this proves and what it cannot prove stands in `docs/reference/ledger.md`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from isthmus.domain.errors import InvalidRequest
from isthmus.ledger.chain import SEED, link, seq_at, writer_at
from isthmus.ledger.checkpoints import FIRST_PREVIOUS, CheckpointDocument, checkpoint_hash, parse_checkpoint
from isthmus.ledger.documents import canonical
from isthmus.ledger.schema import to_instant
from isthmus.ledger.signing import PublicKey
from isthmus.ledger.store import Store

FaultKind = Literal[
    "altered",
    "missing",
    "moved",
    "spliced",
    "rewritten",
    "truncated",
    "writer_missing",
    "checkpoint_altered",
    "checkpoint_missing",
    "checkpoint_spliced",
    "rolled_back",
    "unsigned",
    "damaged",
]
"""What is wrong.

altered             a record, its hash or a column beside it is not what was written
missing             records between others are gone
moved               a record stands in the place of another
spliced             records from here on do not follow from those before: they come from elsewhere, such as a backup
rewritten           records follow from one another, but are not those that were signed
truncated           records at the end of a chain are gone
writer_missing      all records of a writer are gone
checkpoint_altered  a checkpoint or its signature is not what was written, or an unknown key signed it
checkpoint_missing  checkpoints between others are gone
checkpoint_spliced  a checkpoint does not follow from the one before: it comes from elsewhere, such as a backup
rolled_back         a checkpoint kept elsewhere is not in the store: the store is an older one, or another
unsigned            there are records and no checkpoint at all
damaged             SQLite itself finds the file damaged
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, and where."""

    kind: FaultKind
    sentence: str
    writer: int | None = None
    first: int | None = None
    """Number of the first record, or of the first checkpoint, it is about."""
    last: int | None = None
    request: str | None = None
    """Id of the request whose record it is, where that can still be read."""
    field: str | None = None
    """What was altered: a key of the document, or a column beside it. None: cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was checked and found."""

    faults: Sequence[Fault]
    records: int
    writers: int
    checkpoints: int
    unsigned: int
    """Records after the last checkpoint of their chain: these can be cut off without a trace."""
    carried: Sequence[int]
    """Writers whose records were chained only when the store was brought up to date."""
    last_checkpoint: int | None
    last_signed: datetime | None
    keys: Sequence[str]
    """Public keys that signed, in hex."""

    @property
    def intact(self) -> bool:
        return not self.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCheckpoint:
    """A checkpoint as it is kept outside of the store."""

    document: str
    signature: str
    """In hex."""


def latest_checkpoint(store: Store) -> ExportedCheckpoint | None:
    """The last checkpoint of a store, for keeping elsewhere; None: there is none."""
    with store.transaction(writing=False) as connection:
        row = connection.exec_driver_sql(
            "SELECT document, signature FROM checkpoints ORDER BY number DESC LIMIT 1"
        ).first()
    return None if row is None else ExportedCheckpoint(document=row.document, signature=row.signature.hex())


def verify(
    store: Store,
    keys: Iterable[PublicKey],
    *,
    kept: ExportedCheckpoint | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the whole store as it is at this moment.

    Args:
        store: what to check. It may be in use.
        keys: who may have signed.
        kept: a checkpoint that was kept elsewhere and must be in the store.
        progress: told how many records of how many are done.

    Raises:
        InvalidRequest: the checkpoint kept elsewhere is none, or none of the keys signed it.
        LedgerError: the store cannot be read.
    """
    trusted = {key.name: key for key in keys}
    with store.transaction(writing=False) as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        signed = _Checkpoints(trusted)
        for number, text, signature in driver.execute(
            "SELECT number, CAST(document AS BLOB), CAST(signature AS BLOB) FROM checkpoints ORDER BY number"
        ):
            signed.take(number, text, signature)
        if kept is not None:
            signed.compare(kept)
        records = _Records(signed.heads, driver, progress)
        records.check()
        damage = [row[0] for row in driver.execute("PRAGMA integrity_check(10)")]
    faults = [*signed.faults, *records.faults]
    if damage != ["ok"]:
        faults += [Fault(kind="damaged", sentence=f"SQLite finds: {found}.") for found in damage]
    if records.count and not signed.count:
        faults.append(Fault(kind="unsigned", sentence="There are records, and not one checkpoint."))
    return Report(
        faults=faults,
        records=records.count,
        writers=len(records.writers),
        checkpoints=signed.count,
        unsigned=records.unsigned,
        carried=sorted(records.carried),
        last_checkpoint=None if signed.last is None else signed.last.number,
        last_signed=None if signed.last is None else to_instant(signed.last.at),
        keys=sorted(signed.signers),
    )


class _Checkpoints:
    """Reads the checkpoints in order; what the sound ones say of each writer."""

    def __init__(self, trusted: Mapping[str, PublicKey]) -> None:
        self._trusted = trusted
        self.faults: list[Fault] = []
        self.heads: dict[int, dict[int, bytes]] = {}
        """Hash by number, of each writer."""
        self.signers: set[str] = set()
        self.count = 0
        self.last: CheckpointDocument | None = None
        """The last sound one."""
        self._texts: dict[int, str] = {}
        """Hash of each checkpoint's document."""
        self._previous: str | None = FIRST_PREVIOUS
        """Hash of the one before; None: that one is not sound."""
        self._expected = 1

    def take(self, number: int, text: bytes, signature: bytes) -> None:
        self.count += 1
        if number != self._expected:
            self._missing(self._expected, number - 1)
        self._expected = number + 1
        self._texts[number] = checkpoint_hash(text)
        document, why = self._read(text, signature)
        if document is None or document.number != number:
            sentence = why or f"it is number {document.number if document else '?'}"
            self._add("checkpoint_altered", number, f"Checkpoint {number} was altered: {sentence}.")
            self._previous = None
            return
        if self._previous is not None and document.previous != self._previous:
            self._add(
                "checkpoint_spliced",
                number,
                f"Checkpoint {number} does not follow from the one before it: one of them is from elsewhere.",
            )
        self._previous = self._texts[number]
        self.last = document
        self._believe(document)

    def compare(self, kept: ExportedCheckpoint) -> None:
        """Hold a checkpoint that was kept elsewhere against those of the store."""
        try:
            signature = bytes.fromhex(kept.signature)
        except ValueError as error:
            raise InvalidRequest("The signature of the checkpoint kept elsewhere is not in hex.") from error
        text = kept.document.encode()
        document, why = self._read(text, signature)
        if document is None:
            raise InvalidRequest(f"The checkpoint kept elsewhere is not sound: {why}.")
        if self._texts.get(document.number) != checkpoint_hash(text):
            self._add(
                "rolled_back",
                document.number,
                f"Checkpoint {document.number}, signed {to_instant(document.at):%Y-%m-%d %H:%M:%S} UTC, is not in the "
                "store: what is here is older, or another ledger.",
            )
        self._believe(document)

    def _read(self, text: bytes, signature: bytes) -> tuple[CheckpointDocument | None, str]:
        try:
            document = parse_checkpoint(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None, "it cannot be read"
        key = self._trusted.get(document.key)
        if key is None:
            return None, f"it names a key that is not trusted ({document.key[:16]}…)"
        if not key.signed(text, signature):
            return None, "its signature does not fit"
        self.signers.add(document.key)
        return document, ""

    def _believe(self, document: CheckpointDocument) -> None:
        for head in document.heads:
            self.heads.setdefault(head.writer, {})[head.seq] = bytes.fromhex(head.hash)

    def _missing(self, first: int, last: int) -> None:
        which = f"Checkpoint {first} is" if first == last else f"Checkpoints {first} to {last} are"
        self.faults.append(
            Fault(kind="checkpoint_missing", sentence=f"{which} missing.", first=first, last=last),
        )
        self._previous = None

    def _add(self, kind: FaultKind, number: int, sentence: str) -> None:
        self.faults.append(Fault(kind=kind, sentence=sentence, first=number, last=number))


_ROWS = (
    "SELECT place, kind, CAST(request AS BLOB), at, CAST(document AS BLOB), CAST(hash AS BLOB) "
    "FROM records ORDER BY place"
)


@dataclass(slots=True)
class _Record:
    """A record as it lies in the store."""

    seq: int
    kind: str
    request: bytes | None
    at: int
    document: bytes
    hash: bytes


@dataclass(slots=True)
class _Chain:
    """What is found of one writer while its records pass by."""

    writer: int
    signed: Mapping[int, bytes]
    hash: bytes = SEED
    """Of the last record."""
    seq: int = -1
    breaks: list[tuple[_Record, bytes]] = field(default_factory=list)
    """Records that do not follow, each with the hash before it."""
    owned: list[int] = field(default_factory=list)
    """Numbers whose hash is the one that was signed."""
    disowned: list[int] = field(default_factory=list)
    """Numbers whose hash is not."""


class _Records:
    """Reads the records in the order of their chains."""

    def __init__(
        self,
        heads: Mapping[int, Mapping[int, bytes]],
        driver: sqlite3.Connection,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._heads = heads
        self._driver = driver
        self._progress = progress
        self._searches = _SEARCHES
        self.faults: list[Fault] = []
        self.count = 0
        self.unsigned = 0
        self.writers: set[int] = set()
        self.carried: list[int] = []

    def check(self) -> None:
        total = self._driver.execute("SELECT count(*) FROM records").fetchone()[0] if self._progress else 0
        chain: _Chain | None = None
        for (writer, record), following in _with_next(self._rows()):
            if chain is None:
                chain = _Chain(writer, self._heads.get(writer, {}))
                self.writers.add(writer)
            same = following is not None and following[0] == writer
            self._take(chain, record, following[1] if following is not None and same else None)
            if not same:
                self._end(chain)
                chain = None
            self.count += 1
            if self._progress is not None and self.count % _TELL_EVERY == 0:
                self._progress(self.count, total)
        for writer in sorted(self._heads.keys() - self.writers):
            last = max(self._heads[writer])
            self._add("writer_missing", writer, 0, last, f"All records of writer {writer} are missing.")

    def _rows(self) -> Iterator[tuple[int, _Record]]:
        for place, kind, request, at, document, digest in self._driver.execute(_ROWS):
            yield writer_at(place), _Record(seq_at(place), kind, request, at, document or b"", digest or b"")

    def _take(self, chain: _Chain, record: _Record, following: _Record | None) -> None:
        computed = link(chain.hash, record.document)
        after = record.hash
        if computed == record.hash:
            self._compare_columns(chain.writer, record)
        if record.seq != chain.seq + 1:
            self._missing(chain, record.seq - 1)
        elif computed != record.hash:
            if following is not None and _follows(following, computed) and not _follows(following, record.hash):
                # The next record was chained to what this one should hash to: the document is sound.
                self._altered(chain.writer, record, "hash")
                after = computed
            else:
                chain.breaks.append((record, chain.hash))
        signed = chain.signed.get(record.seq)
        if signed is not None:
            (chain.owned if signed == after else chain.disowned).append(record.seq)
        chain.seq, chain.hash = record.seq, after

    def _end(self, chain: _Chain) -> None:
        writer = chain.writer
        self._name_breaks(chain)
        self._name_rewritten(chain)
        last = max(chain.signed, default=-1)
        if last > chain.seq:
            first = chain.seq + 1
            sentence = f"Numbers {first} to {last} of writer {writer} are missing at its end."
            self._add("truncated", writer, first, last, sentence)
        self.unsigned += max(0, chain.seq - last)

    def _name_breaks(self, chain: _Chain) -> None:
        """Say why records do not follow from the one before them."""
        writer = chain.writer
        own = {record.seq: _own_place(record.document) for record, _ in chain.breaks}
        belongs = {place: record.hash for record, _ in chain.breaks if (place := own[record.seq]) is not None}
        unclear: list[int] = []
        for record, previous in chain.breaks:
            seq = record.seq
            place = own[seq]
            if (writer, seq - 1) in belongs and _follows(record, belongs[writer, seq - 1]):
                continue  # sound: it is the one before it that stands elsewhere
            if (name := self._changed_field(record, previous)) is not None:
                self._altered(writer, record, name)
            elif place is not None and place != (writer, seq):
                sentence = (
                    f"In the place of number {seq} of writer {writer} stands number {place[1]} of writer {place[0]}."
                )
                self._add("moved", writer, seq, seq, sentence, request=_text(record.request))
            else:
                unclear.append(seq)
        signed = sorted([*chain.owned, *chain.disowned])
        while unclear:
            first = unclear.pop(0)
            until = unclear.pop(0) - 1 if unclear else None
            next_signed = next((seq for seq in signed if seq >= first), None)
            if until is None and next_signed not in chain.disowned:
                sentence = f"Number {first} of writer {writer} was altered in more than one byte, or put in its place."
                self._add("altered", writer, first, first, sentence)
                continue
            last = chain.seq if until is None else until
            sentence = (
                f"Numbers {first} to {last} of writer {writer} do not follow from those before: "
                "they come from elsewhere, such as a backup."
            )
            self._add("spliced", writer, first, last, sentence)

    def _name_rewritten(self, chain: _Chain) -> None:
        """Find records that follow from one another and are not those that were signed."""
        broken = [record.seq for record, _ in chain.breaks]
        for seq in chain.disowned:
            since = max((own for own in chain.owned if own < seq), default=-1) + 1
            if not any(since <= other <= seq for other in broken):
                sentence = (
                    f"Numbers {since} to {seq} of writer {chain.writer} follow from one another, but are not those "
                    "that were signed: they were written anew, or come from elsewhere, such as a backup."
                )
                self._add("rewritten", chain.writer, since, seq, sentence)
                return

    def _changed_field(self, record: _Record, previous: bytes) -> str | None:
        """The key in which one byte was changed, found by trying. None: it was more, or there are too many to try."""
        if self._searches == 0:
            return None
        self._searches -= 1
        before = hashlib.sha256(previous)
        document = record.document
        for place, byte in enumerate(document):
            rest = document[place + 1 :]
            for other in range(256):
                tried = before.copy()
                tried.update(bytes((other,)) + rest)
                if tried.digest() == record.hash:
                    return _key_at(document[:place] + bytes((other,)) + rest, place)
            before.update(bytes((byte,)))
        return None

    def _compare_columns(self, writer: int, record: _Record) -> None:
        """Hold the columns that queries use against the document, which is sound."""
        facts = _facts(record.document)
        if facts is None:
            self._altered(writer, record, None)
            return
        if facts.kind == "start" and facts.carried:
            self.carried.append(writer)
        told = (record.kind, record.request, record.at)
        for name, value, true in zip(("kind", "request", "at"), told, facts.columns, strict=True):
            if value != true:
                self._altered(writer, record, name)

    def _altered(self, writer: int, record: _Record, name: str | None) -> None:
        request = _text(record.request)
        what = f"Number {record.seq} of writer {writer}{f' (request {request})' if request else ''} was altered"
        self._add(
            "altered",
            writer,
            record.seq,
            record.seq,
            f"{what}: {name}." if name else f"{what}: it cannot be read.",
            request=request,
            name=name,
        )

    def _missing(self, chain: _Chain, last: int) -> None:
        first, writer = chain.seq + 1, chain.writer
        which = f"Number {first}" if first == last else f"Numbers {first} to {last}"
        self._add(
            "missing", writer, first, last, f"{which} of writer {writer} {'is' if first == last else 'are'} missing."
        )

    def _add(
        self,
        kind: FaultKind,
        writer: int,
        first: int,
        last: int,
        sentence: str,
        *,
        request: str | None = None,
        name: str | None = None,
    ) -> None:
        self.faults.append(
            Fault(kind=kind, sentence=sentence, writer=writer, first=first, last=last, request=request, field=name)
        )


_SEARCHES = 20
"""Altered records searched for the byte that was changed: up to half a second each."""

_TELL_EVERY = 5_000


class _Facts(msgspec.Struct):
    """What any document says of itself."""

    writer: int
    seq: int
    kind: str
    at: int | None = None
    request: str | None = None
    id: str | None = None
    began: int = 0
    total_us: int | None = None
    found: int | None = None
    carried: bool = False

    @property
    def columns(self) -> tuple[str, bytes | None, int | None]:
        """The columns beside it, as they must be: kind, request, at."""
        if self.kind != "entry":
            return self.kind, None if self.request is None else self.request.encode(), self.at
        settled = self.began + (self.total_us or 0) if self.found is None else self.found
        return self.kind, (self.id or "").encode(), settled


_decode_facts = msgspec.json.Decoder(_Facts).decode


def _facts(document: bytes) -> _Facts | None:
    try:
        return _decode_facts(document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _own_place(document: bytes) -> tuple[int, int] | None:
    facts = _facts(document)
    return None if facts is None else (facts.writer, facts.seq)


def _follows(record: _Record, previous: bytes) -> bool:
    return link(previous, record.document) == record.hash


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _key_at(document: bytes, place: int) -> str | None:
    """The key of the document under which a byte lies."""
    try:
        values = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    end = len(b"{")
    for key in sorted(values):
        end += len(canonical({key: values[key]})) - len(b"{}") + len(b",")
        if place < end:
            return str(key)
    return None


_T = TypeVar("_T")


def _with_next(values: Iterable[_T]) -> Iterator[tuple[_T, _T | None]]:
    """Each value with the one after it; None after the last."""
    before: _T | None = None
    for value in values:
        if before is not None:
            yield before, value
        before = value
    if before is not None:
        yield before, None
