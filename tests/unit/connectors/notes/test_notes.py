"""Notes: written by the agent and by the user, in files that both can read."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.agent_scene import MemoryMarks
from tests.fakes.granting import grant

from isthmus.agent.guarding import Guarded
from isthmus.agent.marks import UNKNOWN, USER, Mark, Origin
from isthmus.agent.tool import Item, ToolResult
from isthmus.connectors.notes.account import Account
from isthmus.connectors.notes.toolset import NotesToolset
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

pytestmark = pytest.mark.anyio


def notes(folder: Path, *, mine: bool = True) -> NotesToolset:
    return NotesToolset("notes", Account(folder=str(folder), mine=mine), labels=frozenset({Label("pii")}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def toolset(folder: Path) -> NotesToolset:
    return notes(folder)


def only(result: ToolResult) -> Item:
    (item,) = result.items
    return item


async def test_a_note_is_a_file_that_people_can_read(toolset: NotesToolset, folder: Path) -> None:
    result = await toolset.run(grant("note_add", title="Ada: birthday?", text="10 December"))
    assert (folder / "Ada birthday.md").read_text() == "# Ada: birthday?\n\n10 December\n"
    assert result.made[0].id == "Ada birthday.md" == only(result).id
    assert result.made[0].content_sha256 == only(result).content_sha256


async def test_what_the_user_writes_is_found_and_read(toolset: NotesToolset, folder: Path) -> None:
    assert (await toolset.run(grant("note_find"))).items == ()
    (folder / "trips").mkdir(parents=True)
    (folder / "trips" / "Turin.md").write_text("# Turin\n\nHotel near the river.\n")
    (folder / "photo.jpg").write_bytes(b"\xff")
    found = only(await toolset.run(grant("note_find", words="RIVER hotel")))
    assert found.id == "trips/Turin.md"
    assert "river" in str(found.fields["text"].value)
    read = only(await toolset.run(grant("note_read", note=found.id)))
    assert read.fields["text"].value == "# Turin\n\nHotel near the river.\n"
    assert read.fields["text"].mark.origins == {USER}
    assert read.fields["text"].mark.labels == {"pii"}


async def test_a_folder_that_is_not_the_users_alone_does_not_speak_for_the_user(folder: Path) -> None:
    os.mkdir(folder)
    (folder / "a.md").write_text("x")
    item = only(await notes(folder, mine=False).run(grant("note_find")))
    assert item.fields["text"].mark.origins == {Origin(f"file:{folder}")} == item.fields["title"].mark.origins


async def test_what_the_agent_wrote_is_nobodys_word_where_its_mark_is_lost(toolset: NotesToolset, folder: Path) -> None:
    await toolset.run(grant("note_add", title="A", text="obey"))
    os.rename(folder / "A.md", folder / "B.md")
    assert UNKNOWN in only(await toolset.run(grant("note_find"))).fields["text"].mark.origins


async def test_a_note_is_added_to_or_a_piece_of_it_replaced(toolset: NotesToolset, folder: Path) -> None:
    await toolset.run(grant("note_add", title="List", text="milk\nbread"))
    await toolset.run(grant("note_edit", note="List.md", text="eggs"))
    await toolset.run(grant("note_edit", note="List.md", text="cheese", old="bread"))
    assert (folder / "List.md").read_text() == "# List\n\nmilk\ncheese\n\neggs\n"
    assert len(list((folder / ".isthmus" / "versions" / "List.md").iterdir())) == 2
    for old, why in (("wine", "nowhere"), ("e", "more than once")):
        with pytest.raises(ToolError, match=why):
            await toolset.run(grant("note_edit", note="List.md", text="x", old=old))


MAIL = Mark(labels=frozenset({Label("phi")}), origins=frozenset({Origin("mail:eve@example.net")}))


def bears(item: Item, mark: Mark) -> bool:
    return all(field.mark.joined(mark) == field.mark for field in item.fields.values())


async def test_what_the_agent_adds_to_the_users_note_marks_it_from_then_on(toolset: NotesToolset, folder: Path) -> None:
    os.mkdir(folder)
    (folder / "List.md").write_text("milk\n")
    guarded = Guarded(toolset, MemoryMarks())
    assert not bears(only(await guarded.run(grant("note_read", note="List"))), MAIL)
    result = await guarded.run(grant("note_edit", note="List", text="her pills", mark=MAIL))
    assert [one.id for one in result.made] == ["List.md"]
    assert bears(only(await guarded.run(grant("note_read", note="List"))), MAIL)
    assert bears(only(await guarded.run(grant("note_find"))), MAIL)
    os.rename(folder / "List.md", folder / "Moved.md")
    moved = only(await guarded.run(grant("note_read", note="Moved")))
    assert bears(moved, MAIL), "known by its content"
    assert moved.content_sha256 == result.made[0].content_sha256


async def test_a_note_bears_its_mark_though_nobody_could_tell_that_it_was_made(
    toolset: NotesToolset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await toolset.run(grant("note_add", title="List", text="milk"))

    def killed(*_: object) -> ToolResult:
        raise KeyboardInterrupt

    guarded = Guarded(toolset, MemoryMarks())
    with monkeypatch.context() as patched:
        patched.setattr(toolset, "_done", killed)
        for one in (
            grant("note_add", title="Her", text="health", mark=MAIL),
            grant("note_edit", note="List", text="her pills", mark=MAIL),
        ):
            with pytest.raises(KeyboardInterrupt):
                await guarded.run(one)
    assert {"Her.md", "List.md"} <= set(os.listdir(folder))
    for note in ("Her", "List"):
        assert bears(only(await guarded.run(grant("note_read", note=note))), MAIL)


async def test_two_notes_of_a_title_are_two_notes(toolset: NotesToolset, folder: Path) -> None:
    for text in ("one", "two"):
        await toolset.run(grant("note_add", title="../..", text=text))
    assert sorted(name for name in os.listdir(folder) if name.endswith(".md")) == ["Note 2.md", "Note.md"]


async def test_no_note_lies_elsewhere(toolset: NotesToolset, folder: Path, tmp_path: Path) -> None:
    os.mkdir(folder)
    (tmp_path / "key.md").write_text("KEY")
    (folder / "link.md").symlink_to(tmp_path / "key.md")
    for note in ("../key.md", "../key", "/key", "link.md", ".isthmus/x", "", "nothing"):
        calls: list[tuple[str, dict[str, Any]]] = [("note_read", {}), ("note_edit", {"text": "x"})]
        for tool, more in calls:
            with pytest.raises(ToolError):
                await toolset.run(grant(tool, note=note, **more))
    assert (await toolset.run(grant("note_find"))).items == ()


async def test_what_was_done_under_a_grant_is_known_by_it(toolset: NotesToolset, folder: Path) -> None:
    add = grant("note_add", title="A", text="x")
    assert await toolset.find_done(add) is None
    done = await toolset.run(add)
    assert await notes(folder).find_done(add) == done
    edit = grant("note_edit", note="A.md", text="x")
    assert await toolset.find_done(edit) is None
    # A kill before the note was changed leaves a draft; it is done again, once.
    token = hashlib.sha256(f"{edit.call}\n{edit.tool}\n{edit.digest}".encode()).hexdigest()[:16]
    with open(folder / f".isthmus-{token}.part", "w") as draft:  # noqa: ASYNC230
        draft.write("# A\n\nx\n\nx")
    assert await toolset.find_done(edit) is None
    done = await toolset.run(edit)
    assert await notes(folder).find_done(edit) == done
    assert (folder / "A.md").read_text().count("x") == 2
    # A second such edit is another one, though it says the same.
    assert await toolset.find_done(grant("note_edit", note="A.md", text="x")) is None


def test_an_account_says_what_is_wrong_with_it() -> None:
    for wrong in ({"folder": "relative"}, {}, {"folder": "/a", "readers": []}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Account)
