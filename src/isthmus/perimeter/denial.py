"""Why a request is refused at the perimeter, and what would help, told to whoever may mend it.

A denial names labels, places and facts, never a word of the content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isthmus.domain.decision import Decision
from isthmus.domain.errors import PerimeterDenied
from isthmus.domain.label import Label, Labelled, LabelSource
from isthmus.domain.offer import Offer
from isthmus.perimeter.policy import Policy

_SOURCES: Mapping[LabelSource, str] = {
    "key": "declared by the key",
    "workload": "declared by the workload",
    "header": "declared by a header",
    "metadata": "declared in the metadata",
    "part": "declared",
    "detector": "found",
    "lineage": "remembered",
    "implied": "implied",
    "command": "declared by the command",
    "previous": "declared for the earlier answer",
}
_MOST_NAMED = 3


def denial(decision: Decision, policy: Policy, offers: Iterable[Offer]) -> PerimeterDenied:
    """The refusal of a request that no offer of its workload is cleared for.

    Args:
        decision: without a route.
        policy: the rules in force.
        offers: all there are: one outside of the workload may be cleared.
    """
    sentences = [rejection.sentence for rejection in decision.rejected]
    labels = frozenset(labelled.label for labelled in decision.labels)
    cleared = [offer.name for offer in offers if not policy.missing(offer, labels)]
    error = PerimeterDenied(
        f"No offer of workload {decision.workload!r} is cleared for this request. "
        f"{' '.join(_told(name, decision.labels) for name in sorted(labels))} {' '.join(sentences)}",
        hint=_remedy(decision, policy, cleared),
    )
    error.param = next((labelled.where for labelled in decision.labels if labelled.where), None)
    return error


def _told(name: Label, labels: Iterable[Labelled]) -> str:
    """`Label 'phi': found in messages[0].content, characters 3 to 9 (icd10).`."""
    places = [labelled for labelled in labels if labelled.label == name]
    told = []
    for labelled in places[:_MOST_NAMED]:
        text = _SOURCES[labelled.source]
        if labelled.where is not None:
            text += f" in {labelled.where}"
        if labelled.finder is not None:
            text += f" ({labelled.finder})"
        told.append(text)
    more = len(places) - len(told)
    return f"Label {str(name)!r}: {'; '.join(told)}{f'; and {more} more places' if more else ''}."


def _remedy(decision: Decision, policy: Policy, cleared: list[str]) -> str:
    remedies = []
    if cleared:
        remedies.append(f"add {' or '.join(cleared[:_MOST_NAMED])}, which is cleared, to the workload")
    else:
        remedies.append("add an offer that is cleared")
    found = sorted(
        {
            labelled.label
            for labelled in decision.labels
            if labelled.source == "detector" and policy.rule(labelled.label).lower is None
        }
    )
    if found:
        remedies.append(f'allow a transform ([labels.{found[0]}] else = "pseudonymise")')
    remedies.append("have the labels reviewed")
    text = ", or ".join(remedies)
    return f"{text[0].upper()}{text[1:]}."
