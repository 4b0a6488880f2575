"""How recordings are read and accounted for: what counts as found again, as refused, and as a fault of ours."""

from __future__ import annotations

import json
import random
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from bench.accounts import account, alike, leaves
from bench.cassettes import Exchange, Target, Unread, commit_of, read_place, target_of
from bench.recordings import Findings, cut, judge, main, report, told_usage
from hypothesis import given
from hypothesis import strategies as st

CHAT = "https://api.openai.com/v1/chat/completions"
OPENAI = Target("openai-chat")
ASKED = {"model": "gpt", "messages": [{"role": "user", "content": "a secret of the caller"}]}
ANSWERED = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


def exchange(answer: Any = ANSWERED, *, request: Any = ASKED, target: Target = OPENAI, status: int = 200) -> Exchange:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    kind = b"text/event-stream" if isinstance(answer, bytes) else b"application/json"
    return Exchange(
        file="f",
        number=0,
        host="h",
        target=target,
        request=json.dumps(request).encode(),
        status=status,
        headers=[(b"content-type", kind)],
        answer=body,
    )


def judged(one: Exchange) -> Findings:
    findings = Findings()
    judge(one, findings)
    return findings


# ------------------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (CHAT, Target("openai-chat")),
        ("https://openrouter.ai/api/v1/chat/completions", Target("openai-chat")),
        ("https://api.openai.com/v1/responses", Target("openai-responses")),
        ("https://api.anthropic.com/v1/messages?beta=true", Target("anthropic-messages")),
        ("https://api.anthropic.com/v1/messages/count_tokens", Target("anthropic-count")),
        (
            "https://generativelanguage.googleapis.com/v1beta/models/g-2:streamGenerateContent?alt=sse",
            Target("gemini-generate", "g-2", stream=True),
        ),
        (
            "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/l/publishers/google/models/g:countTokens",
            Target("gemini-count", "g"),
        ),
        ("https://api.voyageai.com/v1/embeddings", None),
        ("https://api.openai.com/v1/files", None),
        ("http://localhost:1/v1/chat/completions", None),
    ],
)
def test_the_address_tells_the_form(url: str, target: Target | None) -> None:
    assert target_of("POST", url) == target
    assert target_of("GET", url) is None


# -------------------------------------------------------------------------------------------------------------- reading

AS_VCRPY: dict[str, Any] = {
    "request": {"method": "POST", "uri": CHAT, "body": json.dumps(ASKED)},
    "response": {"status": {"code": 200}, "headers": {"Content-Type": ["x"]}, "body": {"string": json.dumps(ANSWERED)}},
}
AS_GO_VCR: dict[str, Any] = {
    "request": {"method": "POST", "url": CHAT, "body": json.dumps(ASKED)},
    "response": {"code": 200, "headers": {"Content-Type": ["x"]}, "body": json.dumps(ANSWERED)},
}
PARSED = {
    "request": {"method": "POST", "uri": CHAT, "parsed_body": ASKED},
    "response": {"status": {"code": 200}, "headers": {"content-type": ["x"]}, "parsed_body": ANSWERED},
}


def recorded(folder: Path, *interactions: Any, key: str = "interactions") -> Path:
    file = folder / "cassettes" / "one.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({key: interactions}))
    (folder / "cassettes" / "notes.txt").write_text("no recording")
    (folder / "other.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (AS_VCRPY, "interactions"),
        (AS_GO_VCR, "interactions"),
        (PARSED, "interactions"),
        (AS_VCRPY, "http_interactions"),
    ],
)
def test_every_way_to_record_is_read_alike(tmp_path: Path, told: Any, key: str) -> None:
    [one] = read_place(recorded(tmp_path, told, key=key))
    assert isinstance(one, Exchange)
    assert (one.file, one.number, one.host, one.status) == ("cassettes/one.json", 0, "api.openai.com", 200)
    assert (json.loads(one.request), json.loads(one.answer)) == (ASKED, ANSWERED)
    assert list(one.headers) == [(b"content-type", b"x")]


def test_yaml_is_read_with_bytes_as_python_and_as_ruby_write_them(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    body = b64encode(json.dumps(ASKED).encode()).decode()
    for at, tag in enumerate(["!!binary", "!binary"]):
        file = tmp_path / str(at) / "vcr_cassettes" / "one.yml"
        file.parent.mkdir(parents=True)
        file.write_text(
            f"interactions:\n- request:\n    method: POST\n    uri: {CHAT}\n    body: {tag} {body}\n"
            "  response:\n    status: {code: 200, message: OK}\n    parsed_body: {id: c1}\n"
        )
        [one] = read_place(tmp_path / str(at))
        assert isinstance(one, Exchange)
        assert (json.loads(one.request), json.loads(one.answer)) == (ASKED, {"id": "c1"})


def test_what_is_no_exchange_of_ours_is_told_as_such(tmp_path: Path) -> None:
    elsewhere = {"request": {"method": "POST", "uri": "https://api.openai.com/v1/files"}, "response": {}}
    without_body = {"request": {"method": "POST", "uri": CHAT}, "response": {"status": {"code": 200}}}
    found = list(read_place(recorded(tmp_path, elsewhere, without_body)))
    assert found == [
        Unread("cassettes/one.json", "other", "api.openai.com files"),
        Unread("cassettes/one.json", "no_body", "openai-chat"),
    ]


def test_a_bare_repository_is_read_in_its_newest_commit(tmp_path: Path) -> None:
    tree = recorded(tmp_path / "tree", AS_VCRPY)

    def git(*arguments: str) -> None:
        name = ["-c", "user.name=n", "-c", "user.email=e@example.test", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", "-C", str(tree), *name, *arguments], check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    git("clone", "--bare", ".", str(tmp_path / "bare"))
    [one] = read_place(tmp_path / "bare")
    assert isinstance(one, Exchange)
    assert json.loads(one.answer) == ANSWERED
    assert commit_of(tmp_path / "bare") == commit_of(tree) != ""


# ----------------------------------------------------------------------------------------------------------- accounting


def test_a_field_that_is_not_found_is_lost_by_its_shape_alone() -> None:
    original = {"messages": [{"role": "user", "content": "private", "weight": 2}], "model": "m"}
    again = {"messages": [{"role": "user", "content": "private"}], "model": "m", "n": 1}
    found = account(original, again, "openai-chat request")
    assert (found.fields, found.same) == (4, 3)
    assert found.lost == ("messages[user].weight",)
    assert found.added == ("n",)


def test_a_field_with_another_value_is_lost() -> None:
    assert account({"n": 1, "stop": ["a"]}, {"n": 2, "stop": ["a"]}, "openai-chat request").lost == ("n",)
    assert account({"n": 1}, {"n": True}, "openai-chat request").lost == ("n",)


def test_items_may_move_up_but_not_change_places() -> None:
    one, two = {"type": "a", "id": "1"}, {"type": "a", "id": "2"}
    other = {"type": "b", "id": "0"}
    assert account({"x": [other, one, two]}, {"x": [one, two]}, "").lost == ("x[b].type", "x[b].id")
    assert account({"x": [one, two]}, {"x": [two, one]}, "").lost == ("x[a].id",)


def test_equivalences_are_named_and_hold_for_their_form_alone() -> None:
    found = account({"stop": "end"}, {"stop": ["end"]}, "openai-chat request")
    assert (found.same, found.lost, found.by) == (0, (), ("`stop` as a text or as a list of one",))
    assert account({"stop": "end"}, {"stop": ["end"]}, "openai-responses request").lost == ("stop",)
    assert account({"user": None}, {}, "openai-chat request").lost == ()


def test_what_the_caller_named_is_one_field() -> None:
    schema = {"tools": [{"parameters": {"properties": {"patient_name": {"type": "string"}}}}]}
    assert [leaf.shape for leaf in leaves(schema)] == ["tools[].parameters"]
    assert account(schema, {"tools": [{"parameters": {}}]}, "").lost == ("tools[].parameters",)


bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "type", "role"]), inner),
    max_leaves=8,
)


@given(bodies)
def test_a_body_that_stays_as_it_is_loses_nothing(body: Any) -> None:
    found = account({"body": body}, {"body": body}, "openai-chat request")
    assert (found.same, found.lost, found.added) == (found.fields, (), ())
    assert alike(body, json.loads(json.dumps(body)))


# -------------------------------------------------------------------------------------------------------------- judging


def test_an_ordinary_exchange_is_understood_whole() -> None:
    findings = judged(exchange())
    request, answer = findings.tallies["openai-chat"]["request"], findings.tallies["openai-chat"]["answer"]
    assert (request.seen, request.understood, request.lost.total()) == (1, 1, 0)
    assert request.elsewhere.keys() == {"openai-responses", "anthropic-messages", "gemini-generate"}
    assert all(told == {"ok": 1} for told in request.elsewhere.values())
    assert (answer.seen, answer.understood, answer.lost.total()) == (1, 1, 0)
    assert findings.bugs == {}


def test_a_request_of_another_vendor_s_own_is_refused_by_its_field() -> None:
    findings = judged(exchange(request=ASKED | {"web_search_options": {"user_location": {"city": "here"}}}))
    tally = findings.tallies["openai-chat"]["request"]
    assert (tally.understood, tally.refused) == (0, {"web_search_options": 1})
    assert findings.bugs == {}


def test_a_request_that_the_vendor_took_and_we_call_wrong_is_a_fault_of_ours() -> None:
    broken = exchange(request=ASKED | {"tool_choice": 7})
    assert list(judged(broken).bugs) == [
        "openai-chat: request: InvalidRequest: tool_choice must be auto, none, required, or name a function."
    ]
    refused = exchange({"error": {"message": "no such choice"}}, request=ASKED | {"tool_choice": 7}, status=400)
    findings = judged(refused)
    assert findings.bugs == {}
    assert findings.tallies["openai-chat"]["request"].rightly == 1
    assert findings.tallies["openai-chat"]["fault"].understood == 1


def test_an_answer_that_is_none_is_a_fault_of_ours_unless_its_request_was_refused() -> None:
    nothing = {"object": "chat.completion", "choices": []}
    assert [what.partition(":")[0] for what in judged(exchange(nothing)).bugs] == ["openai-chat"]
    findings = judged(exchange(nothing, request=ASKED | {"functions": [{"name": "f"}]}))
    assert findings.bugs == {}
    assert findings.tallies["openai-chat"]["answer"].refused == {"as its request was": 1}


def streamed(*chunks: Any, done: bool = True) -> bytes:
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*events, *(["data: [DONE]\n\n"] if done else [])]).encode()


def chunk(delta: Any, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]} | more


STREAM = streamed(
    chunk({"role": "assistant", "content": "hel"}),
    chunk({"content": "lo"}),
    chunk({}, finish="stop", usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
)


def test_a_stream_is_understood_however_it_is_cut() -> None:
    findings = judged(exchange(STREAM, request=ASKED | {"stream": True, "stream_options": {"include_usage": True}}))
    tally = findings.tallies["openai-chat"]["stream"]
    assert (tally.seen, tally.understood, tally.lost.total()) == (1, 1, 0)
    assert findings.bugs == {}


def test_a_stream_that_breaks_off_is_told() -> None:
    findings = judged(exchange(streamed(chunk({"content": "hel"}), done=False), request=ASKED | {"stream": True}))
    assert [what.split(": ")[1:3] for what in findings.bugs] == [["stream", "StreamInterrupted"]]


def test_an_error_in_a_stream_is_a_fault_of_the_vendor_and_not_repeated() -> None:
    findings = judged(exchange(streamed({"error": {"message": "of the caller's content"}}), request=ASKED))
    assert findings.bugs == {}
    assert findings.tallies["openai-chat"]["fault"].understood == 1
    assert findings.tallies["openai-chat"]["stream"].seen == 0


@given(st.binary(max_size=300), st.randoms(use_true_random=False))
def test_pieces_are_the_whole(data: bytes, rng: random.Random) -> None:
    assert b"".join(cut(data, rng)) == data


@pytest.mark.parametrize(
    ("form", "bodies_", "counts"),
    [
        ("openai-chat", [{"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 9}}], {(3, 6), (7, 2)}),
        ("openai-responses", [{"response": {"usage": {"input_tokens": 3, "output_tokens": 2}}}], {(3, 2)}),
        (
            "anthropic-messages",
            [
                {"message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 1}}},
                {"usage": {"output_tokens": 8}},
            ],
            {(7, 8)},
        ),
        (
            "gemini-generate",
            [{"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 5}}],
            {(3, 7)},
        ),
    ],
)
def test_usage_is_read_off_the_bodies_in_their_own_words(form: str, bodies_: Any, counts: set[tuple[int, int]]) -> None:
    assert set(told_usage(form, bodies_) or ()) == counts
    assert told_usage(form, [{}]) is None


# -------------------------------------------------------------------------------------------------------------- telling


def test_the_report_holds_shapes_and_no_content() -> None:
    findings = judged(exchange(request=ASKED | {"tool_choice": "a secret choice"}))
    judge(exchange(), findings)
    told = report(findings, [("place", "commit")])
    assert "| openai-chat | request | 2 | 1 |" in told
    assert "secret" not in told
    assert "hello" not in told


def test_the_command_ends_with_1_where_something_should_not_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = recorded(tmp_path / "good", AS_VCRPY)
    assert main([str(good), "--json", str(tmp_path / "found.json")]) == 0
    assert "| openai-chat | answer | 1 | 1 |" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["tallies"]["openai-chat"]["request"]["understood"] == 1
    bad = recorded(tmp_path / "bad", AS_VCRPY | {"request": AS_GO_VCR["request"] | {"body": '{"model": "m"}'}})
    assert main([str(bad)]) == 1
