import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.unit.connectors.documents.samples import docx, pdf, word

from isthmus.connectors.documents import child
from isthmus.connectors.documents.folders import Skipped, documents_under
from isthmus.connectors.documents.reading import DocumentReader
from isthmus.connectors.documents.refusal import Refused
from isthmus.domain.errors import InvalidRequest


def test_documents_are_read_one_after_the_other_whatever_is_in_between(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(["Maria Gonzalez"]))
    (tmp_path / "b.docx").write_bytes(docx({"word/document.xml": word("Łódź")}))
    (tmp_path / "c\nd “x”").write_text("text\n")
    (tmp_path / "bad").write_bytes(b"\0\0")
    with DocumentReader() as reader:
        assert "Maria Gonzalez" in reader.texts(tmp_path / "a.pdf")[0]
        with pytest.raises(Refused, match="none of text"):
            reader.texts(tmp_path / "bad")
        assert reader.texts(tmp_path / "b.docx") == ["Łódź\n"]
        with pytest.raises(Refused, match=r"cannot be read \(No such file"):
            reader.texts(tmp_path / "nothing")
        assert reader.texts(tmp_path / "c\nd “x”") == ["text\n"]


def test_a_document_that_takes_too_long_is_refused_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good").write_text("text")
    with DocumentReader(seconds=20) as reader:
        assert reader.texts(tmp_path / "good") == ["text"]
        stuck = reader._child
        assert stuck is not None
        os.kill(stuck.pid, signal.SIGSTOP)
        monkeypatch.setattr(reader, "_seconds", 0.2)
        with pytest.raises(Refused, match=r"takes longer than 0.2 s"):
            reader.texts(tmp_path / "good")
        assert stuck.returncode is not None
        monkeypatch.setattr(reader, "_seconds", 20)
        assert reader.texts(tmp_path / "good") == ["text"]


def test_a_document_that_kills_its_reader_is_refused_and_the_next_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("text")
    with DocumentReader() as reader:
        reader.texts(tmp_path / "good")
        assert reader._child is not None
        os.kill(reader._child.pid, signal.SIGSTOP)
        dying = threading.Timer(0.3, os.kill, (reader._child.pid, signal.SIGKILL))
        dying.start()
        with pytest.raises(Refused, match="was ended by it"):
            reader.texts(tmp_path / "good")
        dying.join()
        assert reader.texts(tmp_path / "good") == ["text"]
        os.kill(reader._child.pid, signal.SIGKILL)
        reader._child.wait()
        assert reader.texts(tmp_path / "good") == ["text"]


def test_memory_is_bounded(tmp_path: Path) -> None:
    code = (
        "import resource; from isthmus.connectors.documents import child\n"
        "child.texts_of = lambda _: [bytes(3 * 1024**3)]\n"
        "resource.setrlimit(resource.RLIMIT_AS, (child.MEMORY_BYTES, child.MEMORY_BYTES))\n"
        "print(child.answer(__import__('sys').argv[1]).refused)"
    )
    (tmp_path / "a").write_text("x")
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, check=True)
    assert told.stdout == b"it needs more than 2 GB of memory\n"


@pytest.mark.timeout(10)
def test_a_pipe_or_a_folder_is_no_document(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(Refused):
            child.read(str(path))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(10 * 1024**4)
    with pytest.raises(Refused, match="larger than 256 MB"):
        child.read(str(tmp_path / "huge"))


def test_what_is_nested_too_deeply_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(_: bytes) -> list[str]:
        raise RecursionError

    (tmp_path / "deep").write_text("x")
    monkeypatch.setattr(child, "texts_of", deep)
    assert child.answer(str(tmp_path / "deep")).refused == "it is nested too deeply"


def test_a_folder_is_gone_through_and_what_is_skipped_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/2.txt", "b/1.txt", "a.md", ".hidden"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    found = list(documents_under(tmp_path))
    assert [one for one in found if isinstance(one, Path)] == [
        tmp_path / "a.md",
        tmp_path / "b" / "1.txt",
        tmp_path / "b" / "c" / "2.txt",
    ]
    assert {(one.path.name, one.reason) for one in found if isinstance(one, Skipped)} == {
        (".hidden", "its name begins with a dot"),
        ("link", "it is a link"),
        ("pipe", "it is no file"),
    }


def test_what_is_named_must_be_there_and_be_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    assert list(documents_under(tmp_path / ".hidden")) == [tmp_path / ".hidden"]
    for name in ("nothing", "pipe"):
        with pytest.raises(InvalidRequest):
            list(documents_under(tmp_path / name))
