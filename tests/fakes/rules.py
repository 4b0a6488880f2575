"""Policies, offers and detectors for tests of the perimeter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from isthmus.domain.finding import Finding, Tier
from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Offer
from isthmus.perimeter.policy import Needs, Policy, Rule

NAMES = [Label(name) for name in ("phi", "pii", "secret", "legal", "internal")]


def offer(name: str = "a", **facts: object) -> Offer:
    return Offer(
        **{  # type: ignore[arg-type]  # facts of whatever field a test names
            "name": name,
            "model": f"{name}-model",
            "provider": "test",
            "dialect": "openai-chat",
            "base_url": "http://x/v1",
            "side": "closed",
            **facts,
        }
    )


def rule(name: str, **fields: object) -> Rule:
    return Rule(label=Label(name), **fields)  # type: ignore[arg-type]  # as above


def policy(*rules: Rule) -> Policy:
    return Policy({rule.label: rule for rule in rules}, "v1" if rules else None)


@dataclass
class WordDetector:
    """Finds words by a pattern per kind, as a test says."""

    patterns: dict[str, str]
    name: str = "words"
    tier: Tier = "rules"
    exact: bool = True
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.patterns)

    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        self.asked += texts
        if self.error is not None:
            raise self.error
        return [
            [
                Finding(kind, match.start(), match.end(), self.exact)
                for kind, pattern in self.patterns.items()
                for match in re.finditer(pattern, text)
            ]
            for text in texts
        ]


# ------------------------------------------------------------------------------------------------------ strategies

names = st.sampled_from(NAMES)
label_sets = st.frozensets(names)
regions = st.sampled_from(["EU", "US", "CH"])
evidences = st.sampled_from(["E0", "E1", "E2", "E3", "E4"])
needs = st.builds(
    Needs,
    side=st.frozensets(st.sampled_from(["own", "hosted", "closed"])),
    region=st.frozensets(regions, max_size=2),
    jurisdiction=st.frozensets(regions, max_size=1),
    retention_days_max=st.none() | st.integers(0, 30),
    training=st.sampled_from([None, "never", "opt-out"]),
    evidence_min=st.none() | evidences,
    offers=st.frozensets(st.sampled_from(["a", "b", "c"]), max_size=2),
)
offers = st.builds(
    offer,
    st.sampled_from(["a", "b", "c"]),
    side=st.sampled_from(["own", "hosted", "closed"]),
    region=st.none() | regions,
    jurisdiction=st.none() | regions,
    retention_days=st.none() | st.integers(0, 30),
    training=st.sampled_from(["never", "opt-out", "unknown"]),
    evidence=evidences,
    clearance=st.builds(Clearance, label_sets),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    chosen = draw(st.lists(names, unique=True))
    return policy(
        *(
            Rule(
                label=name,
                needs=draw(st.none() | needs),
                implies=draw(st.frozensets(names, max_size=2)),
                lower=draw(st.sampled_from([None, "redact", "pseudonymise", "block"])),
            )
            for name in chosen
        )
    )
