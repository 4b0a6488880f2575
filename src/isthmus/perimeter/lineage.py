"""Labels stick to text: what bore a label is recognised when it turns up again, in whatever request of its tenant.

What is kept of a text is its fingerprints (`isthmus.perimeter.winnow`), under a key of the tenant's own. What everybody
says is not remembered: system prompts, tools, and text that was also seen without a label in several conversations.
What was registered as a document is always remembered.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.label import Label
from isthmus.domain.value import quick_value
from isthmus.perimeter.sightings import Sightings
from isthmus.perimeter.winnow import NOISE, Fingerprint, Winnowed, fingerprints

log = logging.getLogger(__name__)

HOUR = 3600.0
_TIDY_SECONDS = HOUR
_DAY = 24 * HOUR
_OWN = NOISE // 2
"""Normal characters of a run that are not of common text, at least, for it to be remembered. A run that is a common
text's end and the first letter of somebody's name says nothing of the name, and would taint whoever has that letter."""
_CACHED = 1 << 17
"""Fingerprints held of texts seen lately: a conversation sends its past again with each turn."""
_CONVERSATIONS = 1 << 16
"""Requests known as beginnings of conversations: some 12 MB."""


@quick_value()
class Recollection:
    """A stretch of a text that was seen before under a label.

    The stretch is where fingerprints matched. What it was copied from may have gone on at both ends, by fewer normal
    characters than the guaranteed length; so taking the stretch out does not take the labelled text out.
    """

    label: Label
    start: int
    end: int
    """Characters of the text as it was given, end exclusive."""
    origin: str
    """`document NAME` or what `Seen.origin` said (`request req_…`). Never text."""


@quick_value(kw_only=True)
class Seen:
    """A text that passed."""

    text: str
    labels: Mapping[Label, float | None]
    """Seconds for which the text is to be remembered under each label; None: for ever. Empty: it bore none.

    Not those of stretches that were recalled in it: these are known already, and what stands around them, a prompt's
    template perhaps, would come to bear their labels.
    """
    boilerplate: bool = False
    """It is of the system prompt, the tools or the options: never remembered."""
    origin: str = ""
    """`request req_…`: where it is said to come from when it is recognised. Needed where there are labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A document that was registered."""

    name: str
    label: Label | None
    """None: it is known to be harmless."""
    fingerprints: int
    """0: it is too short to be recognised, and was not registered."""
    replaced: bool
    """A document of that name was there before, and is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What is known of a registered document."""

    name: str
    label: Label | None
    """None: it is known to be harmless."""
    fingerprints: int
    added: float
    """Unix seconds."""


@quick_value()
class Trace:
    """That a fingerprint is known under a label."""

    kind: Literal["remembered", "registered"]
    label: Label
    origin: str
    expires: float | None
    """Unix seconds; None: never."""


class FingerprintStore(Protocol):
    """Where fingerprints are kept. Its calls block, may come from any thread, and raise LedgerError."""

    def claim(self, mark: str) -> None:
        """Make sure that what is kept was made with the key of this mark; a new store takes the mark on.

        Raises:
            LedgerError: it was made with another key, so nothing in it would ever be recognised.
        """
        ...

    def find(self, tenant: str, hashes: Collection[int], *, now: float) -> Mapping[int, Sequence[Trace]]:
        """What is known of fingerprints and has not expired. Those of which nothing is known are left out."""
        ...

    def remember(
        self, tenant: str, origin: str, labels: Mapping[Label, float | None], hashes: Collection[int], *, now: float
    ) -> None:
        """Keep fingerprints under labels, each with the Unix second at which it expires; None: never."""
        ...

    def common(self, tenant: str, hashes: Collection[int], *, since: float) -> set[int]:
        """Those of the runs that were noted as common at `since` or later, or are of a harmless document."""
        ...

    def note_common(self, hashes: Collection[int], *, now: float) -> None:
        """Note that runs are of text that everybody uses."""
        ...

    def register(self, tenant: str, name: str, label: Label | None, hashes: Collection[int], *, now: float) -> bool:
        """Keep the fingerprints of a document, in place of those of the document of that name.

        Returns:
            Whether there was one.
        """
        ...

    def forget(self, tenant: str, names: Collection[str]) -> Mapping[str, int]:
        """Remove documents and their fingerprints, so that they are not on disk any more.

        Returns:
            How many fingerprints each had. Names that no document has are left out.
        """
        ...

    def documents(self, tenant: str) -> list[Document]:
        """The registered documents, by name."""
        ...

    def tidy(self, *, now: float, common_since: float) -> None:
        """Remove what has expired, and what was last noted as common before `common_since`."""
        ...

    def close(self) -> None:
        """Let go of the store. Never raises."""
        ...


class Lineage:
    """Recognises labelled text. Its calls block on the store: they belong into a worker thread. Any may make them."""

    def __init__(
        self, store: FingerprintStore, key: bytes, *, clock: Callable[[], float], common_days: float = 90.0
    ) -> None:
        """Take the store and the key.

        Args:
            store: of this installation.
            key: 32 secret bytes of this installation, derived for this purpose and no other.
            clock: Unix seconds.
            common_days: how long text seen unlabelled in several conversations counts as common, unless seen again.

        Raises:
            LedgerError: the store cannot be used, or was filled under another key.
        """
        self._store = store
        self._key = key
        self._clock = clock
        self._common_seconds = common_days * _DAY
        self._lock = threading.Lock()
        self._sightings: Sightings | None = None
        self._cache: OrderedDict[bytes, list[Fingerprint]] = OrderedDict()
        self._cached = 0
        self._begun: OrderedDict[bytes, str] = OrderedDict()
        self._tidied = clock()
        store.claim(hashlib.blake2b(b"mark of the key", key=key, digest_size=16).hexdigest())

    # ---------------------------------------------------------------------------------------------- on the road

    def recall(self, tenant: str, texts: Sequence[str]) -> list[tuple[Recollection, ...]]:
        """What of each text was seen before under a label, or is of a registered document.

        Raises:
            LedgerError: it is not known.
        """
        marks = [self._fingerprints(tenant, text) for text in texts]
        wanted = {mark.hash for of_text in marks for mark in of_text}
        if not wanted:
            return [()] * len(texts)
        now = self._clock()
        known = self._store.find(tenant, wanted, now=now)
        if not known:
            return [()] * len(texts)
        remembered = {mark for mark, traces in known.items() if any(trace.kind == "remembered" for trace in traces)}
        shared = remembered - self._own(
            tenant,
            [
                text
                for text, of_text in zip(texts, marks, strict=True)
                if any(mark.hash in remembered for mark in of_text)
            ],
            now,
        )
        return [tuple(_recollections(of_text, known, shared)) for of_text in marks]

    def remember(self, tenant: str, conversation: str, seen: Sequence[Seen]) -> None:
        """Note what passed in one request and its answer.

        What bore labels is remembered under them. What bore none counts as seen in the conversation: once it was seen
        in several, it is common and not remembered from then on, unless it is labelled or registered already.

        Args:
            tenant: whose texts they are.
            conversation: which one, as the client or `conversation` names it.
            seen: all texts of the request and the answer.

        Raises:
            LedgerError: what bore labels may not be recognised when it turns up again.
        """
        now = self._clock()
        labelled: dict[tuple[str, frozenset[tuple[Label, float | None]]], list[str]] = {}
        unlabelled: list[str] = []
        for one in seen:
            if not one.labels:
                unlabelled.append(one.text)
            elif not one.boilerplate:
                lasting = frozenset(pair for pair in one.labels.items() if pair[1] is None or pair[1] > 0)
                labelled.setdefault((one.origin, lasting), []).append(one.text)
        for (origin, labels), texts in labelled.items():
            if labels:
                self._remember(tenant, origin, dict(labels), texts, now)
        self._count(tenant, conversation, unlabelled, now)
        if now - self._tidied > _TIDY_SECONDS:
            self._tidied = now
            # Apart: going through a large file takes seconds, and a request waits for this call.
            threading.Thread(target=self._tidy_and_log, name="lineage-tidy", daemon=True).start()

    def conversation(self, tenant: str, said: Sequence[str]) -> str:
        """A name for a conversation whose client gives none. Does not block.

        A request belongs to the conversation of the longest earlier request that it begins with. By its first message
        alone one could not tell it: examples come first, and all requests of an application share them.

        Args:
            tenant: whose it is.
            said: the messages, in order, without system prompts and tools.
        """
        hasher = hashlib.blake2b(tenant.encode(), key=self._key, digest_size=16, person=b"conversation")
        beginnings = []
        for text in said:
            one = text.encode("utf-8", "surrogatepass")
            hasher.update(len(one).to_bytes(8, "little") + one)
            beginnings.append(hasher.digest())
        whole = hasher.digest()
        with self._lock:
            name = next((known for one in reversed(beginnings) if (known := self._begun.get(one))), whole.hex())
            self._begun[whole] = name
            self._begun.move_to_end(whole)
            if len(self._begun) > _CONVERSATIONS:
                self._begun.popitem(last=False)
        return name

    def _remember(
        self, tenant: str, origin: str, labels: Mapping[Label, float | None], texts: Sequence[str], now: float
    ) -> None:
        own = self._own(tenant, texts, now)
        known = self._store.find(tenant, own, now=now)
        fresh = [mark for mark in own if not _is_covered(known.get(mark, ()), labels, now)]
        if fresh:
            until = {name: None if seconds is None else now + seconds for name, seconds in labels.items()}
            self._store.remember(tenant, origin, until, fresh, now=now)
            self._seen_before().clear(fresh)

    def _own(self, tenant: str, texts: Iterable[str], now: float) -> set[int]:
        """The fingerprints of texts that are not, or not for the most part, of text that everybody uses."""
        key = self._tenant_key(tenant)
        beside: dict[int, set[int]] = {}
        for text in texts:
            for mark, near in Winnowed(text, key).beside(_OWN - 1).items():
                beside.setdefault(mark, set()).update(near)
        common = self._store.common(
            tenant, beside.keys() | set().union(*beside.values()), since=now - self._common_seconds
        )
        return {mark for mark, near in beside.items() if mark not in common and near.isdisjoint(common)}

    def _count(self, tenant: str, conversation: str, texts: Sequence[str], now: float) -> None:
        marks = [{mark.hash for mark in self._fingerprints(tenant, text)} for text in texts]
        everything = set().union(*marks)
        if not everything:
            return
        named = hashlib.blake2b(f"{tenant}\0{conversation}".encode(), key=self._key, digest_size=4).digest()
        tag, day = int.from_bytes(named, "little"), int(now // _DAY)
        sightings = self._seen_before()
        sighted = sightings.add(everything, tag, day=day)
        if not sighted.elsewhere:
            return
        # What is labelled by now stays so: else repeating a text would wash its label off.
        labelled = self._store.find(tenant, everything, now=now).keys()
        common = set(sighted.common)
        # Text that repeats itself is counted run by run: which of the runs at its ends are chosen as fingerprints hangs
        # on what stands beside it, and will be others in the next request.
        key = self._tenant_key(tenant)
        for text, of_text in zip(texts, marks, strict=True):
            repeated = {mark: sighted.elsewhere[mark] for mark in of_text & sighted.elsewhere.keys()}
            if repeated:
                winnowed = Winnowed(text, key)
                for other in set(repeated.values()):
                    runs = winnowed.around({mark for mark in repeated if repeated[mark] == other}, labelled)
                    if other:
                        sightings.add(runs, other, day=day)
                    common.update(sightings.add(runs, tag, day=day).common)
        common -= labelled
        labelled = self._store.find(tenant, common, now=now).keys()
        sightings.clear(labelled)
        if common := common - labelled:
            self._store.note_common(common, now=now)
            sightings.settle(common, day=day)

    # ------------------------------------------------------------------------------------------------- documents

    def register(self, tenant: str, label: Label | None, name: str, texts: Iterable[str]) -> Registered:
        """Remember a document until it is forgotten, in place of the one of that name.

        Args:
            tenant: in whose requests it is recognised.
            label: what it then brings; None: the text is harmless, it is never remembered from labelled requests and
                no longer recognised if it was. Documents with a label go before documents without.
            name: by which refusals tell it. Not secret.
            texts: its pages or parts.

        Raises:
            LedgerError: it is not registered.
        """
        hashes: set[int] = set()
        for text in texts:
            winnowed = Winnowed(text, self._tenant_key(tenant))
            marks = {mark.hash for mark in winnowed.fingerprints}
            # Of what is harmless, every run: also those that are fingerprints only beside some other text.
            hashes |= winnowed.around(marks) if label is None else marks
        replaced = bool(hashes) and self._store.register(tenant, name, label, hashes, now=self._clock())
        return Registered(name=name, label=label, fingerprints=len(hashes), replaced=replaced)

    def forget(self, tenant: str, *names: str) -> int:
        """Remove documents. Several at once take hardly longer than one: the file is written anew once.

        Returns:
            How many fingerprints are gone.

        Raises:
            InvalidRequest: there is no document of one of the names. Those of the others are gone.
            LedgerError: they may still be there.
        """
        gone = self._store.forget(tenant, names)
        unknown = [repr(name) for name in names if name not in gone]
        if unknown:
            raise InvalidRequest(
                f"No document is registered as {', '.join(unknown)}.",
                hint="`isthmus documents list` names them.",
                param="name",
            )
        return sum(gone.values())

    def documents(self, tenant: str) -> list[Document]:
        """The registered documents of a tenant, by name.

        Raises:
            LedgerError: the store cannot be read.
        """
        return self._store.documents(tenant)

    def tidy(self) -> None:
        """Remove what has expired. Done by itself once an hour while there is traffic.

        Raises:
            LedgerError: the store cannot be used.
        """
        now = self._clock()
        self._store.tidy(now=now, common_since=now - self._common_seconds)

    def _tidy_and_log(self) -> None:
        try:
            self.tidy()
        except LedgerError as error:
            log.warning("lineage: what has expired is not removed yet: %s", error.sentence)

    # --------------------------------------------------------------------------------------------------- inside

    def close(self) -> None:
        """Let go of the store. Never raises."""
        self._store.close()

    def _tenant_key(self, tenant: str) -> bytes:
        return hashlib.blake2b(tenant.encode(), key=self._key, digest_size=32, person=b"tenant").digest()

    def _fingerprints(self, tenant: str, text: str) -> list[Fingerprint]:
        key = self._tenant_key(tenant)
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=16).digest()
        with self._lock:
            found = self._cache.get(name)
            if found is not None:
                self._cache.move_to_end(name)
                return found
        found = fingerprints(text, key)
        with self._lock:
            if name not in self._cache:
                self._cache[name] = found
                self._cached += len(found) + 1
            while self._cached > _CACHED:
                self._cached -= len(self._cache.popitem(last=False)[1]) + 1
        return found

    def _seen_before(self) -> Sightings:
        with self._lock:
            if self._sightings is None:
                self._sightings = Sightings()
            return self._sightings


def _is_covered(traces: Sequence[Trace], labels: Mapping[Label, float | None], now: float) -> bool:
    """Whether a fingerprint need not be remembered under the labels: it is already, for most of the time."""
    for name, seconds in labels.items():
        # Half the time left will do: else each turn of a conversation would write all of its past again.
        wanted = None if seconds is None else now + seconds / 2
        if not any(trace.label == name and _lasts(trace.expires, wanted) for trace in traces):
            return False
    return True


def _lasts(expires: float | None, wanted: float | None) -> bool:
    return expires is None or (wanted is not None and expires >= wanted)


def _recollections(
    marks: Sequence[Fingerprint], known: Mapping[int, Sequence[Trace]], shared: Container[int]
) -> list[Recollection]:
    """The stretches of a text that are known, neighbouring fingerprints of one origin put together.

    Args:
        marks: of the text.
        known: what is known of them.
        shared: those that count only where they are of a registered document.
    """
    stretches: list[_Stretch] = []
    growing: dict[tuple[Label, str], _Stretch] = {}
    for mark in marks:
        going_on: dict[tuple[Label, str], _Stretch] = {}
        sources = {
            (trace.label, trace.origin)
            for trace in known.get(mark.hash, ())
            if trace.kind == "registered" or mark.hash not in shared
        }
        for source in sorted(sources):
            stretch = growing.get(source)
            if stretch is None:
                stretch = _Stretch(source, mark.start, mark.end)
                stretches.append(stretch)
            stretch.end = mark.end
            going_on[source] = stretch
        growing = going_on
    return [Recollection(one.source[0], one.start, one.end, one.source[1]) for one in stretches]


@dataclass(slots=True)
class _Stretch:
    source: tuple[Label, str]
    start: int
    end: int
