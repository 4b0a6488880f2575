"""Which folder a path is in, and the marks of what lies there.

Name and text of a file could be written by whoever can write into its folder. That is the user alone only where the
settings say so, not in a folder called Downloads, and not where the file itself tells that isthmus made it: then the
mark that was kept of it says whose words it holds, and this is for where that is lost.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.agent.marks import EVERYONE, ISTHMUS, UNKNOWN, USER, Mark, Origin, Party, Readers
from isthmus.connectors.files.account import EVERYONE as EVERYONE_WORD
from isthmus.connectors.files.account import Account, Folder
from isthmus.connectors.files.tree import Parts, Tree, parts_of
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

_DOWNLOADS = frozenset({"downloads", "download"})


@dataclass(frozen=True, slots=True)
class Place:
    """One folder that was named."""

    name: str
    tree: Tree
    write: bool
    mine: bool
    labels: frozenset[Label]
    readers: Readers

    def written(self, parts: Parts, *, made: bool = False) -> Mark:
        """The mark of what whoever wrote a file says: its name and its text."""
        around = (*self.tree.root.parts, *parts[:-1])
        origin = USER if self.mine and _DOWNLOADS.isdisjoint(map(str.casefold, around)) else self._origin
        origins = {origin, UNKNOWN} if made and origin == USER else {origin}
        return Mark(labels=self.labels, readers=self.readers, origins=frozenset(origins))

    @property
    def asserted(self) -> Mark:
        """The mark of what the system says of a file: its size, when it was changed."""
        return Mark(labels=self.labels, readers=self.readers, origins=frozenset({ISTHMUS}))

    @property
    def _origin(self) -> Origin:
        return Origin(f"file:{self.tree.root}")


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path leads."""

    place: Place
    parts: Parts

    @property
    def id(self) -> str:
        return self.place.tree.path(self.parts)

    @property
    def shown(self) -> str:
        """As people call it."""
        return "/".join((self.place.name, *self.parts))


class Places:
    """All folders of an account."""

    def __init__(self, account: Account, labels: frozenset[Label]) -> None:
        self.all: Sequence[Place] = tuple(_place(folder, labels) for folder in account.folders)

    def find(self, given: str, *, kept: bool = False) -> Found:
        """Where a path leads: a full one, or one that begins with the name of a folder, or one in the only folder.

        Args:
            given: the path.
            kept: whether it may lead into what is kept of files that were.

        Raises:
            ToolError: it leads to none of the folders.
        """
        path = os.path.expanduser(given) if given.startswith("~/") else given
        if path.startswith("/"):
            for place in self._deepest_first():
                root = str(place.tree.root)
                if path == root or path.startswith(f"{root.rstrip('/')}/"):
                    return Found(place, parts_of(path[len(root) :], kept=kept))
            raise self._nowhere()
        first, _, rest = path.removeprefix("./").partition("/")
        for place in self.all:
            if first == place.name:
                return self.at(Found(place, parts_of(rest, kept=kept)))
        if len(self.all) == 1:
            return self.at(Found(self.all[0], parts_of(path, kept=kept)))
        raise self._nowhere()

    def at(self, found: Found) -> Found:
        """The same file, in the innermost of the folders: what is said of that one holds."""
        for place in self._deepest_first():
            if place is found.place:
                return found
            inner = place.tree.root
            outer = found.place.tree.root
            if inner.is_relative_to(outer) and Path(found.id).is_relative_to(inner):
                return Found(place, found.parts[len(inner.parts) - len(outer.parts) :])
        return found

    def _deepest_first(self) -> Sequence[Place]:
        return sorted(self.all, key=lambda place: -len(place.tree.root.parts))

    def _nowhere(self) -> ToolError:
        names = ", ".join(place.name for place in self.all)
        return ToolError("That is in none of the folders that the user named.", hint=f"There is: {names}.")


def _place(folder: Folder, labels: frozenset[Label]) -> Place:
    everyone = EVERYONE_WORD in folder.readers
    return Place(
        name=folder.called,
        tree=Tree(Path(folder.path)),
        write=folder.write,
        mine=folder.mine,
        labels=labels | frozenset(folder.labels),
        readers=EVERYONE if everyone else Readers(frozenset(map(Party, folder.readers))),
    )
