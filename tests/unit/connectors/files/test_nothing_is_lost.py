"""Whatever is written, moved and put into the trash in whatever order: nothing that was there is gone."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.connectors.files.tree import Tree, parts_of
from isthmus.domain.errors import ToolError

paths = st.sampled_from(
    ["a.txt", "b.txt", "d/a.txt", "d/e/a.txt", "a.txt/b", "d", ".git/config", "../out", "d/../a.txt"]
)
steps = st.lists(st.tuples(st.sampled_from(["put", "new", "move", "trash"]), paths, paths), max_size=12)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_every_text_that_was_ever_written_is_still_there(taken: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        tree, written = Tree(root), set()
        for number, (step, path, other) in enumerate(taken):
            text, token = f"text {number}", f"{number:016x}"
            try:
                match step:
                    case "put":
                        tree.put(parts_of(path), text.encode(), token)
                        written.add(text)
                    case "new":
                        written |= {text} if tree.put_new(parts_of(path), text.encode(), token) else set()
                    case "move":
                        tree.move(parts_of(path), tree, parts_of(other))
                    case "trash":
                        tree.trash(parts_of(path), token)
            except ToolError:
                continue
        there = [file.read_text() for file in root.rglob("*") if file.is_file()]
        assert sorted(there) == sorted(written)
        assert sorted(Path(folder).iterdir()) == [root]
        assert not any(file.name.endswith(".part") for file in root.rglob("*"))
