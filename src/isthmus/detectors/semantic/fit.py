"""Fits the gate on examples, and says how well it did on those it had not seen.

The shipped weights: `python -m isthmus.detectors.semantic.fit`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from isthmus.detectors.semantic.embedding import Embedder
from isthmus.detectors.semantic.examples import Example, shipped
from isthmus.detectors.semantic.logistic import Floats, Line, fit_line
from isthmus.detectors.semantic.weights import (
    SHIPPED,
    Criterion,
    KindReport,
    Report,
    Share,
    Weights,
    content_hash,
    save,
)
from isthmus.detectors.semantic.windows import NARROW, WIDE, windows
from isthmus.domain.errors import ConfigError

Mask = NDArray[np.bool_]

_EVEN = 0.3
"""Log odds of a wide window from which on the gate may fire, however rarely harmless examples reach them."""
HELD = 0.02
"""Share of the ordinary examples that may be held for a wide window; its threshold follows from it."""
STRAY = 0.006
"""Share of the harmless examples that may be held for a narrow window alone; that threshold follows from it."""
KIND_CATCH = 0.9
"""Share of a kind's examples that are to be given it; the threshold of the kind follows from it."""
_PENALTY = 0.02
"""Of the rows of length 1: flat from 0.003 to 0.1, chosen by cross-validation."""
_FOLDS = 5
_OWN_COUNT = 3.0
"""An organisation has fewer examples than we ship, and they say more about its texts."""
_BATCH = 16


def fit(
    examples: Iterable[Example],
    *,
    base: bool,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    embedder: Embedder | None = None,
) -> Weights:
    """Lines and thresholds for these examples.

    Each kind needs five examples, and so do sensitive and harmless texts as a whole: with fewer, what is not seen
    cannot be scored.

    Args:
        examples: an organisation's own. Kinds that we do not ship are learnt as well.
        base: whether the shipped examples join them.
        progress: told how many windows of how many are embedded; some two minutes for the shipped ones.
        embedder: one that is loaded already.

    Raises:
        ConfigError: too few examples, or the extra `semantic` is missing.
    """
    own = list(dict.fromkeys(examples))
    ours = [example for example in shipped() if example not in own] if base else []
    return _Fit(own, ours, embedder or Embedder(), progress).weights()


class _Fit:
    """Every example as rows: one for each of its windows, and which row belongs to which example.

    What a line learns from: the wide windows of all examples, and the narrow ones of the harmless, whose every part is
    harmless. Of a sensitive example no one can say which sentence makes it so.
    """

    def __init__(
        self, own: Sequence[Example], ours: Sequence[Example], embedder: Embedder, progress: Callable[[int, int], None]
    ) -> None:
        self._examples = [*own, *ours]
        self._own = np.array([True] * len(own) + [False] * len(ours), dtype=bool)
        self._sensitive = np.array([bool(example.kinds) for example in self._examples], dtype=bool)
        self._kinds = sorted({kind for example in self._examples for kind in example.kinds})
        self._has = {kind: np.array([kind in e.kinds for e in self._examples], dtype=bool) for kind in self._kinds}
        self._refuse_too_few()
        cut = [
            ({c for _, _, c in windows(e.text, WIDE)}, {c for _, _, c in windows(e.text, NARROW)})
            for e in self._examples
        ]
        contents = sorted({content for both in cut for one in both for content in one}, key=lambda c: (len(c), c))
        place = {content: row for row, content in enumerate(contents)}
        self._vectors = _embedded(contents, embedder, progress)  # (contents, COLUMNS)
        self._wide = [sorted(place[content] for content in wide) for wide, _ in cut]
        self._narrow = [sorted(place[content] for content in narrow) for _, narrow in cut]
        # Folds by place, each sort and language spread over all of them: the same examples give the same weights.
        order = sorted(
            range(len(cut)), key=lambda i: (self._examples[i].is_a, self._examples[i].kinds, contents[self._wide[i][0]])
        )
        self._fold = np.empty(len(cut), dtype=np.int64)
        self._fold[order] = np.arange(len(cut)) % _FOLDS

    def _refuse_too_few(self) -> None:
        counts = {f"of the kind {kind!r}": int(mask.sum()) for kind, mask in self._has.items()}
        counts["that are sensitive"] = int(self._sensitive.sum())
        counts["that are harmless"] = int((~self._sensitive).sum())
        for which, count in counts.items():
            if count < _FOLDS:
                raise ConfigError(
                    f"The semantic gate cannot be fitted: {count} examples {which}, and {_FOLDS} are needed.",
                    hint="Add examples, or let the shipped ones join them.",
                )

    def weights(self) -> Weights:
        everything = np.ones(len(self._examples), dtype=bool)
        wide, narrow = self._unseen(self._sensitive)
        ordinary = np.array([example.is_a == "ordinary" for example in self._examples])
        at_wide = max(_EVEN, float(np.quantile(wide[ordinary], 1.0 - HELD)))
        at_narrow = max(at_wide, float(np.quantile(narrow[~self._sensitive], 1.0 - STRAY)))
        fires = (wide >= at_wide) | (narrow >= at_narrow)
        kinds: dict[str, Criterion] = {}
        over = np.empty((len(self._examples), len(self._kinds)))
        for column, kind in enumerate(self._kinds):
            odds, _ = self._unseen(self._has[kind])
            threshold = min(0.0, _threshold_catching(odds[self._has[kind]], KIND_CATCH))
            kinds[kind] = Criterion(line=self._line(self._has[kind], everything), threshold=threshold)
            over[:, column] = odds - threshold
        given = fires[:, None] & (over >= np.minimum(0.0, over.max(axis=1, keepdims=True)))
        return Weights(
            gate=self._line(self._sensitive, everything),
            wide=at_wide,
            narrow=at_narrow,
            kinds=kinds,
            examples_hash=content_hash([msgspec.json.encode(example) for example in self._examples]),
            report=self._report(fires, given),
        )

    def _report(self, fires: Mask, given: Mask) -> Report:
        sort = np.array([example.is_a for example in self._examples])
        return Report(
            caught=_share(fires, sort == "sensitive"),
            lookalikes=_share(fires, sort == "lookalike"),
            ordinary=_share(fires, sort == "ordinary"),
            own=_share(fires == self._sensitive, self._own),
            kinds={
                kind: KindReport(
                    caught=_share(given[:, column], self._has[kind]), false=_share(given[:, column], ~self._has[kind])
                )
                for column, kind in enumerate(self._kinds)
            },
        )

    def _unseen(self, targets: Mask) -> tuple[Floats, Floats]:
        """The highest log odds of each example's wide and narrow windows, by lines fitted without the example."""
        wide, narrow = np.empty(len(targets)), np.empty(len(targets))
        for fold in range(_FOLDS):
            line = self._line(targets, self._fold != fold)
            odds = line.log_odds(self._vectors)
            for index in np.flatnonzero(self._fold == fold):
                wide[index] = odds[self._wide[index]].max()
                narrow[index] = odds[self._narrow[index]].max()
        return wide, narrow

    def _line(self, targets: Mask, among: Mask) -> Line:
        rows: list[int] = []
        wanted: list[float] = []
        importance: list[float] = []
        for index in np.flatnonzero(among):
            of_it = self._wide[index] if self._sensitive[index] else sorted({*self._wide[index], *self._narrow[index]})
            rows += of_it
            wanted += [float(targets[index])] * len(of_it)
            importance += [(_OWN_COUNT if self._own[index] else 1.0)] * len(of_it)
        return fit_line(self._vectors[rows], np.array(wanted), np.array(importance), _PENALTY)


def _embedded(contents: Sequence[str], embedder: Embedder, progress: Callable[[int, int], None]) -> Floats:
    parts = []
    for first in range(0, len(contents), _BATCH):
        parts.append(embedder.vectors(contents[first : first + _BATCH]))
        progress(min(first + _BATCH, len(contents)), len(contents))
    return np.vstack(parts)


def _threshold_catching(odds: Floats, share: float) -> float:
    """The highest threshold at which at least this share of `odds` reaches it."""
    return float(np.sort(odds)[int(np.floor((1.0 - share) * len(odds)))])


def _share(hits: Mask, among: Mask) -> Share:
    return Share(hit=int((hits & among).sum()), of=int(among.sum()))


def describe(report: Report) -> str:
    """The report as lines of text."""
    lines = [
        f"sensitive caught        {report.caught}",
        f"look-alikes flagged     {report.lookalikes}",
        f"ordinary flagged        {report.ordinary}",
        f"own examples right      {report.own}",
        *(f"{kind:<23} caught {row.caught}, false {row.false}" for kind, row in sorted(report.kinds.items())),
    ]
    return "\n".join(lines) + "\n"


def main(path: Path = SHIPPED) -> None:
    """Fit the shipped examples and write the shipped weights."""

    def say(done: int, of: int) -> None:
        sys.stderr.write(f"\rembedding {done}/{of}" + ("\n" if done == of else ""))

    weights = fit((), base=True, progress=say)
    save(weights, path)
    sys.stdout.write(f"wide {weights.wide:.2f}, narrow {weights.narrow:.2f}\n{path}\n{describe(weights.report)}")


if __name__ == "__main__":
    main()
