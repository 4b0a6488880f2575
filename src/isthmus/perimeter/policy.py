"""The rules of labels, and which offer they clear for what. The one place where labels and offers meet.

A rule says, in facts, what an offer must be to see its label. The needs of all labels of a request are joined with
*and*, so more labels never widen the choice. Rules are data: `isthmus.perimeter.audit` reasons about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from isthmus.domain.label import Label
from isthmus.domain.offer import Evidence, Offer, Side, Training

Lowering = Literal["redact", "pseudonymise", "block"]
"""What happens to a label where an offer is not cleared for it. block: nothing, the offer is out."""

UNREADABLE = Label("unreadable")
"""The label of content no detector can read (images, audio), where its workload names no other."""

REMEMBER_DAYS = 30.0

_STRICTER: dict[Training, int] = {"yes": 0, "unknown": 0, "opt-out": 1, "never": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an offer must be. Empty and None: does not matter. An unknown fact satisfies nothing."""

    side: frozenset[Side] = frozenset()
    region: frozenset[str] = frozenset()
    jurisdiction: frozenset[str] = frozenset()
    retention_days_max: int | None = None
    training: Training | None = None
    """`never`: that; `opt-out`: that or never."""
    evidence_min: Evidence | None = None
    offers: frozenset[str] = frozenset()

    def unmet(self, offer: Offer) -> Iterator[str]:
        """What the offer lacks, each as the rest of a sentence that begins with its name."""
        if self.side and offer.side not in self.side:
            yield f"is {offer.side}, not {_either(self.side)}"
        if self.region and offer.region not in self.region:
            yield f"processes {_in(offer.region)}, not in {_either(self.region)}"
        if self.jurisdiction and offer.jurisdiction not in self.jurisdiction:
            yield f"is operated from {offer.jurisdiction or 'an unknown seat'}, not from {_either(self.jurisdiction)}"
        if self.retention_days_max is not None:
            kept = offer.retention_days
            if kept is None or kept > self.retention_days_max:
                known = "for a time not known" if kept is None else f"for {_days(kept)}"
                yield f"may keep what it was sent {known}, {_days(self.retention_days_max)} at most are allowed"
        if self.training is not None and _STRICTER[offer.training] < _STRICTER[self.training]:
            yield f"has training {offer.training!r}, {self.training!r} is needed"
        if self.evidence_min is not None and offer.evidence < self.evidence_min:
            yield f"has its facts on evidence {offer.evidence}, {self.evidence_min} is needed"
        if self.offers and offer.name not in self.offers:
            yield f"is none of {_either(self.offers)}"

    def includes(self, other: Needs) -> bool:
        """Whether whatever meets these needs meets those of `other` too."""
        return (
            _narrower(self.side, other.side)
            and _narrower(self.region, other.region)
            and _narrower(self.jurisdiction, other.jurisdiction)
            and _narrower(self.offers, other.offers)
            and _at_most(self.retention_days_max, other.retention_days_max)
            and (other.training is None or _STRICTER[self.training or "unknown"] >= _STRICTER[other.training])
            and (other.evidence_min is None or (self.evidence_min or "E0") >= other.evidence_min)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for one label."""

    label: Label
    needs: Needs | None = None
    """None: only offers that declare the label in `cleared` may see it."""
    detect: frozenset[str] = frozenset()
    """Kinds and groups of kinds, as the settings name them."""
    kinds: frozenset[str] = frozenset()
    """The kinds of `detect`, groups taken apart."""
    lower: Lowering | None = None
    implies: frozenset[Label] = frozenset()
    """Labels that come with this one."""
    strict: bool = False
    """Its crossings are on disk before their first byte leaves."""
    remember_days: float = REMEMBER_DAYS
    """How long text that bore it is recognised; 0: not at all."""

    @property
    def is_lowered(self) -> bool:
        """Whether a transform takes the label off what was found."""
        return self.lower in {"redact", "pseudonymise"}


_UNREADABLE_RULE = Rule(label=UNREADABLE, needs=Needs(side=frozenset({"own"})), remember_days=0)


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules in force. Replaced whole by a reload."""

    rules: Mapping[Label, Rule] = field(default_factory=dict)
    version: str | None = None
    """Hash of the rules; None: there are none."""
    labels_of_kind: Mapping[str, tuple[Label, ...]] = field(init=False, compare=False, repr=False)
    """Which labels a kind of finding stands for."""
    _failing: dict[str, tuple[Offer, dict[Label, str | None]]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, tuple[Label, ...]] = {}
        for name, rule in self.rules.items():
            for kind in rule.kinds:
                found[kind] = (*found.get(kind, ()), name)
        object.__setattr__(self, "labels_of_kind", found)

    @property
    def has_rules(self) -> bool:
        return bool(self.rules)

    def rule(self, name: Label) -> Rule:
        """The rule of a label; one without needs where the policy has none for it."""
        found = self.rules.get(name)
        if found is not None:
            return found
        return _UNREADABLE_RULE if name == UNREADABLE else Rule(label=name)

    def closure(self, labels: Iterable[Label]) -> frozenset[Label]:
        """The labels, and all that they imply."""
        found = set(labels)
        fresh = list(found)
        while fresh:
            implied = self.rule(fresh.pop()).implies - found
            found |= implied
            fresh += implied
        return frozenset(found)

    def missing(self, offer: Offer, labels: Iterable[Label]) -> dict[Label, str]:
        """The labels of a closed set that the offer is not cleared for, each with the reason as a sentence."""
        if offer.clearance.everything:
            return {}
        known = self._failing.get(offer.name)
        if known is None or known[0] is not offer:
            known = self._failing[offer.name] = (offer, {})
        reasons = known[1]
        missing = {}
        for name in labels:
            if name not in reasons:
                if len(reasons) > 4096:  # names are the clients' to make up
                    reasons.clear()
                reasons[name] = self._reason(offer, name)
            reason = reasons[name]
            if reason is not None:
                missing[name] = reason
        return missing

    def _reason(self, offer: Offer, name: Label) -> str | None:
        needs = self.rule(name).needs
        if needs is None:
            return None if name in offer.clearance.labels else f"{offer.name} is not cleared for label {str(name)!r}."
        unmet = list(needs.unmet(offer))
        if not unmet:
            return None
        return f"{offer.name} is not cleared for label {str(name)!r}: it {', and it '.join(unmet)}."

    def lowered(self, offer: Offer, direct: frozenset[Label], lowerable: frozenset[Label]) -> frozenset[Label] | None:
        """What must be taken off a request before the offer may see it.

        Args:
            offer: that may or may not see it.
            direct: the labels of the request, without those that others imply.
            lowerable: those of `direct` that a transform can take off.

        Returns:
            The labels to lower, empty where the offer is cleared as it is; None: it cannot be cleared.
        """
        missing = self.missing(offer, self.closure(direct))
        if not missing:
            return frozenset()
        taken = frozenset(name for name in lowerable if not missing.keys().isdisjoint(self.closure({name})))
        if not taken or self.missing(offer, self.closure(direct - taken)):
            return None
        return taken


def _either(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))


def _in(region: str | None) -> str:
    return f"in {region}" if region else "in an unknown region"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _narrower(mine: frozenset[str], other: frozenset[str]) -> bool:
    return not other or (bool(mine) and mine <= other)


def _at_most(mine: int | None, other: int | None) -> bool:
    return other is None or (mine is not None and mine <= other)
