"""Google's own client against this dialect, and what is carried, adapted or refused of what it sends."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel
from typing_extensions import override

from isthmus.dialects import sse
from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from isthmus.dialects.gemini_generate import GEMINI_GENERATE as DIALECT
from isthmus.dialects.gemini_generate import GEMINI_GENERATE_ARRAY as ARRAYS
from isthmus.dialects.gemini_generate.address import read_path
from isthmus.dialects.openai_chat import OPENAI_CHAT
from isthmus.domain.errors import InvalidRequest, Overloaded, Unsupported
from isthmus.domain.message import (
    Audio,
    Choice,
    Citation,
    Cited,
    Completion,
    CompletionRequest,
    Document,
    Event,
    Extra,
    Finished,
    Image,
    Message,
    Reasoning,
    ReasoningDelta,
    ReasoningOptions,
    ResponseFormat,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    Used,
)
from isthmus.domain.usage import Usage

USER = Message(role="user", parts=(Text(text="hi"),))
ASKED = CompletionRequest(model="m", messages=(USER,))
ANSWER = Completion(
    id="r1",
    model="m",
    choices=(
        Choice(
            parts=(
                Reasoning(text="hm", signature="sig/+=", minted_by="anthropic-messages"),
                Text(text="Grüße", citations=(Citation(url="https://a.test/", title="A", start=2, end=5),)),
                ToolCall(id="c1", name="weather", arguments='{"city":"Ulm"}'),
            ),
            finish="tool_calls",
        ),
    ),
    usage=Usage(input=10, cached=4, output=8, reasoning=3, audio_input=2),
)
EVENTS: tuple[Event, ...] = (
    Started(id="r1", model="m"),
    ReasoningDelta(text="hm", signature="sig/+=", minted_by="anthropic-messages"),
    TextDelta(text="Grü"),
    TextDelta(text="ße"),
    Cited(citation=Citation(url="https://a.test/", title="A", start=2, end=5)),
    ToolCallStarted(call=0, id="c1", name="weather"),
    ToolCallDelta(call=0, arguments='{"city":'),
    ToolCallDelta(call=0, arguments='"Ulm"}'),
    Finished(reason="tool_calls"),
    Used(usage=Usage(input=10, output=8, reasoning=3)),
)


@dataclass
class Server:
    port: int = 0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    error: bool = False

    @property
    def request(self) -> CompletionRequest:
        return DIALECT.decode_request(self.asked[-1][1])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@contextmanager
def serving() -> Iterator[Server]:
    """Answers everything with `ANSWER`, or `EVENTS` where a stream is asked for."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.asked.append((self.path, body))
            found = read_path(self.path)
            assert found is not None
            if state.error:
                self.send_response(503)
                said = DIALECT.encode_error(Overloaded("Too much."), "req_1")
            elif found.stream:
                self.send_response(200)
                encoder = (ARRAYS if found.array else DIALECT).stream_encoder(ASKED)
                said = b"".join(map(encoder.encode, EVENTS)) + encoder.close()
            else:
                self.send_response(200)
                said = DIALECT.encode_completion(ANSWER, ASKED)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        @override
        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = http.server_port
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def client(server: Server) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{server.port}", retry_options=None)
    with genai.Client(api_key="k", http_options=options) as made:
        yield made


# ----------------------------------------------------------------------------------------- what the client is told


def test_the_client_reads_a_whole_answer(client: genai.Client) -> None:
    answer = client.models.generate_content(model="triage", contents="hi")
    assert answer.text == "Grüße"
    assert answer.candidates is not None
    assert answer.function_calls is not None
    assert answer.function_calls[0].args == {"city": "Ulm"}
    metadata = answer.candidates[0].grounding_metadata
    assert metadata is not None
    assert metadata.grounding_supports is not None
    segment = metadata.grounding_supports[0].segment
    assert segment is not None
    assert "Grüße".encode()[segment.start_index : segment.end_index].decode() == segment.text == "üße"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.thoughts_token_count == 3
    assert answer.usage_metadata.total_token_count == 18


def test_the_client_reads_a_stream(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model="triage", contents="hi"))
    texts = [chunk.text for chunk in chunks if chunk.candidates and chunk.text]
    assert "".join(texts) == "Grüße"
    last = chunks[-1]
    assert last.usage_metadata is not None
    assert last.usage_metadata.candidates_token_count == 5
    assert last.candidates is not None
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.candidates[0].grounding_metadata is not None


def test_the_client_raises_our_errors_as_googles(server: Server) -> None:
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{server.port}")
    server.error = True
    try:
        with (
            genai.Client(api_key="k", http_options=options) as client,
            pytest.raises(errors.ServerError) as caught,
        ):
            client.models.generate_content(model="triage", contents="hi")
    finally:
        server.error = False
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")


def test_a_proof_of_another_provider_comes_back_through_the_client(client: genai.Client, server: Server) -> None:
    first = client.models.generate_content(model="triage", contents="hi")
    assert first.candidates is not None
    assert first.candidates[0].content is not None
    result = types.Content(
        role="user", parts=[types.Part.from_function_response(name="weather", response={"result": "sunny"})]
    )
    client.models.generate_content(model="triage", contents=["hi", first.candidates[0].content, result])
    thought = server.request.messages[1].parts[0]
    assert thought == Reasoning(text="hm", signature="sig/+=", minted_by="anthropic-messages")
    assert server.request.messages[2].parts[0] == ToolResult(call_id="c1", name="weather", parts=(Text(text="sunny"),))
    adapted = Adapted()
    said = json.loads(DIALECT.encode_request(server.request, model="gemini-3", adapted=adapted))
    assert "message.signature: left out, made by anthropic-messages" in adapted.text
    assert [part.get("thoughtSignature") for part in said["contents"][1]["parts"]] == [
        None,
        None,
        "skip_thought_signature_validator",
    ]


def test_a_stream_as_one_array_is_json_whole_and_after_an_error() -> None:
    encoder = ARRAYS.stream_encoder(ASKED)
    whole = json.loads(b"".join(map(encoder.encode, EVENTS)) + encoder.close())
    assert "".join(part["text"] for one in whole[1:3] for part in one["candidates"][0]["content"]["parts"]) == "Grüße"
    encoder = ARRAYS.stream_encoder(ASKED)
    told = json.loads(encoder.encode(EVENTS[0]) + encoder.encode(EVENTS[2]) + encoder.fail(Overloaded("no"), "req_1"))
    assert told[-1]["error"]["status"] == "UNAVAILABLE"
    assert ARRAYS.name == DIALECT.name


def test_a_passing_stream_becomes_one_array() -> None:
    encoder = DIALECT.stream_encoder(ASKED)
    events = b"".join(map(encoder.encode, EVENTS)) + encoder.close()
    watch = ARRAYS.usage_watch(DIALECT.read_facts(b'{"contents":[1]}'))
    passed = b"".join(watch.feed(events[at : at + 7]) for at in range(0, len(events), 7)) + watch.close()
    assert watch.complete
    assert watch.usage == Usage(input=10, output=8, reasoning=3)
    frames = sse.Frames().feed(events)
    assert json.loads(passed) == [json.loads(frame.data) for frame in frames]
    broken = ARRAYS.usage_watch(DIALECT.read_facts(b'{"contents":[1]}'))
    begun = broken.feed(sse.frame(frames[0].data)) + broken.close()
    assert not broken.complete
    told = json.loads(begun + ARRAYS.stream_error(Overloaded("no"), "req_1"))
    assert [*map(len, told)] == [3, 1]


def test_a_call_that_is_no_json_is_told_as_google_tells_it() -> None:
    broken = Choice(parts=(ToolCall(id="c", name="f", arguments='{"a":'),), finish="tool_calls")
    cut = Choice(index=1, parts=(ToolCall(id="c", name="f", arguments='{"a":'),), finish="length")
    said = json.loads(DIALECT.encode_completion(Completion(id="r", model="m", choices=(broken, cut)), ASKED))
    assert [one["finishReason"] for one in said["candidates"]] == ["MALFORMED_FUNCTION_CALL", "MAX_TOKENS"]
    assert [one["content"]["parts"] for one in said["candidates"]] == [[], []]
    types.GenerateContentResponse.model_validate(said)


# ------------------------------------------------------------------------------------------- what the client sends


class City(BaseModel):
    name: str
    country: str | None


def test_the_clients_options_are_read(client: genai.Client, server: Server) -> None:
    weather = types.FunctionDeclaration(
        name="weather",
        parameters=types.Schema(
            type=types.Type.OBJECT,
            properties={"city": types.Schema(type=types.Type.STRING, nullable=True)},
            required=["city"],
        ),
    )
    client.models.generate_content(
        model="triage",
        contents="hi",
        config=types.GenerateContentConfig(
            system_instruction="be brief",
            temperature=0.5,
            top_p=0.9,
            top_k=5,
            candidate_count=2,
            max_output_tokens=99,
            stop_sequences=["x"],
            seed=7,
            response_logprobs=True,
            logprobs=2,
            presence_penalty=0.1,
            frequency_penalty=0.2,
            response_mime_type="application/json",
            response_schema=City,
            thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW, include_thoughts=True),
            tools=[types.Tool(function_declarations=[weather])],
            tool_config=types.ToolConfig(
                function_calling_config=types.FunctionCallingConfig(
                    mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["weather"]
                )
            ),
            safety_settings=[
                types.SafetySetting(
                    category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE
                )
            ],
        ),
    )
    got = server.request
    assert got.messages == (Message(role="system", parts=(Text(text="be brief"),)), USER)
    assert (got.temperature, got.top_p, got.top_k, got.n, got.max_output_tokens) == (0.5, 0.9, 5, 2, 99)
    assert (got.stop, got.seed, got.logprobs, got.top_logprobs) == (("x",), 7, True, 2)
    assert (got.presence_penalty, got.frequency_penalty) == (0.1, 0.2)
    assert got.reasoning == ReasoningOptions(effort="low", show=True)
    assert got.tool_choice == ToolChoice(mode="named", name="weather")
    assert got.tools[0].parameters == {
        "type": "object",
        "properties": {"city": {"type": ["string", "null"]}},
        "required": ["city"],
    }
    assert got.response_format is not None
    assert got.response_format.schema is not None
    assert list(got.response_format.schema["properties"]) == ["name", "country"]
    facts = DIALECT.read_facts(server.asked[-1][1])
    assert facts.needs == {"tools", "json_schema", "logprobs", "choices", "reasoning"}


def test_media_arrive_in_the_alphabet_that_others_read(client: genai.Client, server: Server) -> None:
    raw = b"\xfb\xff\xfe" * 3
    client.models.generate_content(
        model="triage",
        contents=[
            types.Part.from_bytes(data=raw, mime_type="image/png"),
            types.Part.from_bytes(data=raw, mime_type="audio/wav"),
            types.Part.from_bytes(data=raw, mime_type="application/pdf"),
            types.Part.from_bytes(data="Grüße".encode(), mime_type="text/plain"),
            types.Part.from_uri(file_uri="https://a.test/x.pdf", mime_type="application/pdf"),
            types.Part.from_uri(
                file_uri="https://generativelanguage.googleapis.com/v1beta/files/a", mime_type="audio/wav"
            ),
        ],
    )
    assert b"-__-" in server.asked[-1][1]
    said = base64.b64encode(raw).decode()
    image, audio, document, text, by_address, kept = server.request.messages[0].parts
    assert image == Image(data=said, media_type="image/png")
    assert audio == Audio(data=said, media_type="audio/wav")
    assert document == Document(data=said, media_type="application/pdf")
    assert text == Document(text="Grüße", media_type="text/plain")
    assert by_address == Document(url="https://a.test/x.pdf", media_type="application/pdf")
    assert isinstance(kept, Audio)
    assert DIALECT.read_facts(server.asked[-1][1]).needs == {"vision", "audio", "documents"}
    with pytest.raises(Unsupported) as caught:
        OPENAI_CHAT.encode_request(
            CompletionRequest(model="m", messages=(Message(role="user", parts=(kept,)),)), model="m"
        )
    assert caught.value.param is not None


def read(**fields: Any) -> CompletionRequest:
    return DIALECT.decode_request(json.dumps({"contents": [{"parts": [{"text": "hi"}]}]} | fields).encode())


def test_both_spellings_are_read_and_the_callers_own_names_left() -> None:
    camel = {
        "contents": [{"parts": [{"functionCall": {"name": "f", "args": {"max_output_tokens": 1}}}], "role": "model"}],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"thinkingBudget": 7}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"properties": {"top_k": {}}}}]}],
    }
    snake = json.dumps(camel)
    for one, other in (
        ("systemInstruction", "system_instruction"),
        ("generationConfig", "generation_config"),
        ("maxOutputTokens", "max_output_tokens"),
        ("thinkingConfig", "thinking_config"),
        ("thinkingBudget", "thinking_budget"),
        ("functionCall", "function_call"),
        ("functionDeclarations", "function_declarations"),
        ("parametersJsonSchema", "parameters_json_schema"),
    ):
        snake = snake.replace(f'"{one}"', f'"{other}"')
    wanted = DIALECT.decode_request(json.dumps(camel).encode())
    assert DIALECT.decode_request(snake.encode()) == wanted
    assert DIALECT.read_facts(snake.encode()).max_output_tokens == 5
    assert wanted.messages[1].parts[0] == ToolCall(id="call_0_0", name="f", arguments='{"max_output_tokens":1}')
    with pytest.raises(InvalidRequest):
        read(generationConfig={"topK": 1, "top_k": 2})


def test_labels_say_to_isthmus_what_metadata_do_elsewhere() -> None:
    labels = {"isthmus-labels": "medical, eu", "isthmus-workload": "w", "isthmus-conversation": "c", "team": "a"}
    body = json.dumps({"contents": [{"parts": [{"text": "x"}]}], "labels": labels}).encode()
    facts = DIALECT.read_facts(body)
    assert (sorted(facts.labels), facts.workload, facts.conversation) == (["eu", "medical"], "w", "c")
    assert json.loads(DIALECT.retarget(body, facts, model="m"))["labels"] == {"team": "a"}
    assert DIALECT.decode_request(body).extra == Extra("gemini-generate", {"labels": {"team": "a"}})
    with pytest.raises(InvalidRequest):
        DIALECT.read_facts(body.replace(b"isthmus-labels", b"isthmus_label"))


@pytest.mark.parametrize("other", [OPENAI_CHAT, ANTHROPIC_MESSAGES], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"tools": [{"googleSearch": {}}]}, "tools"),
        ({"tools": [{"urlContext": {}}]}, "tools"),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"speechConfig": {"voice": "x"}}}, "generationConfig.speechConfig"),
        ({"safetySettings": [{"threshold": "BLOCK_LOW_AND_ABOVE"}]}, "safetySettings"),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ],
)
def test_what_only_this_provider_does_is_refused_elsewhere_and_returned_here(
    other: Any, fields: dict[str, Any], param: str
) -> None:
    functions = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}] if "toolConfig" in fields else []
    request = read(**({"tools": functions} | fields if functions else fields))
    with pytest.raises(Unsupported) as caught:
        other.encode_request(request, model="m")
    assert caught.value.param == param
    said = json.loads(DIALECT.encode_request(request, model="m"))
    for name, value in fields.items():
        assert said[name] == value


@pytest.mark.parametrize(
    "fields",
    [
        {"safetySettings": [{"category": "x", "threshold": "OFF"}]},
        {"labels": {"a": "b"}},
        {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}},
    ],
)
def test_what_changes_no_answer_is_left_out_elsewhere_with_a_note(fields: dict[str, Any]) -> None:
    request = read(**fields)
    adapted = Adapted()
    ANTHROPIC_MESSAGES.encode_request(request, model="m", adapted=adapted)
    assert next(iter(fields)) in adapted.text
    assert read(generationConfig={"responseModalities": ["TEXT"]}).extra is not None
    ANTHROPIC_MESSAGES.encode_request(read(generationConfig={"responseModalities": ["TEXT"]}), model="m")


# --------------------------------------------------------------------------------------- what offers answer with


def test_citations_are_counted_in_characters() -> None:
    text = "Ä ist gut. Öl auch."
    body = {
        "candidates": [
            {
                "content": {"parts": [{"text": text}]},
                "finishReason": "STOP",
                "groundingMetadata": {
                    "webSearchQueries": ["q"],
                    "groundingChunks": [
                        {"web": {"uri": "https://a.test", "title": "A"}},
                        {"web": {"uri": "https://b.test", "domain": "b"}},
                    ],
                    "groundingSupports": [
                        {
                            "segment": {"startIndex": 12, "endIndex": len(text.encode())},
                            "groundingChunkIndices": [0],
                            "confidenceScores": [0.5],
                        }
                    ],
                },
                "citationMetadata": {"citationSources": [{"endIndex": 11, "uri": "https://c.test", "license": "mit"}]},
            }
        ]
    }
    completion = DIALECT.decode_completion(json.dumps(body).encode())
    part = completion.choices[0].parts[0]
    assert isinstance(part, Text)
    source, web, unplaced = part.citations
    assert (source.url, source.start, source.end) == ("https://c.test", 0, 10)
    assert source.extra == Extra("gemini-generate", {"license": "mit"})
    assert web.start is not None
    assert text[web.start : web.end] == "Öl auch."
    assert (unplaced.url, unplaced.start) == ("https://b.test", None)
    again = json.loads(DIALECT.encode_completion(completion, ASKED))
    assert again["candidates"][0]["groundingMetadata"] == body["candidates"][0]["groundingMetadata"]
    assert again["candidates"][0]["citationMetadata"] == body["candidates"][0]["citationMetadata"]
    decoder = DIALECT.stream_decoder()
    told = decoder.feed(b"data: " + json.dumps(body).encode() + b"\n\n") + decoder.close()
    assert [one.citation for one in told if isinstance(one, Cited)] == list(part.citations)


def test_sound_is_counted() -> None:
    usage = {
        "promptTokenCount": 20,
        "cachedContentTokenCount": 5,
        "toolUsePromptTokenCount": 3,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 2,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 12}, {"modality": "IMAGE", "tokenCount": 8}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}],
    }
    body = {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}], "usageMetadata": usage}
    completion = DIALECT.decode_completion(json.dumps(body).encode())
    assert completion.usage == Usage(input=23, cached=5, output=9, reasoning=2, audio_input=12, audio_output=4)
    again = json.loads(DIALECT.encode_completion(completion, ASKED))["usageMetadata"]
    assert again["promptTokensDetails"] == usage["promptTokensDetails"]


def test_of_two_reasons_to_finish_the_graver_counts() -> None:
    def event(text: str, reason: str) -> bytes:
        content = {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": reason}]}
        return b"data: " + json.dumps(content).encode() + b"\n\n"

    decoder = DIALECT.stream_decoder()
    told = decoder.feed(event("a", "MAX_TOKENS") + event("b", "STOP")) + decoder.close()
    assert [type(one) for one in told] == [Started, TextDelta, TextDelta, Finished]
    assert isinstance(told[-1], Finished)
    assert told[-1].reason == "length"


# ---------------------------------------------------------------------------------------------------- the address


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1beta/models/triage:generateContent", ("triage", False, False)),
        ("/v1/models/a%2Fb:generateContent?key=x", ("a/b", False, False)),
        ("/v1alpha/models/m:streamGenerateContent?alt=sse", ("m", True, False)),
        ("/v1beta/models/m:streamGenerateContent?key=x&$alt=sse", ("m", True, False)),
        ("/v1beta/models/m:streamGenerateContent?alt=json", ("m", True, True)),
        ("/v1beta/tunedModels/m:streamGenerateContent", ("tunedModels/m", True, True)),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", ("m", False, False)),
        ("/v1beta/models/m:countTokens", None),
        ("/v1beta/models/m:embedContent", None),
        ("/v2/models/m:generateContent", None),
    ],
)
def test_a_path_tells_model_and_stream(path: str, wanted: tuple[str, bool, bool] | None) -> None:
    assert read_path(path) == wanted


def test_a_tuned_model_has_its_own_path() -> None:
    assert DIALECT.request_path("tunedModels/x", stream=False) == "/v1beta/tunedModels/x:generateContent"
    assert DIALECT.request_path("models/x", stream=True) == "/v1beta/models/x:streamGenerateContent?alt=sse"


# ----------------------------------------------------------------------------------------------- what is adapted

CALL = Message(role="assistant", parts=(ToolCall(id="a", name="f", arguments="{}"),))
TOOLS = (Tool(name="f", strict=True), Tool(name="g"))


@pytest.mark.parametrize(
    ("request_", "model", "note"),
    [
        (CompletionRequest(model="m", messages=(USER,), tools=TOOLS), "m", "tools.strict: for all tools"),
        (CompletionRequest(model="m", messages=(USER, CALL)), "gemini-3-pro", "message.call.signature"),
        (CompletionRequest(model="m", messages=(USER, CALL)), "gemini-2.5-pro", ""),
        (CompletionRequest(model="m", messages=(USER,), reasoning=ReasoningOptions(effort="low")), "m", ""),
        (
            CompletionRequest(model="m", messages=(USER,), reasoning=ReasoningOptions(effort="low")),
            "gemini-2.5-flash",
            "reasoning.effort: a budget of 1024 tokens",
        ),
        (
            CompletionRequest(model="m", messages=(USER,), reasoning=ReasoningOptions(effort="low", budget=5)),
            "m",
            "reasoning.budget: left out beside an effort",
        ),
        (
            CompletionRequest(
                model="m",
                messages=(USER,),
                response_format=ResponseFormat(kind="json_schema", schema={"type": "object"}),
            ),
            "m",
            "",
        ),
    ],
)
def test_notes_are_taken_where_something_is_said_otherwise(request_: CompletionRequest, model: str, note: str) -> None:
    adapted = Adapted()
    DIALECT.encode_request(request_, model=model, adapted=adapted)
    assert note in adapted.text
    assert bool(note) == bool(adapted)


def test_citing_a_document_cannot_be_asked_for() -> None:
    document = Document(text="x", citations=True)
    with pytest.raises(Unsupported) as caught:
        DIALECT.encode_request(
            CompletionRequest(model="m", messages=(Message(role="user", parts=(document,)),)), model="m"
        )
    assert caught.value.param == "messages[0].content[0].citations"
