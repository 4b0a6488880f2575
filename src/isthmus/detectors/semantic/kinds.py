"""The kinds of sensitive text that the semantic gate tells apart, and the groups a policy may name instead of them.

Light on purpose: the settings read this module to check a policy, whether or not the extra is installed.
"""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.domain.finding import Tier

NAME = "semantic-gate"
TIER: Tier = "semantic"

SENSITIVE_TOPICS: Mapping[str, str] = {
    "health": "somebody's illness, treatment, disability, pregnancy, addiction or state of mind",
    "religion": "somebody's faith, the loss of it, or what they do and leave because of it",
    "politics": "somebody's party, vote, protest or trade union",
    "sexuality": "somebody's orientation, gender identity or sex life",
    "origin": "somebody's ethnic origin, flight or papers to stay",
    "crime": "somebody's offence, conviction, or what they are suspected, accused or a witness of",
    "private_finances": "somebody's pay, debts, taxes or savings",
    "private_dispute": "somebody's divorce, custody, warning, dismissal, violence at home, or lawsuit",
    "confidential_business": "what an organisation has not made public: plans, prices, recipes, weaknesses",
    "shared_secret": "a password, code or key that somebody gives away in passing",
    "person_context": "a private person named or pointed out, together with any of the above or how to find them",
}
"""Each kind, and what it is."""

KINDS = frozenset(SENSITIVE_TOPICS)

GROUPS: Mapping[str, frozenset[str]] = {
    "sensitive_topics": KINDS,
    "special_categories": frozenset({"health", "religion", "politics", "sexuality", "origin"}),
}
"""`special_categories` are those of Article 9 GDPR that can be read from prose."""
