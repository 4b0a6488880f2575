"""What a fit leaves behind: a line for the gate, one for each kind, their thresholds, and how well they did.

Kept as JSON, so that a file from elsewhere can do no more than be wrong, and two of them can be compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from typing_extensions import override

from isthmus.detectors.semantic.embedding import COLUMNS, EMBEDDING
from isthmus.detectors.semantic.logistic import Floats, Line
from isthmus.domain.errors import ConfigError

SHIPPED = Path(__file__).with_name("weights.json")
_FORMAT = 1
_DIGITS = 6
"""Significant digits kept of a number: the scores move by less than a hundred-thousandth."""


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hit` of `of`."""

    hit: int
    of: int

    @override
    def __str__(self) -> str:
        return f"{self.hit}/{self.of} ({self.hit / self.of:.1%})" if self.of else "0/0"


class KindReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one kind did on examples that its lines had not seen."""

    caught: Share
    """Examples of the kind that were given it."""
    false: Share
    """Examples without the kind, sensitive ones of other kinds included, that were given it nevertheless."""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cross-validated: every example was scored by lines fitted without it."""

    caught: Share
    """Sensitive examples for which the gate fired."""
    lookalikes: Share
    """Impersonal texts on the same topics for which it fired."""
    ordinary: Share
    """Ordinary prompts for which it fired."""
    own: Share
    """Examples of the organisation's own that were judged rightly, sensitive or not; 0 of 0 where there were none."""
    kinds: dict[str, KindReport]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A line and the log odds from which on it counts as met."""

    line: Line
    threshold: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the lines say of one stretch of text."""

    wide: bool
    """Whether it is sensitive as a wide window."""
    narrow: bool
    """Whether it is sensitive as a narrow one."""
    kinds: tuple[str, ...]
    """Of which kinds, if it is: sorted, at least one. Where none reaches its threshold, the one that comes nearest."""


@dataclass(frozen=True, slots=True)
class Weights:
    """All that the gate knows beyond the embedding."""

    gate: Line
    """Whether a window is sensitive at all. Only then are the kinds asked."""
    wide: float
    """Log odds of `gate` from which on a wide window is sensitive."""
    narrow: float
    """The same for a narrow one: higher, since a sentence alone is easily mistaken, and a text has many."""
    kinds: dict[str, Criterion]
    examples_hash: str
    """SHA-256 over the examples they were fitted on, hexadecimal."""
    report: Report

    def judge(self, rows: Floats) -> list[Judgement]:
        """What to think of each row.

        Args:
            rows: (rows, COLUMNS), as the embedding gives them.
        """
        names = sorted(self.kinds)
        odds = self.gate.log_odds(rows)  # (rows,)
        over = np.column_stack([self.kinds[name].line.log_odds(rows) - self.kinds[name].threshold for name in names])
        return [
            Judgement(
                wide=bool(odd >= self.wide),
                narrow=bool(odd >= self.narrow),
                kinds=tuple(name for name, margin in zip(names, row, strict=True) if margin >= min(0.0, row.max())),
            )
            for odd, row in zip(odds, over, strict=True)
        ]


class _LineRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bias: float
    weights: list[float]


class _KindRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    threshold: float
    line: _LineRow


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    embedding: str
    examples_hash: str
    report: Report
    gate: _LineRow
    wide: float
    narrow: float
    kinds: dict[str, _KindRow]


def save(weights: Weights, path: Path) -> None:
    """Write them as JSON, in one step: a reader sees the old file or the new one."""
    file = _File(
        format=_FORMAT,
        embedding=EMBEDDING,
        examples_hash=weights.examples_hash,
        report=weights.report,
        gate=_row(weights.gate),
        wide=_short(weights.wide),
        narrow=_short(weights.narrow),
        kinds={
            name: _KindRow(threshold=_short(kind.threshold), line=_row(kind.line))
            for name, kind in sorted(weights.kinds.items())
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".part")
    half.write_bytes(msgspec.json.encode(file) + b"\n")
    half.replace(path)


def load(path: Path = SHIPPED) -> Weights:
    """Read weights that `save` wrote.

    Raises:
        ConfigError: no such file, not of this format, or fitted on another embedding.
    """
    fix = "Name weights written by `isthmus perimeter train`, or none to use the shipped ones."
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as exc:
        raise ConfigError(f"Weights of the semantic gate: {path} cannot be read ({exc.strerror}).", hint=fix) from exc
    except msgspec.DecodeError as exc:
        raise ConfigError(f"Weights of the semantic gate: {path} is none of ours: {exc}.", hint=fix) from exc
    if file.format != _FORMAT:
        raise ConfigError(f"Weights of the semantic gate: {path} is of format {file.format}, not {_FORMAT}.", hint=fix)
    if file.embedding != EMBEDDING:
        raise ConfigError(
            f"Weights of the semantic gate: {path} is for the embedding {file.embedding!r}, not {EMBEDDING!r}.",
            hint="Fit them again: `isthmus perimeter train`.",
        )
    if not file.kinds:
        raise ConfigError(f"Weights of the semantic gate: {path} knows no kind.", hint=fix)
    return Weights(
        gate=_line(file.gate, path),
        wide=file.wide,
        narrow=file.narrow,
        kinds={
            name: Criterion(line=_line(row.line, path), threshold=row.threshold) for name, row in file.kinds.items()
        },
        examples_hash=file.examples_hash,
        report=file.report,
    )


def content_hash(lines: list[bytes]) -> str:
    """SHA-256 over the sorted lines: the same examples in another order are the same."""
    return hashlib.sha256(b"\n".join(sorted(lines))).hexdigest()


def _row(line: Line) -> _LineRow:
    return _LineRow(bias=_short(line.bias), weights=[_short(weight) for weight in line.weights.tolist()])


def _short(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def _line(row: _LineRow, path: Path) -> Line:
    if len(row.weights) != COLUMNS:
        raise ConfigError(
            f"Weights of the semantic gate: {path} has a line of {len(row.weights)} numbers, not {COLUMNS}."
        )
    return Line(weights=np.array(row.weights), bias=row.bias)
