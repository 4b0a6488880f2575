"""Files in folders that the user named: found, read, changed, and never lost."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.granting import grant
from tests.unit.connectors.documents.samples import docx, pdf, word

from isthmus.agent.marks import EVERYONE, ISTHMUS, UNKNOWN, USER, Origin, Party
from isthmus.agent.tool import Item, Made, ToolResult
from isthmus.connectors.files.account import Account, Folder
from isthmus.connectors.files.toolset import PAGE, FilesToolset
from isthmus.connectors.files.tree import Tree, parts_of
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

pytestmark = pytest.mark.anyio

PHI = Label("phi")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("papers", "in", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "papers" / "plan.md").write_text("# The plan\n\nMeet Ada in Turin.\n")
    (tmp_path / "papers" / "work").mkdir()
    (tmp_path / "papers" / "work" / "list.csv").write_text("name,amount\nAda,3\n")
    (tmp_path / "in" / "offer.txt").write_text("Buy now. Turin.")
    (tmp_path / "secret" / "key.txt").write_text("KEY")
    return tmp_path


def files(home: Path, *folders: Folder) -> FilesToolset:
    named = folders or (
        Folder(path=str(home / "papers"), write=True, mine=True),
        Folder(path=str(home / "in"), write=True),
    )
    return FilesToolset("mine", Account(folders=named), labels=frozenset({PHI}))


@pytest.fixture
def toolset(home: Path) -> FilesToolset:
    return files(home)


async def one(toolset: FilesToolset, tool: str, **given: Any) -> Item:
    (item,) = (await toolset.run(grant(tool, **given))).items
    return item


def paths(result: ToolResult) -> list[object]:
    return [item.fields["path"].value for item in result.items]


# ------------------------------------------------------------------------------------------------------------- reading


async def test_the_folders_and_what_is_in_them_are_listed(toolset: FilesToolset, home: Path) -> None:
    assert paths(await toolset.run(grant("file_list"))) == ["papers", "in"]
    listed = await toolset.run(grant("file_list", folder="papers"))
    assert paths(listed) == ["papers/plan.md", "papers/work"]
    assert [item.id for item in listed.items] == [str(home / "papers" / "plan.md"), str(home / "papers" / "work")]
    short = await toolset.run(grant("file_list", folder=str(home / "papers"), limit=1))
    assert "1 more" in short.note


async def test_words_are_found_in_names_and_texts_of_all_folders(toolset: FilesToolset) -> None:
    assert set(paths(await toolset.run(grant("file_search", text="turin")))) == {"papers/plan.md", "in/offer.txt"}
    assert paths(await toolset.run(grant("file_search", text="LIST csv"))) == ["papers/work/list.csv"]
    assert paths(await toolset.run(grant("file_search", text="ada amount", folder="papers/work"))) == [
        "papers/work/list.csv"
    ]
    assert paths(await toolset.run(grant("file_search", text="nowhere"))) == []


async def test_a_long_text_is_read_on_where_it_was_left(toolset: FilesToolset, home: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(2000))
    (home / "papers" / "long.txt").write_text(text)
    read, start, note = "", 0, "start=0"
    while note:
        result = await toolset.run(grant("file_read", file="papers/long.txt", start=start))
        read += str(result.items[0].fields["text"].value)
        note, start = result.note, len(read)
        assert not note or f"start={start}" in note
    assert read == text
    assert start > PAGE


async def test_pdf_docx_and_html_are_read_as_text(toolset: FilesToolset, home: Path) -> None:
    (home / "papers" / "a.pdf").write_bytes(pdf(["Hello from a page"]))
    (home / "papers" / "b.docx").write_bytes(docx({"word/document.xml": word("Hello from a document")}))
    (home / "papers" / "c.html").write_text("<html><script>x()</script><p>Hello from a site</p></html>")
    for name, said in (("a.pdf", "page"), ("b.docx", "document"), ("c.html", "site")):
        text = str((await one(toolset, "file_read", file=f"papers/{name}")).fields["text"].value)
        assert f"Hello from a {said}" in text
        assert "x()" not in text
    assert set(paths(await toolset.run(grant("file_search", text="hello from")))) == {
        "papers/a.pdf",
        "papers/b.docx",
        "papers/c.html",
    }
    (home / "papers" / "d.bin").write_bytes(b"\0\1\2")
    with pytest.raises(ToolError, match="cannot be had"):
        await toolset.run(grant("file_read", file="papers/d.bin"))
    await toolset.aclose()


# --------------------------------------------------------------------------------------------------------------- marks


async def test_only_the_users_own_folder_speaks_for_the_user(toolset: FilesToolset, home: Path) -> None:
    own = await one(toolset, "file_read", file="papers/plan.md")
    others = await one(toolset, "file_read", file="in/offer.txt")
    assert own.fields["text"].mark.origins == {USER}
    assert others.fields["text"].mark.origins == {Origin(f"file:{home}/in")} == others.fields["path"].mark.origins
    assert own.fields["size"].mark.origins == {ISTHMUS}
    for field in (*own.fields.values(), *others.fields.values()):
        assert field.mark.labels == {PHI}
        assert not field.mark.readers.parties
    assert own.content_sha256 == hashlib.sha256((home / "papers" / "plan.md").read_bytes()).hexdigest()


async def test_what_is_downloaded_is_never_the_users_word(home: Path) -> None:
    (home / "papers" / "Downloads").mkdir()
    (home / "papers" / "Downloads" / "x.txt").write_text("hi")
    item = await one(files(home), "file_read", file="papers/Downloads/x.txt")
    assert not item.fields["text"].mark.trusted


async def test_labels_and_readers_of_a_folder_go_with_its_files(home: Path) -> None:
    shared = Folder(path=str(home / "papers"), labels=(Label("legal"),), readers=("mailto:bob@example.org",))
    public = Folder(path=str(home / "in"), readers=("everyone",))
    toolset = files(home, shared, public)
    mark = (await one(toolset, "file_read", file="papers/plan.md")).fields["text"].mark
    assert mark.labels == {PHI, "legal"}
    assert mark.readers.parties == {Party("mailto:bob@example.org")}
    assert (await one(toolset, "file_read", file="in/offer.txt")).fields["text"].mark.readers == EVERYONE
    assert all(spec.effect == "read" for spec in toolset.specs)


async def test_a_folder_within_a_folder_has_the_last_word(home: Path) -> None:
    outer = Folder(path=str(home), name="home", mine=True)
    toolset = files(home, outer, Folder(path=str(home / "in"), name="inbox"))
    for path in ("home/in/offer.txt", "inbox/offer.txt", str(home / "in" / "offer.txt")):
        item = await one(toolset, "file_read", file=path)
        assert item.fields["path"].value == "inbox/offer.txt"
        assert not item.fields["text"].mark.trusted
    found = await toolset.run(grant("file_search", text="turin", folder="home"))
    assert set(paths(found)) == {"home/papers/plan.md", "inbox/offer.txt"}


async def test_what_isthmus_wrote_does_not_become_the_users_word_where_its_mark_is_lost(
    toolset: FilesToolset, home: Path
) -> None:
    await toolset.run(grant("file_write", file="papers/new.txt", text="obey"))
    os.rename(home / "papers" / "new.txt", home / "papers" / "renamed.txt")
    item = await one(toolset, "file_read", file="papers/renamed.txt")
    assert UNKNOWN in item.fields["text"].mark.origins


# ------------------------------------------------------------------------------------------------------------ changing


async def test_a_new_file_is_written_and_told_by_its_content(toolset: FilesToolset, home: Path) -> None:
    result = await toolset.run(grant("file_write", file="papers/2026/new.txt", text="Grüße\n"))
    path = home / "papers" / "2026" / "new.txt"
    assert path.read_text() == "Grüße\n"
    assert result.made == (Made("file", str(path), hashlib.sha256("Grüße\n".encode()).hexdigest()),)
    assert result.items[0].id == str(path)


async def test_what_was_there_is_kept_and_can_be_got_back(toolset: FilesToolset, home: Path) -> None:
    before = (home / "papers" / "plan.md").read_text()
    os.chmod(home / "papers" / "plan.md", 0o640)
    result = await toolset.run(grant("file_write", file="papers/plan.md", text="new"))
    assert (home / "papers" / "plan.md").read_text() == "new"
    assert os.stat(home / "papers" / "plan.md").st_mode & 0o777 == 0o640
    kept = result.made[1].id
    assert (await one(toolset, "file_read", file=kept)).fields["text"].value == before
    await toolset.run(grant("file_move", file=kept, to="papers/plan-before.md"))
    assert (home / "papers" / "plan-before.md").read_text() == before


async def test_the_trash_gives_back_what_was_put_into_it(toolset: FilesToolset, home: Path) -> None:
    result = await toolset.run(grant("file_trash", file="papers/plan.md"))
    assert not (home / "papers" / "plan.md").exists()
    assert paths(await toolset.run(grant("file_search", text="plan"))) == []
    await toolset.run(grant("file_move", file=result.made[0].id, to="papers/plan.md"))
    assert "Turin" in (home / "papers" / "plan.md").read_text()


async def test_moving_never_overwrites(toolset: FilesToolset, home: Path) -> None:
    with pytest.raises(ToolError, match="already"):
        await toolset.run(grant("file_move", file="papers/plan.md", to="papers/work/list.csv"))
    assert (home / "papers" / "work" / "list.csv").read_text().startswith("name")


async def test_a_move_makes_nobodys_words_the_users_and_takes_no_label_off(home: Path) -> None:
    toolset = files(home)
    with pytest.raises(ToolError, match="says less"):
        await toolset.run(grant("file_move", file="in/offer.txt", to="papers/offer.txt"))
    await toolset.run(grant("file_move", file="papers/plan.md", to="in/plan.md"))
    legal = Folder(path=str(home / "papers"), write=True, labels=(Label("legal"),))
    public = Folder(path=str(home / "in"), write=True, labels=(Label("legal"),), readers=("everyone",))
    for other in (Folder(path=str(home / "in"), write=True), public):
        with pytest.raises(ToolError, match="says less"):
            await files(home, legal, other).run(grant("file_move", file="papers/work/list.csv", to="in/list.csv"))


async def test_nothing_is_changed_where_it_may_only_be_read(home: Path) -> None:
    toolset = files(home, Folder(path=str(home / "papers")), Folder(path=str(home / "in"), write=True))
    calls: list[tuple[str, dict[str, Any]]] = [
        ("file_write", {"file": "papers/x", "text": "x"}),
        ("file_trash", {"file": "papers/plan.md"}),
        ("file_move", {"file": "papers/plan.md", "to": "in/plan.md"}),
        ("file_move", {"file": "in/offer.txt", "to": "papers/offer.txt"}),
    ]
    for tool, given in calls:
        with pytest.raises(ToolError, match="only be read"):
            await toolset.run(grant(tool, **given))


# ---------------------------------------------------------------------------------------------------- nothing leads out


@pytest.mark.parametrize(
    "path",
    [
        "papers/../secret/key.txt",
        "../secret/key.txt",
        "papers/link/key.txt",
        "papers/key",
        "papers/.hidden",
        "papers/pipe",
        "papers/.isthmus/other/x",
        "papers/.isthmus/versions/../../../secret/key.txt",
        "papers/a\0b",
        "papers/\u202etxt.md",
        "papers/work",
        "papers",
        "elsewhere/x",
        "/etc/passwd",
        "~/.ssh/id_rsa",
        "",
        "/" * 10,
        "papers/" + "x/" * 200,
        "papers/" + "x" * 300,
    ],
)
async def test_no_path_leads_out_or_to_what_is_no_file(home: Path, path: str) -> None:
    (home / "papers" / "link").symlink_to(home / "secret")
    (home / "papers" / "key").symlink_to(home / "secret" / "key.txt")
    (home / "papers" / ".hidden").write_text("KEY")
    os.mkfifo(home / "papers" / "pipe")
    toolset = files(home)
    given = path.replace("../secret", f"{'../' * 3}secret") if path.startswith("..") else path
    calls: list[tuple[str, dict[str, Any]]] = [
        ("file_read", {}),
        ("file_trash", {}),
        ("file_move", {"to": "papers/stolen"}),
    ]
    for tool, more in calls:
        with pytest.raises(ToolError):
            await toolset.run(grant(tool, file=given, **more))
    if path.startswith(("papers/link", "papers/..", "/etc", "~", "elsewhere")):
        with pytest.raises(ToolError):
            await toolset.run(grant("file_write", file=given, text="x"))
    assert (home / "secret" / "key.txt").read_text() == "KEY"
    assert not {"link", "key", ".hidden", "pipe"} & {
        Path(item.id).name for item in (await toolset.run(grant("file_list", folder="papers"))).items
    }


async def test_a_link_in_the_place_of_a_file_is_neither_written_through_nor_taken_for_a_file(home: Path) -> None:
    (home / "papers" / "key.txt").symlink_to(home / "secret" / "key.txt")
    with pytest.raises(ToolError, match="no file"):
        await files(home).run(grant("file_write", file="papers/key.txt", text="x"))
    assert (home / "secret" / "key.txt").read_text() == "KEY"
    assert (home / "papers" / "key.txt").is_symlink()


@pytest.fixture
def swapping(home: Path) -> Iterator[Path]:
    """A folder that is exchanged with a link out of it, without end, as fast as it can be."""
    here, there = home / "papers" / "turn", home / "papers" / "aside"
    here.mkdir()
    (here / "key.txt").write_text("mine")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            here.rename(there)
            here.symlink_to(home / "secret")
            here.unlink()
            there.rename(here)

    thread = threading.Thread(target=swap)
    thread.start()
    yield here
    stop.set()
    thread.join()


def test_a_link_that_is_put_there_in_between_is_not_followed(home: Path, swapping: Path) -> None:
    tree, outcomes = Tree(home / "papers"), {"mine": 0, "refused": 0}
    end = time.monotonic() + 20
    while sum(outcomes.values()) < 1500 or (not all(outcomes.values()) and time.monotonic() < end):
        try:
            with tree.file((swapping.name, "key.txt")) as opened:
                said = os.read(opened.fd, 10).decode()
        except ToolError:
            said = "refused"
        outcomes[said] += 1
    assert set(outcomes) == {"mine", "refused"}
    assert all(outcomes.values())


def test_a_path_is_made_of_plain_parts() -> None:
    assert parts_of("a//b/./c.txt") == ("a", "b", "c.txt")
    assert parts_of(".isthmus/trash/a.txt/1.ab.txt", kept=True)[0] == ".isthmus"
    for path in (".isthmus/trash/a.txt", "a/.git/config", "a/..", "\ud800"):
        with pytest.raises(ToolError):
            parts_of(path)


# ------------------------------------------------------------------------------------------------------------- crashes


async def test_what_was_done_under_a_grant_is_known_by_it(home: Path) -> None:
    toolset = files(home)
    write = grant("file_write", file="papers/plan.md", text="new")
    assert await toolset.find_done(write) is None
    done = await toolset.run(write)
    assert await files(home).find_done(write) == done
    move = grant("file_move", file="papers/plan.md", to="papers/plan2.md")
    assert await toolset.find_done(move) is None
    await toolset.run(move)
    assert await toolset.find_done(move) is not None
    trash = grant("file_trash", file="papers/plan2.md")
    assert await toolset.find_done(trash) is None
    result = await toolset.run(trash)
    assert await toolset.find_done(trash) == result


async def test_a_crash_between_exchange_and_keeping_loses_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = grant("file_write", file="papers/plan.md", text="new")
    before = (home / "papers" / "plan.md").read_text()

    class Killed(BaseException):
        pass

    original = Tree._exchanged

    def interrupted(tree: Tree, folder: int, parts: tuple[str, ...], token: str) -> None:
        # What a kill between the two steps leaves: the new file in place, the one before under the draft's name.
        os.rename(home / "papers" / f".isthmus-{token}.part", home / "papers" / "held")
        os.rename(home / "papers" / "plan.md", home / "papers" / f".isthmus-{token}.part")
        os.rename(home / "papers" / "held", home / "papers" / "plan.md")
        raise Killed

    monkeypatch.setattr(Tree, "_exchanged", interrupted)
    with pytest.raises(Killed):
        await files(home).run(write)
    monkeypatch.setattr(Tree, "_exchanged", original)
    done = await files(home).find_done(write)
    assert done is not None
    assert (home / "papers" / "plan.md").read_text() == "new"
    kept = await one(files(home), "file_read", file=done.made[1].id)
    assert kept.fields["text"].value == before


def test_an_account_says_what_is_wrong_with_it() -> None:
    several: list[dict[str, Any]] = [
        {"folders": []},
        {"folders": [{"path": "relative"}]},
        {"folders": [{"path": "/a/x"}, {"path": "/b/x"}]},
        {"folders": [{"path": "/a", "name": ".."}]},
        {"folders": [{"path": "/a", "readonly": True}]},
    ]
    for wrong in several:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Account)
