"""Nothing that the agent makes loses its mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.agent_scene import MAIL_TOOLS, Mail, MemoryMarks, mail, parameter, tool
from typing_extensions import override

from isthmus.agent.guarding import Guarded, sha256
from isthmus.agent.marks import EVERYONE, ISTHMUS, Mark, Origin
from isthmus.agent.tool import Argument, Field, Grant, Item, Made, ToolResult
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

pytestmark = pytest.mark.anyio

SECRET = Mark(labels=frozenset({Label("phi")}), origins=frozenset({Origin("mail:a@b.c")}))
PLAIN = Mark(readers=EVERYONE, origins=frozenset({ISTHMUS}))


def grant(tool: str, call: str = "c1", mark: Mark = SECRET, **arguments: object) -> Grant:
    return Grant(
        call=call,
        tool=tool,
        digest="d",
        mark=mark,
        arguments={name: Argument(value=value, mark=mark) for name, value in arguments.items()},
    )


def bears(item: Item, mark: Mark) -> bool:
    return all(field.mark.joined(mark) == field.mark for field in item.fields.values())


async def test_what_was_made_bears_its_mark_when_it_is_read_again() -> None:
    inner, marks = Mail(), MemoryMarks()
    await Guarded(inner, marks).run(grant("mail_draft", to=["x@y.z"], text="about her health"))
    found = await Guarded(inner, marks).run(grant("mail_search", mark=PLAIN))
    assert len(found.items) == 1
    assert bears(found.items[0], SECRET)


async def test_what_was_not_made_here_bears_what_it_bore() -> None:
    item = mail("<1@x>", "a@b.c", "hi")
    guarded = Guarded(Mail({item.id: item}), MemoryMarks())
    assert (await guarded.run(grant("mail_search"))).items == (item,)


async def test_what_is_found_done_after_a_crash_bears_its_mark_too() -> None:
    inner, marks = Mail(), MemoryMarks()
    asked = grant("mail_send", to=["x@y.z"], text="t")
    await inner.run(asked)
    assert await Guarded(inner, marks).find_done(asked) is not None
    assert marks.recall("mail", Made("mail", "<c1>")) == SECRET


async def test_a_tool_set_that_does_not_tell_what_it_made_taints_all_of_its_kind() -> None:
    class Silent(Mail):
        @override
        async def run(self, grant: Grant) -> ToolResult:
            return ToolResult(items=(await super().run(grant)).items, note="Done.")

    inner, marks = Silent(), MemoryMarks()
    guarded = Guarded(inner, marks)
    await guarded.run(grant("mail_draft", to=["x@y.z"], text="t"))
    (item,) = (await guarded.run(grant("mail_search", mark=PLAIN))).items
    assert bears(item, SECRET)


FILES = (
    tool("file_write", "keep", parameter("path", "file", "object"), parameter("text", "text", "content"), makes="file"),
    tool("file_read", "read", parameter("path", "file", "object")),
)


class Files(Mail):
    """Writes, and dies before it can tell."""

    @override
    async def run(self, grant: Grant) -> ToolResult:
        plain = grant.plain()
        if grant.tool == "file_write":
            self.mails[plain["path"]] = self.file(plain["path"], plain["text"])
            raise KeyboardInterrupt
        return ToolResult(items=(self.mails[plain["path"]],))

    @staticmethod
    def file(path: str, text: str) -> Item:
        return Item(kind="file", id=path, fields={"text": Field(value=text, kind="text", mark=PLAIN)})


@pytest.mark.parametrize("path", ["/a", "/moved"])
async def test_what_is_about_to_be_made_is_remembered_before_it_is(path: str) -> None:
    inner, marks = Files(tools=FILES), MemoryMarks()
    with pytest.raises(KeyboardInterrupt):
        await Guarded(inner, marks).run(grant("file_write", path="/a", text="her health"))
    inner.mails[path] = inner.mails.pop("/a")
    (item,) = (await Guarded(inner, marks).run(grant("file_read", mark=PLAIN, path=path))).items
    assert bears(item, SECRET)


async def test_a_thing_is_known_by_the_hash_that_its_tool_set_tells() -> None:
    marks = MemoryMarks()
    marks.keep("other", Made("mail", "9", sha256("x")), SECRET)
    item = Item(kind="mail", id="1", fields=mail("1", "a", "b").fields, content_sha256=sha256("x"))
    (found,) = (await Guarded(Mail({"1": item}), marks).run(grant("mail_search"))).items
    assert bears(found, SECRET)


async def test_what_lies_within_a_thing_is_looked_at_as_well() -> None:
    marks = MemoryMarks()
    marks.keep("mail", Made("attachment", "a"), SECRET)
    within = Item(kind="attachment", id="a", fields={"name": Field(value="x", kind="text", mark=PLAIN)})
    outer = Item(kind="mail", id="1", fields={"subject": Field(value="x", kind="text", mark=PLAIN)}, items=(within,))
    (found,) = (await Guarded(Mail({"1": outer}), marks).run(grant("mail_search"))).items
    assert bears(found.items[0], SECRET)
    assert not bears(found, SECRET)


async def test_what_failed_made_nothing() -> None:
    class Failing(Mail):
        @override
        async def run(self, grant: Grant) -> ToolResult:
            raise ToolError("no")

    marks = MemoryMarks()
    with pytest.raises(ToolError):
        await Guarded(Failing(), marks).run(grant("mail_draft", to=["a@b.c"], text="x"))
    assert marks.known == {}


labels = st.frozensets(st.sampled_from([Label("a"), Label("b"), Label("c")]))


@given(st.lists(labels, max_size=4))
def test_a_mark_that_was_kept_is_never_loosened(kept: list[frozenset[Label]]) -> None:
    marks = MemoryMarks()
    for one in kept:
        marks.keep("x", Made("mail", "1"), Mark(labels=one))
        found = marks.recall("x", Made("mail", "1"))
        assert found is not None
        assert one <= found.labels


def test_the_names_of_the_sample_are_those_of_its_set() -> None:
    assert {spec.name for spec in MAIL_TOOLS} == {spec.name for spec in Guarded(Mail(), MemoryMarks()).specs}
