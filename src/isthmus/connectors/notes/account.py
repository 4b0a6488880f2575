"""Notes: a folder of Markdown files that the agent and the user keep together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from isthmus.agent.tool import Toolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "notes"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the notes are."""

    folder: str
    """It is made when the first note is."""
    mine: bool = False
    """Whether nobody but the user and isthmus writes there: the folder is neither shared nor filled by another
    programme. Notes that the user wrote are then taken as the user's own word."""

    def __post_init__(self) -> None:
        if not Path(self.folder).expanduser().is_absolute():
            raise ValueError(f"{self.folder!r} does not say where it is; begin it with / or ~")


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],  # noqa: ARG001 - every account is asked for the same
) -> Toolset:
    """The tools of an account. The folder is not looked into yet."""
    from isthmus.connectors.notes.toolset import NotesToolset  # noqa: PLC0415

    return NotesToolset(name, account, labels=labels)
