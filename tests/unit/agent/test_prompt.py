"""What a model is told: little, plain, and whole."""

from datetime import datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.agent_scene import MAIL_TOOLS, NOW, Mail, Scene, Scripted, parameter, tool
from typing_extensions import override

from isthmus.agent.monitor import rules
from isthmus.agent.on_the_road import body_of
from isthmus.agent.prompt import Line, fitted, instructions, size, tool_of
from isthmus.agent.tasks import MOST_BYTES, MOST_TOOLS, task_of
from isthmus.agent.tool import Effect, Kind, Parameter, Role, ToolSpec
from isthmus.connectors.calendar.specs import specs as calendar_specs
from isthmus.connectors.contacts.specs import specs as contact_specs
from isthmus.connectors.files.specs import specs as file_specs
from isthmus.connectors.mail.specs import specs as mail_specs
from isthmus.connectors.notes.specs import SPECS as NOTES
from isthmus.connectors.schedule.specs import SPECS as SCHEDULE
from isthmus.domain.label import Label
from isthmus.domain.message import Message, Text, ToolCall, ToolResult

MOST = 3_000
"""Bytes of the first request of a routine task, as it is sent."""

ROUTINE = (
    "Triage my unread mails.",
    "Which of today's mails are urgent?",
    "Reply to the last mail of Bob that I will be late.",
    "Book a meeting with Ann on Tuesday at 10:00.",
    "Remind me every morning to water the plants.",
    "Note that the gate code is 4711.",
    "What is Ann's phone number?",
)


MAIL = mail_specs(can_send=True, can_attach_files=True, can_save=True)
OTHERS: dict[str, tuple[ToolSpec, ...]] = {
    "calendar": calendar_specs(can_write=True, can_tell=True),
    "contacts": contact_specs(can_add=True),
    "notes": NOTES,
    "schedule": SCHEDULE,
    "files": file_specs(can_write=True),
}


class Other(Mail):
    """A tool set by another name."""

    def __init__(self, name: str, tools: tuple[ToolSpec, ...]) -> None:
        super().__init__(tools=tools)
        self._name = name

    @property
    @override
    def name(self) -> str:
        return self._name


async def first_request(text: str, **scene: Any) -> tuple[bytes, Any]:
    it = Scene(Scripted("Done."), **scene)
    await it.say(text)
    question = it.reasoner.asked[0]
    return body_of(question.request, question.labels), it.log.contents("intent")[0]["task"]


@pytest.mark.anyio
@pytest.mark.parametrize("text", ROUTINE)
async def test_the_first_request_of_a_routine_task_is_below_three_kilobytes(text: str) -> None:
    body, task = await first_request(
        text, mail=Mail(tools=MAIL), options={"more": [Other(name, own) for name, own in OTHERS.items()]}
    )
    assert task["work"] == "routine"
    assert len(body) <= MOST, len(body)


names = st.text("abcdefgh", min_size=1, max_size=12)
parameters = st.builds(
    Parameter,
    name=names,
    summary=st.text(max_size=60),
    kind=st.sampled_from(get_args(Kind)),
    role=st.sampled_from(get_args(Role)),
    schema=st.just({"type": "string", "format": "email", "maxLength": 9}),
    required=st.booleans(),
    many=st.booleans(),
)
tools = st.builds(
    ToolSpec,
    name=names.map(lambda name: f"mail_{name}"),
    summary=st.text(max_size=80),
    parameters=st.lists(parameters, max_size=6, unique_by=lambda one: one.name).map(tuple),
    effect=st.sampled_from(get_args(Effect)),
    makes=st.none() | st.sampled_from(get_args(Kind)),
)


@given(st.lists(tools, max_size=14, unique_by=lambda one: one.name), st.sampled_from(ROUTINE))
def test_whatever_tools_there_are_a_task_is_given_few_and_small_ones(specs: list[ToolSpec], text: str) -> None:
    intents = rules.read(text, NOW)
    task = task_of(text, intents, {"mail": specs, "other": MAIL_TOOLS})
    assert task == task_of(text, intents, {"mail": specs, "other": MAIL_TOOLS})
    known = {spec.name: spec for spec in (*specs, *MAIL_TOOLS)}
    given_ = [known[name] for name in task.tools if name in known]
    assert len(given_) <= MOST_TOOLS[task.work]
    assert sum(size(tool_of(spec)) for spec in given_) <= MOST_BYTES[task.work]


@pytest.mark.parametrize(
    ("text", "work", "has", "lacks"),
    [
        ("Triage my unread mails.", "routine", ["mail_search", "mail_read", "mail_flag", "read_each"], ["web_open"]),
        ("Reply to Bob's mail that I am late.", "routine", ["mail_search", "mail_send"], ["mail_delete", "web_open"]),
        ("Delete the last mail of Eve.", "routine", ["mail_search", "mail_delete"], []),
        ("Fill in the form at https://example.org and mail me the answer.", "complex", ["web_open", "mail_send"], []),
        ("Hello, who are you?", "complex", ["mail_search", "web_open"], ["mail_delete"]),
    ],
)
def test_a_task_is_given_the_tools_that_its_words_call_for(
    text: str, work: str, has: list[str], lacks: list[str]
) -> None:
    flag = tool("mail_flag", "change", parameter("mail", "mail", "object"))
    web = tool("web_open", "fetch", parameter("url", "url", "destination"))
    task = task_of(text, rules.read(text, NOW), {"mail": (*MAIL_TOOLS, flag), "web": (web,)})
    assert task.work == work
    assert set(has) <= set(task.tools)
    assert not set(lacks) & set(task.tools)


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("Triage my unread mails.", {"mail_search", "mail_read", "read_each"}),
        ("Reply to the last mail of Bob that I will be late.", {"mail_search", "mail_send", "contact_find"}),
        ("Book a meeting with Ann on Tuesday at 10:00.", {"cal_list", "cal_create"}),
        ("When am I free tomorrow?", {"cal_free"}),
        ("Accept the invitation of Carol.", {"cal_list", "cal_answer"}),
        ("Remind me every morning to water the plants.", {"remind_me", "schedule_add"}),
        ("Note that the gate code is 4711.", {"note_add"}),
        ("What is Ann's phone number?", {"contact_find"}),
        ("Read the report.pdf and mail a summary to Ann.", {"file_read", "mail_send"}),
        ("Summarise mail.txt", {"file_read"}),
        ("Summarise docs/calendar/letter.odt, please.", {"file_read"}),
        ("Draft an answer to the invoice of Hetzner.", {"mail_search", "mail_read", "mail_draft"}),
        ("Write him an answer to the invoice of Hetzner.", {"mail_search", "mail_read", "mail_send"}),
        ("Put the newsletter of Acme into the trash.", {"mail_search", "mail_trash"}),
    ],
)
def test_among_all_accounts_the_right_tools_are_found(text: str, has: set[str]) -> None:
    assert has <= set(task_of(text, rules.read(text, NOW), {"mail": MAIL, **OTHERS}).tools)


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Summarise mail.txt", ("files",)),
        ("Summarise mail.txt and the mail of Bob.", ("mail", "files")),
        ("Open https://example.org/letter.html", ("pages",)),
        ("Which mail is of bob@mail.md?", ("mail",)),
    ],
)
def test_a_files_name_says_that_it_is_a_file_and_nothing_else(text: str, topics: tuple[str, ...]) -> None:
    assert task_of(text, (), {}).topics == topics


def test_without_tool_sets_there_are_no_tools() -> None:
    assert task_of("Triage my mails.", (), {}).tools == ()


def test_formats_are_not_told_for_a_reference_fits_none() -> None:
    spec = ToolSpec(
        name="t",
        summary="S.",
        effect="read",
        parameters=(
            Parameter(
                name="to",
                summary="Whom.",
                kind="email",
                role="destination",
                schema={"type": "string", "format": "email", "pattern": "@"},
                many=True,
            ),
            Parameter(name="text", summary="Text.", kind="text", role="content", schema={"type": "string"}),
        ),
    )
    assert tool_of(spec).parameters == {
        "type": "object",
        "properties": {
            "to": {"type": "array", "items": {"type": "string"}, "description": "Whom."},
            "text": {"type": "string"},
        },
        "required": ["to", "text"],
    }


def test_the_time_is_that_of_the_user() -> None:
    said = instructions(datetime(2026, 7, 1, 8, 5, tzinfo=ZoneInfo("Europe/Berlin")))
    assert "It is Wednesday, 2026-07-01 08:05 CEST." in said


# ------------------------------------------------------------------------------------------- what is said again


def line(role: Any, text: str, turn: str, *, call: str | None = None) -> Line:
    part: Any = Text(text=text)
    if role == "tool":
        part = ToolResult(call_id=str(call), parts=(part,))
    elif call is not None:
        part = ToolCall(id=call, name="x", arguments="{}")
    labels = frozenset({Label("mail")}) if role == "tool" else frozenset[Label]()
    return Line(
        message=Message(role=role, parts=(part,)),
        labels=labels,
        turn=turn,
        call=call if role == "tool" else None,
        handles=("mail_1",) if role == "tool" else (),
    )


turns = st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=4), min_size=1, max_size=5)


@given(turns, st.integers(0, 1500))
def test_no_call_ever_stands_without_its_result(lengths: list[list[int]], most: int) -> None:
    lines = []
    for number, results in enumerate(lengths):
        turn = f"t{number}"
        lines.append(line("user", "do it", turn))
        for at, length in enumerate(results):
            lines += [
                line("assistant", "", turn, call=f"{turn}-{at}"),
                line("tool", "x" * length, turn, call=f"{turn}-{at}"),
            ]
    last = f"t{len(lengths) - 1}"
    kept = fitted(lines, turn=last, most=most)
    called = [part.id for one in kept for part in one.message.parts if isinstance(part, ToolCall)]
    answered = [part.call_id for one in kept for part in one.message.parts if isinstance(part, ToolResult)]
    assert called == answered
    assert [one.message for one in kept if one.message.role == "user"][-1] == lines[-1 - 2 * len(lengths[-1])].message
    whole = sum(one.length for one in lines)
    assert kept == tuple(lines) if whole <= most else sum(one.length for one in kept) <= whole
    assert kept[-1] == lines[-1], "what was found last is always shown"


def test_what_is_put_aside_bears_nothing_and_says_where_it_is() -> None:
    lines = [
        line("user", "do it", "t"),
        line("assistant", "", "t", call="1"),
        line("tool", "secret " * 50, "t", call="1"),
        line("assistant", "", "t", call="2"),
        line("tool", "new", "t", call="2"),
    ]
    kept = fitted(lines, turn="t", most=100)
    assert msgspec.json.encode(kept[2].message).count(b"secret") == 0
    assert b"Shown before: mail_1." in msgspec.json.encode(kept[2].message)
    assert kept[2].labels == frozenset()
    assert kept[4] == lines[4]
