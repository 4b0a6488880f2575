"""A decision, told to people and programmes."""

from __future__ import annotations

from typing import Any

from isthmus.domain.decision import Decision
from isthmus.domain.usage import plain


def explanation(decision: Decision) -> dict[str, Any]:
    """A decision as plain JSON values: what `isthmus explain` and its endpoint give.

    `lowered` are the labels that a transform takes off a request before the offer sees it.

    The first offer of `route` serves; the others follow if it fails. Costs are dollars as exact decimal text.
    """
    return {
        "workload": decision.workload,
        "goal": decision.goal,
        "labels": [
            {"label": found.label, "source": found.source, "where": found.where, "finder": found.finder}
            for found in decision.labels
        ],
        "route": [
            {
                "offer": candidate.offer.name,
                "model": candidate.offer.model,
                "provider": candidate.offer.provider,
                "side": candidate.offer.side,
                "expected_cost": None if candidate.expected_cost is None else plain(candidate.expected_cost),
                "lowered": sorted(candidate.lowered),
            }
            for candidate in decision.route
        ],
        "rejected": [
            {"offer": rejection.offer, "code": rejection.code, "sentence": rejection.sentence}
            for rejection in decision.rejected
        ],
        "catalog_version": decision.catalog_version,
        "policy_version": decision.policy_version,
    }
