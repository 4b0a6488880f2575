"""Labels, what data is; clearances, which labels a party may see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NewType

Label = NewType("Label", str)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")

LabelSource = Literal[
    "key", "workload", "header", "metadata", "part", "detector", "lineage", "implied", "command", "previous"
]
"""`command`: an option of the command line that asked."""


def label(name: str) -> Label:
    """Make a label of a name.

    Raises:
        ValueError: the name is not 1 to 63 of lower-case letters, digits, dot, underscore and hyphen, beginning
            with a letter or a digit.
    """
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no label: use 1 to 63 of a-z, 0-9, '.', '_', '-', beginning with a-z or 0-9")
    return Label(name)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label on a request, and where it came from."""

    label: Label
    source: LabelSource
    where: str | None = None
    """The place in the request it was found in or declared for, such as `messages[2].content`; None: all of it."""
    finder: str | None = None
    """What found it: `email`, the name of a registered document, or the label that implies it. Never content."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """The labels an offer may see.

    Unlabelled data needs no clearance. An offer that declares nothing is cleared for no label.
    """

    labels: frozenset[Label] = frozenset()
    everything: bool = False
    """Cleared for every label: only sensible where the data stays on one's own machine."""

    def missing(self, labels: Iterable[Label]) -> frozenset[Label]:
        """The labels this clearance does not cover. Empty means cleared."""
        if self.everything:
            return frozenset()
        return frozenset(labels) - self.labels
