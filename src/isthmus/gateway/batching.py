"""The batches that a gateway's clients may make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.batches.batches import Batches
from isthmus.domain.errors import UnknownPath

if TYPE_CHECKING:
    from isthmus.gateway.gateway import Gateway


def batches_of(gateway: Gateway) -> Batches:
    """The batches.

    Raises:
        UnknownPath: this gateway has none.
    """
    if gateway.batches is None:
        raise UnknownPath("There are no batches here.")
    return gateway.batches
