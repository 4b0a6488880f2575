"""Runs the tools for notes.

A note is one file, `Title of it.md`, whose name is its id. It bears one mark, as a whole: that of the folder, joined by
the core with the mark of all that the agent ever wrote into it. Whoever edits it in an editor could have left any piece
of it as it was, so an edit takes nothing off that mark; a new note of the user's own begins anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from anyio.to_thread import run_sync
from typing_extensions import override

from isthmus.agent.marks import ISTHMUS, UNKNOWN, USER, Mark, Origin, Party
from isthmus.agent.tool import Field, Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.files.texts import read
from isthmus.connectors.files.tree import VERSIONS, Entry, Parts, Tree, parts_of
from isthmus.connectors.notes.account import Account
from isthmus.connectors.notes.specs import SPECS
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

PAGE = 6_000
_MOST = 5_000
"""Notes that are looked at."""
_LISTED = 10
_AROUND = 100
_MAX_BYTES = 1024 * 1024
_UNWANTED = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|#^\[\]]+')
_MAX_TITLE = 80
_MOST_OF_A_TITLE = 50
_SUFFIX = ".md"


class NotesToolset(Toolset):
    """The tools of one folder of notes."""

    def __init__(self, account_name: str, account: Account, *, labels: frozenset[Label]) -> None:
        self._account_name = account_name
        self._tree = Tree(Path(account.folder))
        self._mine = account.mine
        self._labels = labels
        self._tools: dict[str, Callable[[Grant], ToolResult]] = {
            "note_add": self._add,
            "note_find": self._find,
            "note_read": self._read,
            "note_edit": self._edit,
        }

    @property
    @override
    def name(self) -> str:
        return "notes"

    @property
    def account(self) -> str:
        """Name of the account in the settings."""
        return self._account_name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return SPECS

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        raise ToolError("Nothing is sent to a note.")

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if grant.tool not in self._tools:
            raise ToolError(f"There is no tool {grant.tool} for notes.")
        return await run_sync(self._tools[grant.tool], grant)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        match grant.tool:
            case "note_add":
                return await run_sync(self._added, grant)
            case "note_edit":
                return await run_sync(self._edited, grant)
            case _:
                return None

    @override
    async def aclose(self) -> None:
        pass

    def will_make(self, grant: Grant) -> tuple[Made, ...]:
        """What a call will make: its mark is kept before the file is there, however the note was spelt.

        Raises:
            ToolError: it cannot be made.
        """
        given = grant.plain()
        match grant.tool:
            case "note_add":
                return (Made("note", "", _sha256(_note(given["title"], given["text"]))),)
            case "note_edit":
                return (Made("note", "/".join(_parts(given["note"]))),)
            case _:
                return ()

    # ------------------------------------------------------------------------------------------------------- reading

    def _find(self, grant: Grant) -> ToolResult:
        words = (grant.plain().get("words") or "").casefold().split()
        newest = sorted(self._notes(), key=lambda entry: entry.modified, reverse=True)
        items: list[Item] = []
        for known in newest:
            if len(items) == _LISTED:
                return ToolResult(items=tuple(items), note="There may be more; give more words.")
            try:
                entry, text = self._text(known.parts)
            except ToolError:  # gone by now, or too large for a note
                continue
            name = "/".join(entry.parts).casefold()
            folded = text.casefold()
            if all(word in folded or word in name for word in words):
                at = min((folded.find(word) for word in words if word in folded), default=0)
                around = " ".join(text[max(0, at - _AROUND) : at + _AROUND].split())
                items.append(self._item(entry, text, around))
        return ToolResult(items=tuple(items))

    def _read(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        entry, text = self._text(_parts(given["note"]))
        start = max(0, given.get("start") or 0)
        page = text[start : start + PAGE]
        left = len(text) - start - len(page)
        note = f"{left} more characters; read on with start={start + len(page)}." if left > 0 else ""
        return ToolResult(items=(self._item(entry, text, page),), note=note)

    def _notes(self) -> Iterator[Entry]:
        if not self._tree.root.exists():
            return iter(())
        return islice((one for one in self._tree.walk(()) if one.parts[-1].endswith(_SUFFIX)), _MOST)

    def _text(self, parts: Parts) -> tuple[Entry, str]:
        with self._tree.file(parts) as opened:
            if opened.entry.size > _MAX_BYTES:
                raise ToolError(f"The note is larger than {_MAX_BYTES // 1024**2} MB.")
            return opened.entry, read(opened.fd, _MAX_BYTES).decode("utf-8", "replace")

    def _item(self, entry: Entry, text: str, shown: str) -> Item:
        written = self._written(made=entry.made)
        asserted = Mark(labels=self._labels, origins=frozenset({ISTHMUS}))
        fields = {
            "title": Field(value="/".join(entry.parts).removesuffix(_SUFFIX), kind="text", mark=written),
            "changed": Field(value=entry.modified, kind="time", mark=asserted),
            "text": Field(value=shown, kind="text", mark=written),
        }
        return Item(kind="note", id="/".join(entry.parts), fields=fields, content_sha256=_sha256(text))

    def _written(self, *, made: bool) -> Mark:
        """The mark of a note, besides what the core knows of it; where that is lost, anybody may have written it."""
        own = {USER, UNKNOWN} if made else {USER}
        origins = own if self._mine else {Origin(f"file:{self._tree.root}")}
        return Mark(labels=self._labels, origins=frozenset(origins))

    # ------------------------------------------------------------------------------------------------------- writing

    def _add(self, grant: Grant) -> ToolResult:
        given, token = grant.plain(), _token(grant)
        text = _note(given["title"], given["text"])
        self._tree.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for parts in _names(given["title"]):
            if self._tree.put_new(parts, text.encode(), token):
                return self._done(parts, "Noted.")
        raise ToolError("There are too many notes of that title.", hint="Take another title.")

    def _added(self, grant: Grant) -> ToolResult | None:
        given = grant.plain()
        text = _note(given["title"], given["text"])
        for parts in _names(given["title"]):
            try:
                if self._text(parts)[1] == text:
                    return self._done(parts, "Noted.")
            except ToolError:
                return None
        return None

    def _edit(self, grant: Grant) -> ToolResult:
        parts = _parts(grant.plain()["note"])
        _, before = self._text(parts)
        text = _changed(before, grant)
        if len(text.encode()) > _MAX_BYTES:
            raise ToolError("The note would become too long.", hint="Begin a new one.")
        self._tree.put(parts, text.encode(), _token(grant))
        return self._done(parts, "Changed; the version before is kept.")

    def _edited(self, grant: Grant) -> ToolResult | None:
        """The version before is kept under the name of the call, in the moment that the note changes."""
        parts, token = _parts(grant.plain()["note"]), _token(grant)
        self._tree.tidy(parts, token)
        now = self._text(parts)[1]
        for kept in self._tree.kept(VERSIONS, parts, token):
            try:
                if _changed(self._text(kept)[1], grant) == now:
                    return self._done(parts, "Changed; the version before is kept.")
            except ToolError:  # a draft that was left half-written, and is no version
                continue
        return None

    def _done(self, parts: Parts, note: str) -> ToolResult:
        entry, text = self._text(parts)
        item = self._item(entry, text, "")
        return ToolResult(items=(item,), note=note, made=(Made("note", item.id, item.content_sha256),))


def _parts(note: str) -> Parts:
    parts = parts_of(note if note.endswith(_SUFFIX) else f"{note}{_SUFFIX}")
    if not parts:
        raise ToolError("That is no note.", hint="note_find shows them.")
    return parts


def _names(title: str) -> Iterator[Parts]:
    """The names that a note may be given, the one after the other."""
    clean = " ".join(_UNWANTED.sub(" ", title).split()).strip(". ")
    clean = "".join(one for one in clean if one.isprintable())[:_MAX_TITLE].strip(". ") or "Note"
    for number in range(1, _MOST_OF_A_TITLE + 1):
        yield (f"{clean}{_SUFFIX}" if number == 1 else f"{clean} {number}{_SUFFIX}",)


def _note(title: str, text: str) -> str:
    try:
        (whole := f"# {' '.join(title.split())}\n\n{text.strip()}\n").encode()
    except UnicodeEncodeError as error:
        raise ToolError("The text holds half a character.") from error
    if len(whole) > _MAX_BYTES // 4:
        raise ToolError("That is too long for a note.", hint="Write it as a file.")
    return whole


def _changed(before: str, grant: Grant) -> str:
    """The note after an edit.

    Raises:
        ToolError: what is to be replaced is not there, or there more than once.
    """
    given = grant.plain()
    text, old = given["text"], given.get("old")
    if not old:
        return f"{before.rstrip()}\n\n{text.strip()}\n"
    if before.count(old) != 1:
        where = "more than once" if old in before else "nowhere"
        raise ToolError(f"That piece is {where} in the note.", hint="Read the note, and give a piece of it exactly.")
    return before.replace(old, text)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _token(grant: Grant) -> str:
    """Names what a call keeps, the same whenever it is asked for."""
    return hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()[:16]
