"""Runs the tools for files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from itertools import islice

from anyio.to_thread import run_sync
from typing_extensions import override

from isthmus.agent.marks import Party
from isthmus.agent.tool import Field, Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.files.account import Account
from isthmus.connectors.files.places import Found, Place, Places
from isthmus.connectors.files.specs import specs
from isthmus.connectors.files.texts import Texts, is_document, read
from isthmus.connectors.files.tree import KEPT, TRASH, VERSIONS, Entry, Parts
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

PAGE = 6_000
"""Characters of a text that are given at once: some 1,500 tokens."""

_LISTED = 20
_MOST_LISTED = 50
_MOST_LOOKED_AT = 20_000
"""Files that a search looks at."""
_SEARCHED_BYTES = 1024 * 1024
"""Of one file, by a search."""
_HEAD = 4096
_MOST_DOCUMENTS = 20
"""PDF and DOCX files that a search takes apart."""
_SEARCH_SECONDS = 10.0
_AROUND = 80
"""Characters shown before and behind what was searched for."""
_MAX_TEXT = 1024 * 1024
"""Characters of a file that is written."""


class FilesToolset(Toolset):
    """The tools of one account of files."""

    def __init__(self, account_name: str, account: Account, *, labels: frozenset[Label]) -> None:
        self._account_name = account_name
        self._places = Places(account, labels)
        self._texts = Texts()
        self._specs = specs(can_write=any(place.write for place in self._places.all))
        self._tools: dict[str, Callable[[Grant], ToolResult]] = {
            "file_list": self._list,
            "file_search": self._search,
            "file_read": self._read,
            "file_write": self._write,
            "file_move": self._move,
            "file_trash": self._trash,
        }

    @property
    @override
    def name(self) -> str:
        return "files"

    @property
    def account(self) -> str:
        """Name of the account in the settings."""
        return self._account_name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self._specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        raise ToolError("Nothing is sent to a file.")

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if all(grant.tool != spec.name for spec in self._specs):
            raise ToolError(f"There is no tool {grant.tool} for this account.")
        return await run_sync(self._tools[grant.tool], grant)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        match grant.tool:
            case "file_write":
                return await run_sync(self._written, grant)
            case "file_move":
                return await run_sync(self._moved, grant)
            case "file_trash":
                return await run_sync(self._trashed, grant)
            case _:
                return None

    @override
    async def aclose(self) -> None:
        await run_sync(self._texts.close)

    # ------------------------------------------------------------------------------------------------------- reading

    def _list(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        limit = _limit(given.get("limit"))
        if not (path := given.get("folder")):
            return ToolResult(items=tuple(map(_place_item, self._places.all)))
        found = self._places.find(path, kept=True)
        entries = list(islice(found.place.tree.entries(found.parts), _MOST_LOOKED_AT))
        items = tuple(self._item(found.place, entry) for entry in entries[:limit])
        more = len(entries) - len(items)
        return ToolResult(items=items, note=f"{more} more; name a folder in it, or search." if more else "")

    def _search(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        limit, words = _limit(given.get("limit")), given["text"].casefold().split()
        if not words:
            raise ToolError("Nothing was asked for.", hint="Give some words of its name or text.")
        where = [self._places.find(path)] if (path := given.get("folder")) else [Found(p, ()) for p in self._places.all]
        search = _Search(self._texts, words, time.monotonic() + _SEARCH_SECONDS)
        items: dict[str, Item] = {}
        for found in where:
            for entry in found.place.tree.walk(found.parts):
                if len(items) == limit or not search.goes_on():
                    break
                if (around := search.look(found.place, entry)) is not None:
                    item = self._item(found.place, entry, around)
                    items.setdefault(item.id, item)
        return ToolResult(items=tuple(items.values()), note=search.note(whole=len(items) < limit))

    def _read(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        found = self._places.find(given["file"], kept=True)
        with found.place.tree.file(found.parts) as opened:
            content = self._texts.content(opened.fd, opened.entry.size)
        start = max(0, given.get("start") or 0)
        page = content.text[start : start + PAGE]
        left = len(content.text) - start - len(page)
        note = f"{left} more characters; read on with start={start + len(page)}." if left > 0 else ""
        return ToolResult(items=(self._item(found.place, opened.entry, page, sha256=content.sha256),), note=note)

    def _item(self, place: Place, entry: Entry, text: str | None = None, *, sha256: str | None = None) -> Item:
        found = self._places.at(Found(place, entry.parts))
        written, asserted = found.place.written(found.parts, made=entry.made), found.place.asserted
        fields = {"path": Field(value=found.shown, kind="text", mark=written)}
        if entry.folder:
            fields["folder"] = Field(value=True, kind="flag", mark=asserted)
        else:
            fields["size"] = Field(value=entry.size, kind="number", mark=asserted)
            fields["changed"] = Field(value=entry.modified, kind="time", mark=asserted)
        if text:
            fields["text"] = Field(value=text, kind="text", mark=written)
        return Item(kind="file", id=found.id, fields=fields, content_sha256=sha256)

    # ------------------------------------------------------------------------------------------------------- changing

    def _write(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        found = self._to_change(given["file"])
        if len(given["text"]) > _MAX_TEXT:
            raise ToolError(f"The text is longer than {_MAX_TEXT:,} characters.", hint="Write it in several files.")
        _check_readers(found, grant)
        data = _bytes(given["text"])
        kept = found.place.tree.put(found.parts, data, _token(grant))
        return self._done(found, _said(kept), hashlib.sha256(data).hexdigest(), kept=kept)

    def _written(self, grant: Grant) -> ToolResult | None:
        found = self._to_change(grant.plain()["file"])
        data = _bytes(grant.plain()["text"])
        tree, token = found.place.tree, _token(grant)
        tree.tidy(found.parts, token)
        if tree.entry(found.parts) is None:
            return None
        with tree.file(found.parts) as opened:
            if opened.entry.size != len(data) or read(opened.fd, len(data)) != data:
                return None
        kept = next(iter(tree.kept(VERSIONS, found.parts, token)), None)
        return self._done(found, _said(kept), hashlib.sha256(data).hexdigest(), kept=kept)

    def _move(self, grant: Grant) -> ToolResult:
        source, target = self._moving(grant)
        if source.id == target.id:
            raise ToolError("The file lies there already.")
        source.place.tree.move(source.parts, target.place.tree, target.parts)
        return self._done(target, "Moved.", self._sha256(target))

    def _moved(self, grant: Grant) -> ToolResult | None:
        source, target = self._moving(grant)
        if source.place.tree.entry(source.parts) is not None or target.place.tree.entry(target.parts) is None:
            return None
        return self._done(target, "Moved.", self._sha256(target))

    def _moving(self, grant: Grant) -> tuple[Found, Found]:
        """From where to where.

        A folder says whose words its files are, and what they are labelled; a move may not make that say less.
        """
        given = grant.plain()
        source, target = self._to_change(given["file"], kept=True), self._to_change(given["to"])
        before = source.place.written(_as_it_was(source.parts))
        after = target.place.written(target.parts)
        if (
            not before.labels <= after.labels
            or before.readers.both(after.readers) != after.readers
            or (after.trusted and not before.trusted)
        ):
            raise ToolError(
                "That folder says less of whose words its files are, or who may see them.",
                hint="Only the user can move it there.",
            )
        return source, target

    def _trash(self, grant: Grant) -> ToolResult:
        found = self._to_change(grant.plain()["file"])
        kept = found.place.tree.trash(found.parts, _token(grant))
        return self._in_trash(found, kept)

    def _trashed(self, grant: Grant) -> ToolResult | None:
        found = self._to_change(grant.plain()["file"])
        kept = found.place.tree.kept(TRASH, found.parts, _token(grant))
        return self._in_trash(found, kept[0]) if kept else None

    def _in_trash(self, found: Found, kept: Parts) -> ToolResult:
        trashed = Found(found.place, kept)
        return self._done(trashed, "It is in the trash; file_move gets it back.", self._sha256(trashed))

    def _to_change(self, path: str, *, kept: bool = False) -> Found:
        """Where a file is that may be changed.

        Raises:
            ToolError: there is no such place.
        """
        found = self._places.find(path, kept=kept)
        if not found.place.write:
            raise ToolError(
                f"Files in {found.place.name} may only be read.", hint="The user allows it with write in the settings."
            )
        if not found.parts:
            raise ToolError("That is a folder.", hint="Name a file in it.")
        return found

    def _sha256(self, found: Found) -> str:
        with found.place.tree.file(found.parts) as opened, open(opened.fd, "rb", closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _done(self, found: Found, note: str, sha256: str, *, kept: Parts | None = None) -> ToolResult:
        entry = found.place.tree.entry(found.parts)
        items = () if entry is None else (self._item(found.place, entry, sha256=sha256),)
        made = [Made("file", found.id, sha256)]
        if kept is not None:
            made.append(Made("file", found.place.tree.path(kept)))
        return ToolResult(items=items, note=note, made=tuple(made))


class _Search:
    """One search, and what it had to leave out."""

    def __init__(self, texts: Texts, words: Sequence[str], until: float) -> None:
        self._texts = texts
        self._words = words
        self._until = until
        self._looked = 0
        self._documents = 0
        self._left_out = 0

    def goes_on(self) -> bool:
        return self._looked < _MOST_LOOKED_AT and time.monotonic() < self._until

    def look(self, place: Place, entry: Entry) -> str | None:
        """What stands around the words, in a file that has them all. Empty: they are in its name. None: it has not."""
        self._looked += 1
        name = "/".join(entry.parts).casefold()
        if all(word in name for word in self._words):
            return ""
        try:
            text = self._text(place, entry)
        except ToolError:
            return None
        folded = text.casefold()
        if not all(word in folded or word in name for word in self._words):
            return None
        at = next((folded.find(word) for word in self._words if word in folded), 0)
        return " ".join(text[max(0, at - _AROUND) : at + _AROUND].split())

    def note(self, *, whole: bool) -> str:
        said = [f"The text of {self._left_out} files was not looked at."] if self._left_out else []
        if not whole:
            said.append("There may be more; give more words.")
        elif not self.goes_on():
            said.append("Not all files were looked at; name a folder.")
        return " ".join(said)

    def _text(self, place: Place, entry: Entry) -> str:
        with place.tree.file(entry.parts) as opened:
            head = read(opened.fd, _HEAD)
            if is_document(head):
                if self._documents == _MOST_DOCUMENTS:
                    self._left_out += 1
                    return ""
                self._documents += 1
                return self._texts.content(opened.fd, opened.entry.size).text
            if b"\0" in head:
                return ""
            return read(opened.fd, _SEARCHED_BYTES).decode("utf-8", "replace")


def _place_item(place: Place) -> Item:
    """A folder that the user named: what it is called is the user's word, or the settings' and so isthmus'."""
    fields = {
        "path": Field(value=place.name, kind="text", mark=place.asserted),
        "folder": Field(value=True, kind="flag", mark=place.asserted),
        "write": Field(value=place.write, kind="flag", mark=place.asserted),
    }
    return Item(kind="file", id=str(place.tree.root), fields=fields)


def _as_it_was(parts: Parts) -> Parts:
    """Where a file lay before it was kept."""
    return parts[2:-1] if parts[:1] == (KEPT,) else parts


def _check_readers(found: Found, grant: Grant) -> None:
    """Whether those who read a folder may read what is to be written there, its name included.

    A folder that others read is no place that only the user sees, whatever the monitor takes a file for.

    Raises:
        ToolError: they may not.
    """
    there, may = found.place.readers, grant.mark.readers
    if not (may.everyone if there.everyone else may.include(there.parties)):
        raise ToolError(
            "Others read that folder, and not all of this is theirs to read.",
            hint="Write it into a folder that the user alone reads; the user can put it there.",
        )


def _said(kept: Parts | None) -> str:
    return "Written." if kept is None else "Written; the version before is kept."


def _limit(given: int | None) -> int:
    return max(1, min(_MOST_LISTED, given or _LISTED))


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolError("The text holds half a character.") from error


def _token(grant: Grant) -> str:
    """Names what a call keeps, the same whenever it is asked for."""
    return hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()[:16]
