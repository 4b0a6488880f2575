"""How bad an OSV record says that something is: in a word, or as a CVSS 3 vector.

Source:
    https://www.first.org/cvss/v3.1/specification-document, section 7.1 (base equations) and 5 (ratings).
"""

from __future__ import annotations

import re
from typing import Any

from isthmus.doctor.advisories.record import Level

_WORDS: dict[str, Level] = {
    "LOW": "low",
    "MODERATE": "medium",
    "MEDIUM": "medium",
    "HIGH": "high",
    "IMPORTANT": "high",
    "CRITICAL": "critical",
}
_WEIGHTS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def level_of(record: dict[str, Any]) -> Level:
    """How bad a record in OSV's form says that it is."""
    if str(record.get("id", "")).startswith("MAL-"):
        return "critical"
    specific = record.get("database_specific")
    word = specific.get("severity") if isinstance(specific, dict) else None
    if isinstance(word, str) and word.upper() in _WORDS:
        return _WORDS[word.upper()]
    for severity in record.get("severity") or ():
        if isinstance(severity, dict) and (score := base_score(str(severity.get("score", "")))) is not None:
            return rating(score)
    return "unknown"


def rating(score: float) -> Level:
    """The word for a score of 0 to 10."""
    if score >= 9.0:
        return "critical"
    if score >= 7.0:
        return "high"
    return "medium" if score >= 4.0 else "low"


def base_score(vector: str) -> float | None:
    """Of a CVSS 3.0 or 3.1 vector; None: it is none, version 4 included."""
    if not re.match(r"CVSS:3\.[01]/", vector):
        return None
    told = dict(part.split(":", 1) for part in vector.split("/")[1:] if ":" in part)
    try:
        scope = told["S"]
        weights = {metric: _WEIGHTS[metric][told[metric]] for metric in _WEIGHTS}
        privileges = _PRIVILEGES[scope][told["PR"]]
    except KeyError:
        return None
    impact = 1 - (1 - weights["C"]) * (1 - weights["I"]) * (1 - weights["A"])
    exploitability = 8.22 * weights["AV"] * weights["AC"] * privileges * weights["UI"]
    if scope == "U":
        part = 6.42 * impact
        total = part + exploitability
    else:
        part = 7.52 * (impact - 0.029) - 3.25 * (impact - 0.02) ** 15
        total = 1.08 * (part + exploitability)
    return 0.0 if part <= 0 else _up(min(total, 10.0))


def _up(score: float) -> float:
    """Rounded up to one decimal, as the specification does it with whole numbers."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
