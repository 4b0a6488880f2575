"""The feed of deprecations.info in its published form: which models end when, and what vendors name instead.

Several records may speak of one model, of one copy of a vendor's page each; the one observed last counts, and days
that differ from it stay beside it.

Source:
    https://github.com/deprecations/deprecations-rss.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import msgspec

_NAME = re.compile(r"[\w.:/@-]+\Z")
"""Of a model at an API. The feed has sentences in the place of names, too."""


class Deprecation(msgspec.Struct, frozen=True):
    """A record. Days are `YYYY-MM-DD`, or a text that is no day (a month, nothing), and then no day is known."""

    provider: str
    model_id: str
    shutdown_date: str | None = None
    replacement_models: tuple[str, ...] | None = None
    last_observed: str | None = None

    @property
    def ends(self) -> date | None:
        return _day(self.shutdown_date)

    @property
    def observed(self) -> date:
        """The first of all days where it is not said."""
        return _day(self.last_observed) or date.min

    @property
    def replacement(self) -> str | None:
        """The first successor that is a name."""
        return next((name for name in self.replacement_models or () if _NAME.match(name)), None)


def read(text: bytes) -> Mapping[str, Mapping[str, tuple[Deprecation, ...]]]:
    """By provider and model in lower case: what is said of it, the record observed last first.

    Raises:
        msgspec.DecodeError: it is not JSON, or not of the feed's form.
    """
    found: dict[str, dict[str, list[Deprecation]]] = defaultdict(lambda: defaultdict(list))
    for record in msgspec.json.decode(text, type=tuple[Deprecation, ...]):
        if record.ends is not None:
            found[record.provider][record.model_id.strip().lower()].append(record)
    return {
        provider: {
            name: tuple(sorted(records, key=lambda one: one.observed, reverse=True)) for name, records in models.items()
        }
        for provider, models in found.items()
    }


def newest(feed: Mapping[str, Mapping[str, tuple[Deprecation, ...]]], before: date) -> date | None:
    """The last day that anything was observed."""
    records = (record for models in feed.values() for told in models.values() for record in told)
    seen = max((one.observed for one in records if one.observed <= before), default=date.min)
    return None if seen == date.min else seen


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        return None
