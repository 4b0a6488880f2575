from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.dialects.gather import gather
from isthmus.domain.finding import Finding
from isthmus.domain.message import (
    Choice,
    Completion,
    Event,
    Finished,
    Image,
    Part,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.domain.usage import Usage
from isthmus.perimeter.pseudonyms import Pseudonyms, Style
from isthmus.perimeter.restore import StreamRestorer, TextRestorer, restore_completion, restored_and_mangled

KEY = b"a key of tests"
VALUES = (("person", "Ana Ruiz"), ("person", "ANA RUIZ"), ("email", 'a"\\\n😀@b.c'), ("mac", "\u2028"), ("x_1", "⟩\t⟨"))


def pseudonyms(style: Style = "placeholder") -> Pseudonyms:
    by = Pseudonyms(KEY, tenant="acme", conversation="c1", style=style)
    for kind, value in VALUES:
        by.stand_in(kind, value)
    return by


BY: dict[Style, Pseudonyms] = {"placeholder": pseudonyms("placeholder"), "surrogate": pseudonyms("surrogate")}
STAND_INS = {style: tuple(by.originals) for style, by in BY.items()}
PERSON = STAND_INS["placeholder"][0]
CODE = PERSON.removeprefix("⟨PERSON_").removesuffix("⟩")

styles: st.SearchStrategy[Style] = st.sampled_from(("placeholder", "surrogate"))


def chunks_of(text: str, cuts: Iterable[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def put_back(text: str, by: Pseudonyms) -> str:
    """What restoring means, said in the plainest way: leftmost, then longest."""
    out, at = "", 0
    longest_first = sorted(by.originals, key=len, reverse=True)
    while at < len(text):
        here = next((each for each in longest_first if text.startswith(each, at)), None)
        out += text[at] if here is None else by.originals[here]
        at += 1 if here is None else len(here)
    return out


@st.composite
def answers(draw: st.DrawFn, style: Style) -> str:
    """Texts of stand-ins, of pieces of stand-ins and of other things."""
    whole = st.sampled_from(STAND_INS[style])
    piece = st.tuples(whole, st.integers(0, 30), st.integers(0, 30)).map(lambda each: each[0][each[1] : each[2]])
    return "".join(draw(st.lists(whole | piece | st.sampled_from(("⟨", "😀", " ", "\\", '"', "x\n")), max_size=8)))


cuts = st.lists(st.integers(0, 200), max_size=12)


# ------------------------------------------------------------------------------------------------ texts


@given(st.data(), styles, cuts)
def test_a_text_is_restored_the_same_however_it_is_cut(data: st.DataObject, style: Style, cuts: list[int]) -> None:
    text = data.draw(answers(style))
    restorer = TextRestorer(BY[style])
    assert "".join(map(restorer.feed, chunks_of(text, cuts))) + restorer.close() == put_back(text, BY[style])


@given(st.data(), styles)
def test_no_more_is_held_back_than_a_stand_in_may_be(data: st.DataObject, style: Style) -> None:
    text = data.draw(answers(style))
    longest = max(map(len, STAND_INS[style]))
    restorer, came = TextRestorer(BY[style]), ""
    for number, character in enumerate(text, 1):
        came += restorer.feed(character)
        assert any(came == put_back(text[: number - held], BY[style]) for held in range(min(longest, number + 1)))


def test_what_begins_like_a_stand_in_waits_and_goes_out_when_it_is_none() -> None:
    restorer = TextRestorer(BY["placeholder"])
    assert restorer.feed(f"Dear {PERSON[:6]}") == "Dear "
    assert restorer.feed(PERSON[6:-1]) == ""
    assert restorer.feed("⟩!") == "Ana Ruiz!"
    assert restorer.feed("⟨PERS") == ""
    assert restorer.feed("ON?") == "⟨PERSON?"
    assert restorer.feed("⟨") == ""
    assert restorer.close() == "⟨"


# ------------------------------------------------------------------------------------------------ JSON texts


@st.composite
def json_texts(draw: st.DrawFn, style: Style) -> tuple[str, str]:
    """A JSON text as a model may write it, each character plain or escaped, and the string it means."""
    said = draw(answers(style))
    written = ""
    for character in said:
        units = character.encode("utf-16-be")
        escaped = "".join(rf"\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
        ways = [json.dumps(character)[1:-1], escaped, escaped.upper().replace(r"\U", r"\u")]
        if character not in '"\\\n\t':
            ways.append(character)
        written += draw(st.sampled_from(ways))
    return f'{{"a": ["{written}"]}}', said


@given(st.data(), styles, cuts)
def test_a_stand_in_in_escapes_is_restored_and_the_text_stays_json(
    data: st.DataObject, style: Style, cuts: list[int]
) -> None:
    written, said = data.draw(json_texts(style))
    restorer = TextRestorer(BY[style], json=True)
    came = "".join(map(restorer.feed, chunks_of(written, cuts))) + restorer.close()
    assert json.loads(came) == {"a": [put_back(said, BY[style])]}
    if said == put_back(said, BY[style]):
        assert came == written


@given(st.text(alphabet='\\u27e8du"n⟨PERSON_', max_size=40), cuts)
@example("\\", [])
@example("\\u27e", [])
@example("\\\\u27e8", [1, 2])
def test_what_is_no_json_passes_as_it_is(text: str, cuts: list[int]) -> None:
    restorer = TextRestorer(BY["placeholder"], json=True)
    assert "".join(map(restorer.feed, chunks_of(text, cuts))) + restorer.close() == text


def test_an_escaped_backslash_before_u_is_no_escape() -> None:
    written = json.dumps("\\" + PERSON).replace("⟨", "").replace("\\u27e8", "u27e8")
    restorer = TextRestorer(BY["placeholder"], json=True)
    assert restorer.feed(written) + restorer.close() == written


# ------------------------------------------------------------------------------------------------ mangled


@pytest.mark.parametrize(
    "mangled",
    [
        f"⟨PERSON {CODE}⟩",
        f"<PERSON_{CODE}>",
        f"⟨person_{CODE}⟩",
        f"[PERSON-{CODE}]",
        f"PERSON_{CODE}",
        f"**Person {CODE}**",
        f"⟨PERSONNE_{CODE}⟩",
        f"⟨人_{CODE}⟩",
        f"\\u27e8PERSON_{CODE}\\u27e9",
        f"&lt;PERSON_{CODE}&gt;",
        f"⟨ PERSON_{CODE} ⟩",
        f"⟨PERSON_{CODE}z⟩",
        f"⟨PERSON_{CODE}",
        "⟨PERSON_12345⟩",
        f"⟨X1_{CODE}⟩",
    ],
)
@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_a_mangled_placeholder_is_counted_and_left_as_it_is(mangled: str, size: int) -> None:
    text = f"{'word ' * 1500}Dear {mangled} and {PERSON}, 1234."
    restorer = TextRestorer(BY["placeholder"])
    came = "".join(restorer.feed(text[at : at + size]) for at in range(0, len(text), size)) + restorer.close()
    assert came == text.replace(PERSON, "Ana Ruiz")
    assert restorer.mangled == 1


@given(st.integers(0, 6000), st.integers(0, 6000), st.integers(1, 3000))
@example(4096 - 12 - 16 - 8, 0, 1)
@example(4096 - 12 - 16 - 13, 0, 1)
def test_mangled_placeholders_are_counted_once_wherever_they_stand(before: int, between: int, size: int) -> None:
    text = "." * before + f"<PERSON_{CODE}>" + "." * between + f"⟨person {CODE}⟩"
    restorer = TextRestorer(BY["placeholder"])
    for at in range(0, len(text), size):
        restorer.feed(text[at : at + size])
    restorer.close()
    assert restorer.mangled == 2


def test_what_a_user_wrote_like_a_placeholder_is_not_counted() -> None:
    by = Pseudonyms(KEY, tenant="acme", conversation="c1", texts=["What is ⟨PERSON_1234⟩?"])
    by.stand_in("person", "Ana Ruiz")
    restorer = TextRestorer(by)
    restorer.feed("⟨PERSON_1234⟩ is a person.")
    restorer.close()
    assert restorer.mangled == 0


def test_in_json_a_stand_in_in_escapes_is_not_counted_and_a_doubly_escaped_one_is() -> None:
    once, twice = json.dumps(PERSON), json.dumps(json.dumps(PERSON))
    restorer = TextRestorer(BY["placeholder"], json=True)
    assert restorer.feed(f"[{once}, {twice}]") + restorer.close() == f'["Ana Ruiz", {twice}]'
    assert restorer.mangled == 1


# ------------------------------------------------------------------------------------------------ answers


def completion(*parts: Part, stop: str | None = None) -> Completion:
    return Completion(id="1", model="m", choices=(Choice(parts=parts, finish="stop", stop_sequence=stop),))


def test_every_part_that_a_model_writes_is_restored() -> None:
    stand_in = next(each for each, value in BY["placeholder"].originals.items() if value == VALUES[2][1])
    value = VALUES[2][1]
    image = Image(url="https://example.org/⟨")
    call = ToolCall(id="1", name="send", arguments=json.dumps({"to": stand_in}))
    asked = completion(
        Reasoning(text=stand_in, signature="s"), Text(text=stand_in), Refusal(text=stand_in), call, image, stop=stand_in
    )
    answer = restore_completion(asked, BY["placeholder"], json_text=False)
    assert answer.choices[0].stop_sequence == value
    reasoning, text, refusal, sent, kept = answer.choices[0].parts
    assert (reasoning, text, refusal) == (Reasoning(text=value, signature="s"), Text(text=value), Refusal(text=value))
    assert isinstance(sent, ToolCall)
    assert json.loads(sent.arguments) == {"to": value}
    assert kept == image


def test_a_structured_answer_stays_json() -> None:
    stand_in = next(each for each, value in BY["placeholder"].originals.items() if value == VALUES[2][1])
    asked = completion(Text(text=json.dumps([stand_in])), Reasoning(text=stand_in))
    (text, reasoning) = restore_completion(asked, BY["placeholder"], json_text=True).choices[0].parts
    assert isinstance(text, Text)
    assert json.loads(text.text) == [VALUES[2][1]]
    assert reasoning == Reasoning(text=VALUES[2][1])


def test_log_probabilities_stay_those_of_the_tokens() -> None:
    tokens = (TokenLogprob(token=PERSON, logprob=-0.5),)
    asked = Completion(id="1", model="m", choices=(Choice(parts=(Text(text=PERSON),), logprobs=tokens),))
    answer = restore_completion(asked, BY["placeholder"], json_text=False)
    assert answer.choices[0] == Choice(parts=(Text(text="Ana Ruiz"),), logprobs=tokens)


def test_an_answer_to_a_request_without_stand_ins_is_not_touched() -> None:
    none = Pseudonyms(KEY, tenant="acme", conversation="c1")
    asked = completion(Text(text=PERSON))
    assert restored_and_mangled(asked, none, json_text=False) == (asked, 0)
    restorer = StreamRestorer(none, json_text=False)
    event = TextDelta(text="⟨PERSON")
    assert restorer.feed(event) == [event]
    assert restorer.close() == []


def test_mangled_placeholders_of_a_whole_answer_are_counted() -> None:
    asked = completion(Text(text=f"<PERSON_{CODE}>"), ToolCall(id="1", name="f", arguments=f'"<PERSON_{CODE}>"'))
    assert restored_and_mangled(asked, BY["placeholder"], json_text=False) == (asked, 2)


# ------------------------------------------------------------------------------------------------ streams


def run(events: Iterable[Event], style: Style = "placeholder", *, json_text: bool = False) -> list[Event]:
    restorer = StreamRestorer(BY[style], json_text=json_text)
    return [*(out for event in events for out in restorer.feed(event)), *restorer.close()]


@st.composite
def streams(draw: st.DrawFn, style: Style) -> list[Event]:
    """Choices in turns; in each thought, then text or refusal, then calls in turns."""
    by_choice: list[list[Event]] = []
    for choice in range(draw(st.integers(1, 2))):
        events: list[Event] = [
            ReasoningDelta(text=text, choice=choice) for text in chunks_of(draw(answers(style)), draw(cuts))
        ]
        said = chunks_of(draw(answers(style)), draw(cuts))
        events += [TextDelta(text=text, choice=choice) for text in said]
        events += [RefusalDelta(text=text, choice=choice) for text in chunks_of(draw(answers(style)), draw(cuts))]
        calls: list[list[Event]] = [
            [
                ToolCallDelta(call=call, arguments=arguments, choice=choice)
                for arguments in chunks_of(draw(json_texts(style))[0], draw(cuts))
            ]
            for call in range(draw(st.integers(0, 2)))
        ]
        events += [ToolCallStarted(call=call, id=f"c{call}", name="f", choice=choice) for call in range(len(calls))]
        events += merged(draw, calls)
        if draw(st.booleans()):
            events.append(Finished(reason="stop", choice=choice))
        by_choice.append(events)
    return [Started(id="1", model="m"), *merged(draw, by_choice), Used(usage=Usage(input=1, output=1))]


def merged(draw: st.DrawFn, lanes: list[list[Event]]) -> list[Event]:
    lanes = [list(lane) for lane in lanes if lane]
    out: list[Event] = []
    while lanes:
        lane = draw(st.sampled_from(lanes))
        out.append(lane.pop(0))
        lanes = [lane for lane in lanes if lane]
    return out


@given(st.data(), styles, st.booleans())
def test_a_stream_tells_what_the_whole_answer_tells(data: st.DataObject, style: Style, json_text: bool) -> None:
    events = data.draw(streams(style))
    whole = restore_completion(gather(events), BY[style], json_text=json_text)
    assert gather(run(events, style, json_text=json_text)) == whole


@given(st.data(), styles)
def test_stream_and_whole_answer_count_the_same(data: st.DataObject, style: Style) -> None:
    events = data.draw(streams(style))
    restorer = StreamRestorer(BY[style], json_text=False)
    for event in events:
        restorer.feed(event)
    restorer.close()
    assert restorer.mangled == restored_and_mangled(gather(events), BY[style], json_text=False)[1]


@given(st.data(), styles)
def test_nothing_of_a_choice_comes_after_its_end(data: st.DataObject, style: Style) -> None:
    events = run(data.draw(streams(style)), style)
    ended: set[int] = set()
    for event in events:
        if isinstance(event, Finished):
            ended.add(event.choice)
        elif not isinstance(event, Started | Used):
            assert event.choice not in ended


def test_what_was_held_back_of_a_text_goes_out_before_what_follows_it() -> None:
    start = ToolCallStarted(call=0, id="1", name="f")
    finished = Finished(reason="stop", stop_sequence=PERSON)
    thought, said, refused = ReasoningDelta(text="⟨P"), TextDelta(text="⟨PE"), RefusalDelta(text="⟨PER")
    assert run([thought, said, start, refused, finished]) == [
        thought, said, start, refused, Finished(reason="stop", stop_sequence="Ana Ruiz"),
    ]  # fmt: skip


def test_a_signature_ends_its_part_and_stays_with_its_last_piece() -> None:
    assert run([ReasoningDelta(text="a ⟨P"), ReasoningDelta(signature="s"), ReasoningDelta(text="ERSON")]) == [
        ReasoningDelta(text="a "), ReasoningDelta(text="⟨P", signature="s"), ReasoningDelta(text="ERSON"),
    ]  # fmt: skip
    assert run([TextDelta(text=PERSON[:4]), TextDelta(text=PERSON[4:], signature="s")]) == [
        TextDelta(text="Ana Ruiz", signature="s")
    ]


def test_log_probabilities_come_when_they_came_though_their_text_is_held_back() -> None:
    tokens = (TokenLogprob(token="⟨", logprob=-0.5),)
    assert run([TextDelta(text=PERSON[:1], logprobs=tokens), TextDelta(text=PERSON[1:])]) == [
        TextDelta(text="", logprobs=tokens), TextDelta(text="Ana Ruiz"),
    ]  # fmt: skip


@given(styles, st.sampled_from(VALUES), cuts)
def test_an_agent_that_echoes_a_finding_in_a_tool_call_acts_on_the_value(
    style: Style, finding: tuple[str, str], cuts: list[int]
) -> None:
    kind, value = finding
    by = Pseudonyms(KEY, tenant="acme", conversation="c9", style=style)
    text = f"Mail {value} now"
    sent = by.replace(text, [Finding(kind, 5, 5 + len(value))])
    restorer = StreamRestorer(by, json_text=False)
    pieces = chunks_of(json.dumps({"body": sent}), cuts)
    events: list[Event] = [ToolCallDelta(call=0, arguments=piece) for piece in pieces]
    out = [each for event in (*events, Finished(reason="tool_calls")) for each in restorer.feed(event)]
    arguments = "".join(each.arguments for each in out if isinstance(each, ToolCallDelta))
    assert json.loads(arguments) == {"body": text}
    assert restorer.mangled == 0
