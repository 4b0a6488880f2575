"""What the deep detector tells apart. Light on purpose: the registry reads it, extra or no extra."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.domain.finding import Tier

NAME = "presidio"
TIER: Tier = "deep"

KIND_OF_ENTITY: Mapping[str, str] = {
    "PERSON": "deep_person",
    "LOCATION": "deep_location",
    "ORGANIZATION": "deep_organisation",
    "NRP": "deep_affiliation",
    "DATE_TIME": "deep_date",
}
"""Our kinds by Presidio's entities: those that only a reader of grammar finds.

What has a form is left to the rules, which find more of it with fewer false alarms (docs/reference/detectors.md).
Presidio's own rule for e-mail would besides have tldextract fetch its list of domains from the network.
"""

KINDS = frozenset(KIND_OF_ENTITY.values())

GROUPS: Mapping[str, frozenset[str]] = {}
"""None: groups are names for policies."""
