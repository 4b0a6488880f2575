"""The semantic gate: finds what no rule sees, because it has no form, only a meaning.

Looks at every window of a text, wide and narrow: its embedding against the fitted lines. What it cannot finish in time
it does not guess: it raises, and the text is not cleared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from typing_extensions import override

from isthmus.detectors.semantic.embedding import Embedder
from isthmus.detectors.semantic.kinds import NAME, TIER
from isthmus.detectors.semantic.remembered import Remembered
from isthmus.detectors.semantic.weights import SHIPPED, Judgement, Weights, load
from isthmus.detectors.semantic.windows import NARROW, WIDE, Window, windows
from isthmus.domain.errors import Overloaded
from isthmus.domain.finding import Finding, Tier
from isthmus.domain.ports import Detector

SECONDS_MAX = 30.0
"""Longest a call looks at windows it does not know: about 80 kB of English on two idle cores."""
_REMEMBERED = 100_000
"""Windows: of about 8 MB of text, in 40 MB of memory."""
_BATCH = 8
"""Windows embedded between two looks at the clock: half a second on two cores."""


class SemanticGate(Detector):
    """The detector. Findings span the window they were made in, so they are never exact."""

    def __init__(
        self,
        embedder: Embedder,
        weights: Weights,
        *,
        seconds_max: float = SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._weights = weights
        self._kinds = frozenset(weights.kinds)
        self._seconds_max = seconds_max
        self._clock = clock
        self._remembered = Remembered(_REMEMBERED)

    @property
    @override
    def name(self) -> str:
        return NAME

    @property
    @override
    def tier(self) -> Tier:
        return TIER

    @property
    @override
    def kinds(self) -> frozenset[str]:
        return self._kinds

    @override
    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        """The sensitive windows of each text, once for each kind in them.

        Raises:
            Overloaded: there was more new text than the time allows. What was looked at is remembered, so the same
                call again gets further.
            EmbeddingFailed: the engine did not do its work.
        """
        cut = [(list(windows(text, WIDE)), list(windows(text, NARROW))) for text in texts]
        judged = self._judged({content for both in cut for one in both for _, _, content in one})
        return [self._findings(wide, narrow, judged) for wide, narrow in cut]

    def _findings(
        self, wide: Sequence[Window], narrow: Sequence[Window], judged: Mapping[str, Judgement]
    ) -> Sequence[Finding]:
        sensitive = [window for window in wide if judged[window[2]].wide]
        sensitive += [window for window in narrow if judged[window[2]].narrow]
        return [
            Finding(kind=kind, start=start, end=end, exact=False)
            for start, end, content in sorted(set(sensitive))
            for kind in judged[content].kinds
        ]

    def _judged(self, contents: Iterable[str]) -> dict[str, Judgement]:
        known: dict[str, Judgement] = {}
        fresh: list[str] = []
        for content in contents:
            judgement = self._remembered.get(content)
            if judgement is None:
                fresh.append(content)
            else:
                known[content] = judgement
        deadline = self._clock() + self._seconds_max
        # Windows of about one length side by side, so that the threads of a batch end together.
        for batch in _batches(sorted(fresh, key=lambda content: (len(content), content)), _BATCH):
            if self._clock() >= deadline:
                raise Overloaded(
                    f"The semantic gate did not get through the text in {self._seconds_max:g} s.",
                    hint="Send less text at once, or the same request again: what was looked at is remembered.",
                )
            for content, judgement in zip(batch, self._weights.judge(self._embedder.vectors(batch)), strict=True):
                self._remembered.put(content, judgement)
                known[content] = judgement
        return known


def make(weights: Path | None = None) -> SemanticGate:
    """The gate with the shipped weights, or with those of a file.

    Raises:
        ConfigError: the extra `semantic` is not installed, or the weights cannot be used.
    """
    return SemanticGate(_embedder(), load(weights or SHIPPED))


@cache
def _embedder() -> Embedder:
    """The embedding, loaded once in a process: settings are read again and again, and the model stays the same."""
    return Embedder()


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
