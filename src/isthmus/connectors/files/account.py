"""Files: folders of this machine that the user names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from isthmus.agent.tool import Toolset
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

KIND = "files"

EVERYONE = "everyone"


class Folder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One folder, and what is to be known of all that lies in it."""

    path: str
    name: str = ""
    """By which it is called; empty: the last part of the path."""
    write: bool = False
    """Whether files may be made, changed, moved and put into the trash there."""
    mine: bool = False
    """Whether nobody but the user writes there: no download, no shared or synchronised folder, no programme that keeps
    what others send. What lies there is then taken as the user's own word. A folder in it that is called Downloads is
    never."""
    labels: tuple[Label, ...] = ()
    """Besides those of the account."""
    readers: tuple[str, ...] = ()
    """Who can read it already besides the user, such as `mailto:partner@example.org`; or `everyone`."""

    @property
    def called(self) -> str:
        return self.name or Path(self.path).expanduser().name or "files"


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which folders there are."""

    folders: tuple[Folder, ...]

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError("no folder is named")
        names = [folder.called for folder in self.folders]
        for name in names:
            if "/" in name or name.startswith("."):
                raise ValueError(f"{name!r} is no name for a folder: it has a slash, or begins with a dot")
        if double := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two folders are called {double!r}; give one of them a name")
        for folder in self.folders:
            if not Path(folder.path).expanduser().is_absolute():
                raise ValueError(f"{folder.path!r} does not say where it is; begin it with / or ~")


async def connect(
    name: str,
    account: Account,
    *,
    labels: frozenset[Label],
    secret: Callable[[SecretRef], Awaitable[str]],  # noqa: ARG001 - every account is asked for the same
) -> Toolset:
    """The tools of an account. No folder is looked into yet."""
    from isthmus.connectors.files.toolset import FilesToolset  # noqa: PLC0415

    return FilesToolset(name, account, labels=labels)
