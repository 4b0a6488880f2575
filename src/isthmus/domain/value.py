"""How the values are declared that are made anew for every request.

A frozen dataclass sets each field through `object.__setattr__`, which made up a seventh of the CPU of a request's road.
These values are frozen to the type checker, which refuses to assign to them as it does for any frozen dataclass, and
plain at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from typing_extensions import dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def quick_value(*, kw_only: bool = False) -> Callable[[type[_T]], type[_T]]:
    """Declare a value of the hot path: slots, compared by content, frozen to the type checker."""
    return dataclass(slots=True, kw_only=kw_only)
