"""The perimeter in force: rules, detectors and lineage, applied to the content of requests.

Looking at content is work for a processor, not for an event loop: short texts are looked at in place, the rest in
threads. Whatever fails or takes too long counts as found, never as clean.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

import msgspec

from isthmus.domain.finding import Finding
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.ports import Detector
from isthmus.perimeter.inspection import Inspection, Mark, Marks
from isthmus.perimeter.lineage import Lineage, Seen
from isthmus.perimeter.passages import Passage, passages, read_body, replaced
from isthmus.perimeter.policy import UNREADABLE, Policy
from isthmus.perimeter.pseudonyms import Pseudonyms
from isthmus.perimeter.redaction import Stretch, redact, stretches

log = logging.getLogger("isthmus.perimeter")

T = TypeVar("T")

_INLINE_CHARACTERS = 2048
"""Texts up to this many characters are looked at in place (under a millisecond); a thread costs more than that."""

_RULES_SECONDS = 5.0
_SEMANTIC_SECONDS = 30.0
_SHORTEST_TOPIC = 12
"""Characters below which a text has no topic to be recognised."""

_threads = ThreadPoolExecutor(2, thread_name_prefix="isthmus-perimeter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A request with labels taken off."""

    body: bytes
    pseudonyms: Pseudonyms | None
    """None: nothing is to be put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Perimeter:
    """What is in force. A reload makes a new one."""

    policy: Policy = field(default_factory=Policy)
    detectors: Sequence[Detector] = ()
    lineage: Lineage | None = None
    key: bytes = b""
    """Of this installation: what conversations and pseudonyms are derived with."""
    surrogates: bool = False
    """Whether stand-ins look like what they stand for."""

    @property
    def armed(self) -> bool:
        """Whether content is looked at."""
        return self.policy.has_rules or self.lineage is not None

    # ------------------------------------------------------------------------------------------------------- looking

    async def inspect(
        self,
        body: bytes,
        *,
        tenant: str,
        conversation: str | None,
        workload: Workload,
        declared: tuple[Labelled, ...],
        offers: Sequence[Offer],
        origin: str | None,
    ) -> Inspection:
        """Look at a request.

        Args:
            body: as the client sent it, JSON.
            tenant: whose text it is; it is compared with no other tenant's.
            conversation: as declared; None: not.
            workload: says how content counts that cannot be read.
            declared: labels of the whole request.
            offers: that could serve it: what cannot leave own ground needs no look at its topics.
            origin: of what is remembered of it, such as `request req_…`; None: nothing is to be remembered.

        Raises:
            InvalidRequest: labels of a part are not labels, or an object says a name twice.
        """
        decoded = read_body(body)
        found = passages(decoded)
        if found.unreadable and (self.policy.has_rules or workload.unreadable is not None):
            names = {UNREADABLE} if workload.unreadable is None else workload.unreadable
            declared += tuple(Labelled(name, "workload", None, "unreadable content") for name in sorted(names))
        inspection = Inspection(
            tenant=tenant,
            conversation=conversation or self._conversation(tenant, found.texts),
            declared=declared,
            body=decoded,
            stripped=found.stripped,
            passages=found.texts,
            made_by=self,
        )
        joined = _runs(found.texts)
        texts = list(dict.fromkeys([*(passage.text for passage in found.texts), *(run.text for run in joined)]))
        inspection.memory, failed = await self.look(tenant, texts)
        self._put(inspection, joined)
        inspection.declared += failed
        topics = self._topics(inspection, offers)
        if topics:
            await self._look_for_topics(inspection, topics)
            self._put(inspection, joined)
        if self.lineage is not None and origin is not None:
            said = [passage.text for passage in found.texts if passage.is_said and not passage.frame]
            inspection.thread = conversation or self.lineage.conversation(tenant, said)
            await self._remember(inspection, self.lineage, origin)
        return inspection

    async def look(self, tenant: str, texts: Sequence[str]) -> tuple[dict[str, Marks], tuple[Labelled, ...]]:
        """Marks of texts, by rules and by lineage; and the labels of what could not be looked at."""
        memory: dict[str, Marks] = dict.fromkeys(texts, ())
        failed: tuple[Labelled, ...] = ()
        for detector in self.detectors:
            if detector.tier == "rules":
                failed += await self._find(detector, texts, memory, seconds=_RULES_SECONDS)
        lineage = self.lineage
        if lineage is not None:
            try:
                recalled = await _within(_RULES_SECONDS, lambda: lineage.recall(tenant, texts))
            except Exception as exc:
                log.error("lineage could not be asked: %s", type(exc).__name__)
                names = sorted(name for name, rule in self.policy.rules.items() if rule.remember_days > 0)
                failed += tuple(Labelled(name, "lineage", None, "lineage could not be asked") for name in names)
            else:
                for text, recollections in zip(texts, recalled, strict=True):
                    memory[text] += tuple(
                        Mark(found.label, "lineage", found.origin, found.start, found.end, "", False)
                        for found in recollections
                    )
        return memory, failed

    async def _find(
        self, detector: Detector, texts: Sequence[str], memory: dict[str, Marks], *, seconds: float
    ) -> tuple[Labelled, ...]:
        """Add what a detector finds to the memory; returns its labels as found where it fails."""
        labels = self.policy.labels_of_kind
        try:
            if detector.tier == "rules" and sum(map(len, texts)) <= _INLINE_CHARACTERS:
                found = detector.find(texts)
            else:
                found = await _within(seconds, lambda: detector.find(texts))
            for text, findings in zip(texts, found, strict=True):
                memory[text] += tuple(
                    Mark(name, "detector", finding.kind, finding.start, finding.end, finding.kind, finding.exact)
                    for finding in findings
                    for name in labels.get(finding.kind, ())
                )
        except Exception as exc:  # whatever it is: what was not looked at is not clean. Its text may quote content.
            log.error("detector %s failed: %s", detector.name, type(exc).__name__)
            names = {name for kind in detector.kinds for name in labels.get(kind, ())}
            return tuple(Labelled(name, "detector", None, f"{detector.name} failed") for name in sorted(names))
        return ()

    def _topics(self, inspection: Inspection, offers: Sequence[Offer]) -> list[Detector]:
        """The semantic detectors that could still change where the request may go."""
        wanted: list[Detector] = []
        labels = self.policy.labels_of_kind
        direct, lowerable = inspection.direct(), inspection.lowerable(self.policy)
        for detector in self.detectors:
            if detector.tier != "semantic":
                continue
            fresh = {name for kind in detector.kinds for name in labels.get(kind, ())} - direct
            closed = self.policy.closure(fresh)
            if fresh and any(
                self.policy.missing(offer, closed) and self.policy.lowered(offer, direct, lowerable) is not None
                for offer in offers
            ):
                wanted.append(detector)
        return wanted

    async def _look_for_topics(self, inspection: Inspection, detectors: Sequence[Detector]) -> None:
        texts = [
            text
            for text in dict.fromkeys(passage.text for passage in inspection.passages if not passage.fixed)
            if len(text) >= _SHORTEST_TOPIC
        ]
        for detector in detectors:
            failed = await self._find(detector, texts, inspection.memory, seconds=_SEMANTIC_SECONDS)
            inspection.declared += failed

    @staticmethod
    def _put(inspection: Inspection, joined: Sequence[_Run]) -> None:
        """Give each passage its marks, and what only shows when the parts of a message are read together."""
        inspection.marks = [inspection.memory[passage.text] for passage in inspection.passages]
        for run in joined:
            for mark in inspection.memory[run.text]:
                index, start, end = run.place(mark.start, mark.end)
                passage = inspection.passages[index]
                # What a passage knows of itself is in its marks. What it does not know shows only beside its neighbour:
                # the thing goes on there, or the words that announce it stand there.
                if any(
                    known.label == mark.label and known.start <= start and end <= known.end
                    for known in inspection.memory[passage.text]
                ):
                    continue
                spread = Mark(mark.label, mark.source, mark.finder, 0, len(passage.text), mark.kind, False)
                if spread not in inspection.marks[index]:
                    inspection.marks[index] += (spread,)

    def _conversation(self, tenant: str, texts: Sequence[Passage]) -> str:
        """The name of a conversation that has none: from how it begins, which its later turns repeat."""
        first = next((passage.text for passage in texts if passage.is_said and not passage.frame), "")
        data = f"{tenant}\0{first}".encode("utf-8", "surrogatepass")
        return "begins:" + hashlib.blake2b(data, key=self.key[:64], digest_size=12).hexdigest()

    # ------------------------------------------------------------------------------------------------------ lowering

    def lower(self, inspection: Inspection, labels: frozenset[Label]) -> Lowered:
        """Take labels off a request. Only for labels that are lowerable (`Inspection.lowerable`)."""
        pseudonyms = Pseudonyms(
            self.key,
            tenant=inspection.tenant,
            conversation=inspection.conversation,
            style="surrogate" if self.surrogates else "placeholder",
            texts=[passage.text for passage in inspection.passages],
        )
        redacted = {name for name in labels if self.policy.rule(name).lower == "redact"}
        texts = {}
        for index, passage in enumerate(inspection.passages):
            gone, kept = inspection.findings(index, redacted), inspection.findings(index, labels - redacted)
            if gone or kept:
                texts[passage.path] = _lowered(passage.text, gone, kept, pseudonyms)
        body = msgspec.json.encode(replaced(inspection.body, texts))
        return Lowered(body=body, pseudonyms=pseudonyms if pseudonyms.originals else None)

    # --------------------------------------------------------------------------------------------------- remembering

    async def _remember(self, inspection: Inspection, lineage: Lineage, origin: str) -> None:
        seen = [
            Seen(
                text=passage.text,
                labels=self._expiries(inspection.sticky(index, self.policy)),
                boilerplate=passage.frame,
                origin=origin,
            )
            for index, passage in enumerate(inspection.passages)
            if not passage.fixed
        ]
        await self._keep(lineage, inspection, seen)

    async def remember_answer(self, inspection: Inspection, texts: Iterable[str], origin: str) -> None:
        """What was made from labelled input bears its labels."""
        lineage = self.lineage
        if lineage is None:
            return
        expiries = self._expiries(inspection.binding(self.policy))
        seen = [Seen(text=text, labels=expiries, origin=origin) for text in texts if text]
        await self._keep(lineage, inspection, seen)

    def _expiries(self, labels: Iterable[Label]) -> dict[Label, float | None]:
        days = {name: self.policy.rule(name).remember_days for name in labels}
        return {name: 86400 * count for name, count in days.items() if count > 0}

    @staticmethod
    async def _keep(lineage: Lineage, inspection: Inspection, seen: Sequence[Seen]) -> None:
        if seen:
            await _within(_RULES_SECONDS, lambda: lineage.remember(inspection.tenant, inspection.thread, seen))


def _lowered(text: str, gone: Sequence[Finding], kept: Sequence[Finding], pseudonyms: Pseudonyms) -> str:
    """The text with some stretches redacted and others replaced. What overlaps a redacted stretch goes with it."""
    holes = [
        each
        for each in stretches(text, [*gone, *kept])
        if any(found.start < each.end and each.start < found.end for found in gone)
    ]
    out, at = "", 0
    for hole in (*holes, Stretch(len(text), len(text), "")):
        inner = [Finding(f.kind, f.start - at, f.end - at) for f in kept if at <= f.start and f.end <= hole.start]
        out += pseudonyms.replace(text[at : hole.start], inner)
        if hole.end > hole.start:
            out += redact(text[hole.start : hole.end], [Finding(hole.kind, 0, hole.end - hole.start)])
        at = hole.end
    return out


async def _within(seconds: float, work: Callable[[], T]) -> T:
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().run_in_executor(_threads, work)


class _Piece(NamedTuple):
    """A stretch of a passage in a run."""

    passage: int
    """Its number."""
    offset: int
    """Of the stretch in the passage."""
    begin: int
    """Of the stretch in the run."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Texts that stand next to one another in messages of one role, read as one."""

    text: str
    pieces: tuple[_Piece, ...]

    def place(self, start: int, end: int) -> tuple[int, int, int]:
        """The passage a stretch of the run begins in, and where it lies there; the end may be beyond the passage's."""
        piece = next(piece for piece in reversed(self.pieces) if piece.begin <= start)
        return piece.passage, start - piece.begin + piece.offset, end - piece.begin + piece.offset


_REACH = 400
"""Characters of a long text that are read together with its neighbour's."""


def read_together(texts: Sequence[Passage]) -> list[str]:
    """Texts that stand next to one another, each time as one: what is spread over them only shows there."""
    return [run.text for run in _runs(texts)]


def _runs(texts: Sequence[Passage]) -> list[_Run]:
    """What a secret could be spread over: parts and messages that follow one another.

    All of them as one, for what is cut into many pieces; and every two neighbours, since among all of them a word that
    merely comes before or after would touch the secret and hide it.
    """
    groups: dict[int, list[int]] = {}
    for index, passage in enumerate(texts):
        if passage.message is not None and passage.is_said:
            groups.setdefault(passage.message, []).append(index)
    runs = []
    for indices in groups.values():
        if len(indices) > 1:
            runs.append(_joined([(index, 0, texts[index].text) for index in indices]))
        if len(indices) > 2:
            runs += [
                _joined([_tail(first, texts[first].text), _head(second, texts[second].text)])
                for first, second in pairwise(indices)
            ]
    return runs


def _joined(pieces: Sequence[tuple[int, int, str]]) -> _Run:
    placed, begin = [], 0
    for index, offset, text in pieces:
        placed.append(_Piece(index, offset, begin))
        begin += len(text)
    return _Run("".join(text for _, _, text in pieces), tuple(placed))


def _tail(index: int, text: str) -> tuple[int, int, str]:
    """The end of a text, from the beginning of a word on."""
    if len(text) <= _REACH:
        return index, 0, text
    begin = text.find(" ", len(text) - _REACH) + 1 or len(text) - _REACH
    return index, begin, text[begin:]


def _head(index: int, text: str) -> tuple[int, int, str]:
    """The beginning of a text, up to the end of a word."""
    if len(text) <= _REACH:
        return index, 0, text
    end = text.rfind(" ", 0, _REACH)
    return index, 0, text[: end if end > 0 else _REACH]
