"""What a detector finds in a text."""

from __future__ import annotations

from typing import Literal

from isthmus.domain.value import quick_value

Tier = Literal["rules", "semantic", "deep"]
"""rules: always, on the road. semantic: on the road, where a request could leave own ground. deep: off the road."""


@quick_value()
class Finding:
    """A stretch of a text that is of a sensitive kind."""

    kind: str
    """What it is, in the detector's words: `email`, `iban`, `icd10`. A policy names kinds, or groups of them."""
    start: int
    end: int
    """Characters of the text as it was given, end exclusive."""
    exact: bool = True
    """Whether the stretch is the sensitive thing itself and all of it, so that taking it out takes the thing out."""
