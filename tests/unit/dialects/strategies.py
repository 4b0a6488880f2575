"""Hypothesis strategies for the domain's values, with knobs for what a dialect can carry.

A law such as `decode(encode(r)) == r` holds for what the wire format can say. `Carries` says what that is; the defaults
are what every dialect can say, and each dialect's tests switch on what it knows beyond.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast

import msgspec
from hypothesis import strategies as st

from isthmus.domain.message import (
    Audio,
    CacheMark,
    Choice,
    Citation,
    Cited,
    Completion,
    CompletionRequest,
    Document,
    Event,
    Extra,
    Finished,
    FinishReason,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    ReasoningDelta,
    ReasoningOptions,
    Refusal,
    RefusalDelta,
    ResponseFormat,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    Used,
)
from isthmus.domain.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Carries:
    """What one dialect can say."""

    dialect: str
    minted_by: str | None = None
    """The dialect that proofs are read as made by."""
    texts_minted_by: str | None = None
    """The same of texts and calls, where it is another."""
    # ---- messages
    developer: bool = False
    system_anywhere: bool = False
    """System messages between the others; otherwise at most one, first."""
    system_parts: int = 1
    message_names: bool = False
    image_urls: bool = True
    image_data: bool = True
    image_detail: bool = False
    sounds: bool = False
    documents: tuple[Literal["data", "url", "text", "file"], ...] = ()
    document_words: bool = False
    """A document has a context, and whether it is to be cited."""
    cache_on_media: bool = False
    """Sounds and documents have cache marks."""
    cache_on_text: bool = False
    cache_on_images: bool = False
    cache_on_tools: bool = False
    cache_on_calls: bool = False
    cache_on_results: bool = False
    text_signature: bool = False
    call_signature: bool = False
    reasoning: bool = False
    """Reasoning in the history and in answers."""
    reasoning_signature: bool = False
    reasoning_encrypted: bool = False
    citations: Literal["no", "ranges", "blocks"] = "no"
    """Citations of texts in answers: at places in the text, or of a whole block."""
    refusal: bool = False
    results_per_message: int = 1
    result_images: bool = False
    result_documents: bool = False
    result_error: bool = False
    arguments_as_text: bool = False
    """Arguments of calls may be any text; otherwise they are JSON objects in compact form."""
    # ---- options
    tool_strict: bool = False
    formats: tuple[str, ...] = ()
    """Kinds of response format beside none."""
    format_names: bool = False
    """A schema has name, description and strictness."""
    stop: int = 4
    """Stop texts at most."""
    top_k: bool = False
    seed: bool = False
    penalties: bool = False
    logit_bias: bool = False
    choices: bool = False
    """More than one answer."""
    logprobs: bool = False
    parallel_tool_calls: bool = False
    effort: tuple[str, ...] = ()
    budget: bool = False
    show_reasoning: bool = False
    user: bool = False
    metadata: bool = False
    service_tier: bool = False
    stream_usage: bool = False
    """The dialect lets the client ask for usage in streams; otherwise `stream_usage` equals `stream`."""
    max_output_required: bool = False
    # ---- answers
    finishes: tuple[FinishReason, ...] = ("stop", "length", "tool_calls", "content_filter")
    created: bool = False
    cache_written: bool = False
    reasoning_usage: bool = True
    audio_usage: bool = False


texts = st.text(max_size=12)
words = st.text(min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,11}", fullmatch=True)
ids = st.from_regex(r"call_[a-zA-Z0-9]{1,8}", fullmatch=True)
base64s = st.binary(min_size=1, max_size=12).map(lambda raw: msgspec.json.encode(raw)[1:-1].decode())
counts = st.integers(min_value=0, max_value=100_000)
integers = st.integers(min_value=-(2**53), max_value=2**53)
numbers = st.floats(min_value=-2, max_value=2, allow_nan=False)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts
json_values: st.SearchStrategy[Json] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)
json_objects: st.SearchStrategy[dict[str, Json]] = st.dictionaries(texts, json_values, max_size=3)
unknown_fields: st.SearchStrategy[dict[str, Json]] = st.dictionaries(
    names.map(lambda name: f"x_{name}"), json_values, min_size=1, max_size=2
)
"""Fields whose names no dialect knows."""


def sometimes(allowed: bool, values: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """None, and where allowed also one of the values."""
    return st.none() | values if allowed else st.none()


def extras(dialect: str) -> st.SearchStrategy[Extra | None]:
    return st.none() | unknown_fields.map(lambda fields: Extra(dialect, fields))


def caches(allowed: bool) -> st.SearchStrategy[CacheMark | None]:
    return sometimes(allowed, st.builds(CacheMark, ttl=st.sampled_from([None, "5m", "1h"])))


def minted(part: Part, carries: Carries) -> Part:
    """The part, its proof made by the dialect's provider where it has one."""
    match part:
        case Text(signature=str()) | ToolCall(signature=str()):
            return replace(part, minted_by=carries.texts_minted_by or carries.minted_by)
        case Reasoning() if part.signature is not None or part.encrypted is not None:
            return replace(part, minted_by=carries.minted_by)
        case _:
            return part


def text_parts(carries: Carries) -> st.SearchStrategy[Text]:
    made: st.SearchStrategy[Text] = st.builds(
        Text,
        text=words,
        cache=caches(carries.cache_on_text),
        signature=sometimes(carries.text_signature, base64s),
    )
    return made.map(lambda part: cast("Text", minted(part, carries)))


@st.composite
def citations(draw: st.DrawFn, carries: Carries, size: int) -> Citation:
    """A citation of a text of so many characters, as the dialect's own answers have it."""
    url, title, quote = "https://sources.example/a", draw(words), draw(words)
    if carries.citations == "ranges":
        start = draw(st.integers(0, size))
        end = draw(st.integers(start, size))
        return Citation(url=url, title=title, quote=quote, start=start, end=end, extra=Extra(carries.dialect, {}))
    own = {"type": "web_search_result_location", "encrypted_index": "AAAA"}
    return Citation(url=url, title=title, quote=quote, extra=Extra(carries.dialect, own))


def images(carries: Carries) -> st.SearchStrategy[Image]:
    by_url = st.builds(
        Image,
        url=names.map(lambda name: f"https://images.example/{name}.png"),
        detail=sometimes(carries.image_detail, st.sampled_from(["auto", "low", "high"])),
        cache=caches(carries.cache_on_images),
    )
    by_value = st.builds(
        Image,
        data=base64s,
        media_type=st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/gif"]),
        detail=sometimes(carries.image_detail, st.sampled_from(["auto", "low", "high"])),
        cache=caches(carries.cache_on_images),
    )
    kinds = [kind for kind, allowed in ((by_url, carries.image_urls), (by_value, carries.image_data)) if allowed]
    return st.one_of(kinds)


def sounds(carries: Carries) -> st.SearchStrategy[Audio]:
    return st.builds(
        Audio,
        data=st.just("AAAA"),
        media_type=st.sampled_from(["audio/wav", "audio/mpeg", "audio/flac"]),
        cache=caches(carries.cache_on_media),
    )


@st.composite
def documents(draw: st.DrawFn, carries: Carries) -> Document:
    kinds: dict[str, dict[str, Json]] = {
        "data": {"data": "AAAA", "media_type": "application/pdf"},
        "url": {"url": "https://documents.example/a.pdf"},
        "text": {"text": "Some text."},
        "file": {"file_id": "file_1", "extra": Extra(carries.dialect, {})},
    }
    return Document(
        title=draw(names),
        context=draw(sometimes(carries.document_words, words)),
        citations=draw(sometimes(carries.document_words, st.booleans())),
        cache=draw(caches(carries.cache_on_media)),
        **kinds[draw(st.sampled_from(carries.documents))],
    )


def user_parts(carries: Carries) -> st.SearchStrategy[tuple[Part, ...]]:
    kinds: list[st.SearchStrategy[Part]] = [text_parts(carries)]
    if carries.image_urls or carries.image_data:
        kinds.append(images(carries))
    if carries.sounds:
        kinds.append(sounds(carries))
    if carries.documents:
        kinds.append(documents(carries))
    return st.lists(st.one_of(kinds), min_size=1, max_size=3).map(tuple)


def arguments(carries: Carries) -> st.SearchStrategy[str]:
    as_object = json_objects.map(lambda fields: msgspec.json.encode(fields).decode())
    return as_object | texts if carries.arguments_as_text else as_object


def calls(carries: Carries) -> st.SearchStrategy[ToolCall]:
    made: st.SearchStrategy[ToolCall] = st.builds(
        ToolCall,
        id=ids,
        name=names,
        arguments=arguments(carries),
        cache=caches(carries.cache_on_calls),
        signature=sometimes(carries.call_signature, base64s),
    )
    return made.map(lambda part: cast("ToolCall", minted(part, carries)))


def reasonings(carries: Carries) -> st.SearchStrategy[Reasoning]:
    made: st.SearchStrategy[Reasoning] = st.builds(
        Reasoning,
        text=words,
        signature=sometimes(carries.reasoning_signature, base64s),
        encrypted=sometimes(carries.reasoning_encrypted, base64s),
    )
    return made.map(lambda part: cast("Reasoning", minted(part, carries)))


@st.composite
def assistant_parts(draw: st.DrawFn, carries: Carries, *, texts_at_most: int = 2) -> tuple[Part, ...]:
    """Reasoning, then text or a refusal, then calls: the order that every dialect can say. Never empty."""
    parts: list[Part] = []
    if carries.reasoning and draw(st.booleans()):
        parts.append(draw(reasonings(carries)))
    parts += draw(st.lists(text_parts(carries), max_size=texts_at_most))
    if carries.refusal and len(parts) < 2 and draw(st.booleans()):
        parts.append(Refusal(text=draw(words)))
    made: st.SearchStrategy[list[ToolCall]] = st.lists(calls(carries), max_size=2, unique_by=lambda call: call.id)
    parts += draw(made)
    return tuple(parts) or (Text(text=draw(words)),)


@st.composite
def results(draw: st.DrawFn, carries: Carries, call: ToolCall) -> ToolResult:
    kinds: list[st.SearchStrategy[Text | Image | Audio | Document]] = [
        text_parts(replace(carries, text_signature=False))
    ]
    if carries.result_images:
        kinds.append(images(carries))
    if carries.result_documents:
        kinds.append(documents(carries))
    return ToolResult(
        call_id=call.id,
        name=call.name,
        parts=tuple(draw(st.lists(st.one_of(kinds), min_size=1, max_size=2))),
        is_error=carries.result_error and draw(st.booleans()),
        cache=draw(caches(carries.cache_on_results)),
    )


@st.composite
def conversations(draw: st.DrawFn, carries: Carries) -> tuple[Message, ...]:
    """Turns in which every call is answered, so that a result's name can be found; ends with user or tool."""
    messages: list[Message] = []
    name = sometimes(carries.message_names, names)
    system_roles: list[Literal["system", "developer"]] = ["system", "developer"] if carries.developer else ["system"]

    def system() -> Message:
        parts = draw(st.lists(text_parts(carries), min_size=1, max_size=carries.system_parts))
        return Message(role=draw(st.sampled_from(system_roles)), parts=tuple(parts), name=draw(name))

    def user() -> Message:
        return Message(role="user", parts=draw(user_parts(carries)), name=draw(name))

    if draw(st.booleans()):
        messages.append(system())
    messages.append(user())
    used: set[str] = set()
    for _ in range(draw(st.integers(0, 2))):
        parts = [
            part for part in draw(assistant_parts(carries)) if not (isinstance(part, ToolCall) and part.id in used)
        ] or [Text(text=draw(words))]
        messages.append(Message(role="assistant", parts=tuple(parts), name=draw(name)))
        made = [part for part in parts if isinstance(part, ToolCall)]
        used |= {call.id for call in made}
        answers = [draw(results(carries, call)) for call in made]
        size = carries.results_per_message
        messages += [Message(role="tool", parts=tuple(answers[at : at + size])) for at in range(0, len(answers), size)]
        if carries.system_anywhere and draw(st.booleans()):
            messages.append(system())
        if not answers or draw(st.booleans()):
            messages.append(user())
    return tuple(messages)


@st.composite
def object_schemas(draw: st.DrawFn) -> dict[str, Json]:
    """Schemas of objects such as tools have: typed properties, some required."""
    leaf = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["a", "b"]}])
    nested = leaf | leaf.map(lambda schema: {"type": "array", "items": schema})
    properties = draw(st.dictionaries(names, nested, max_size=3))
    required = [name for name in properties if draw(st.booleans())]
    schema: dict[str, Json] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema


def tools(carries: Carries) -> st.SearchStrategy[Tool]:
    return st.builds(
        Tool,
        name=names,
        description=st.none() | words,
        parameters=object_schemas(),
        strict=sometimes(carries.tool_strict, st.booleans()),
        cache=caches(carries.cache_on_tools),
    )


def response_formats(carries: Carries) -> st.SearchStrategy[ResponseFormat | None]:
    kinds: list[st.SearchStrategy[ResponseFormat | None]] = [st.none()]
    kinds += [st.just(ResponseFormat(kind=kind)) for kind in ("text", "json_object") if kind in carries.formats]
    if "json_schema" in carries.formats:
        kinds.append(
            st.builds(
                ResponseFormat,
                kind=st.just("json_schema"),
                name=names if carries.format_names else st.none(),
                description=sometimes(carries.format_names, words),
                schema=object_schemas(),
                strict=sometimes(carries.format_names, st.booleans()),
            )
        )
    return st.one_of(kinds)


@st.composite
def reasoning_options(draw: st.DrawFn, carries: Carries) -> ReasoningOptions | None:
    options = ReasoningOptions(
        effort=draw(sometimes(bool(carries.effort), st.sampled_from(carries.effort or ("low",)))),
        budget=draw(sometimes(carries.budget, st.integers(1024, 32_000))),
        show=draw(sometimes(carries.show_reasoning, st.booleans())),
    )
    return None if options == ReasoningOptions() else options


@st.composite
def requests(draw: st.DrawFn, carries: Carries, *, with_extra: bool = True) -> CompletionRequest:
    """A request this dialect can carry."""
    offered = tuple(draw(st.lists(tools(carries), max_size=2, unique_by=lambda tool: tool.name)))
    choice: ToolChoice | None = None
    if offered:
        modes = st.sampled_from([ToolChoice(mode="auto"), ToolChoice(mode="none"), ToolChoice(mode="required")])
        named = st.sampled_from([tool.name for tool in offered]).map(lambda name: ToolChoice(mode="named", name=name))
        choice = draw(st.none() | modes | named)
    stream = draw(st.booleans())
    logprobs = draw(sometimes(carries.logprobs, st.booleans()))
    limit = st.integers(1, 100_000)
    return CompletionRequest(
        model=draw(names),
        messages=draw(conversations(carries)),
        tools=offered,
        tool_choice=choice,
        parallel_tool_calls=draw(sometimes(carries.parallel_tool_calls and bool(offered), st.booleans())),
        response_format=draw(response_formats(carries)),
        max_output_tokens=draw(limit if carries.max_output_required else st.none() | limit),
        temperature=draw(st.none() | st.floats(0, 1)),
        top_p=draw(st.none() | st.floats(0, 1)),
        top_k=draw(sometimes(carries.top_k, st.integers(1, 100))),
        stop=tuple(draw(st.lists(words, max_size=carries.stop))),
        seed=draw(sometimes(carries.seed, st.integers(0, 2**31 - 1))),
        presence_penalty=draw(sometimes(carries.penalties, numbers)),
        frequency_penalty=draw(sometimes(carries.penalties, numbers)),
        logit_bias=draw(
            sometimes(
                carries.logit_bias, st.dictionaries(counts.map(str), st.floats(-100, 100), min_size=1, max_size=3)
            )
        ),
        n=draw(sometimes(carries.choices, st.integers(1, 4))),
        logprobs=logprobs,
        top_logprobs=draw(sometimes(bool(logprobs), st.integers(0, 5))),
        reasoning=draw(reasoning_options(carries)),
        user=draw(sometimes(carries.user, words)),
        metadata=draw(sometimes(carries.metadata, st.dictionaries(names, texts, min_size=1, max_size=2))),
        service_tier=draw(sometimes(carries.service_tier, st.sampled_from(["auto", "default"]))),
        stream=stream,
        stream_usage=stream and (not carries.stream_usage or draw(st.booleans())),
        extra=draw(extras(carries.dialect)) if with_extra else None,
    )


# ---------------------------------------------------------------------------------------------------- answers


@st.composite
def usages(draw: st.DrawFn, carries: Carries) -> Usage:
    cached, fresh, written, thought, said = (draw(counts) for _ in range(5))
    written = written if carries.cache_written else 0
    thought = thought if carries.reasoning_usage else 0
    return Usage(
        input=cached + written + fresh,
        cached=cached,
        cache_written=written,
        output=thought + said,
        reasoning=thought,
        audio_input=draw(st.integers(0, fresh)) if carries.audio_usage else 0,
        audio_output=draw(st.integers(0, said)) if carries.audio_usage else 0,
    )


@st.composite
def token_logprobs(draw: st.DrawFn) -> tuple[TokenLogprob, ...]:
    def one(top: tuple[TokenLogprob, ...]) -> TokenLogprob:
        token = draw(words)
        told = draw(st.booleans())
        return TokenLogprob(
            token=token,
            logprob=draw(st.floats(-20, 0)),
            bytes=tuple(token.encode()) if told else None,
            top=top,
        )

    size = draw(st.integers(1, 3))
    return tuple(one(tuple(one(()) for _ in range(draw(st.integers(0, 2))))) for _ in range(size))


@st.composite
def completions(draw: st.DrawFn, carries: Carries, *, with_extra: bool = True) -> Completion:
    """A whole answer. Its texts are one part each, as most dialects answer."""
    size = draw(st.integers(1, 2)) if carries.choices else 1
    plain = replace(carries, cache_on_text=False, cache_on_calls=False)
    choices: list[Choice] = []
    for index in range(size):
        parts = draw(assistant_parts(plain, texts_at_most=1))
        if carries.citations != "no":
            parts = tuple(
                replace(part, citations=tuple(draw(st.lists(citations(carries, len(part.text)), max_size=2))))
                if isinstance(part, Text)
                else part
                for part in parts
            )
        has_calls = any(isinstance(part, ToolCall) for part in parts)
        finish: FinishReason = (
            "tool_calls"
            if has_calls
            else draw(st.sampled_from([reason for reason in carries.finishes if reason != "tool_calls"]))
        )
        choices.append(
            Choice(
                index=index,
                parts=parts,
                finish=finish,
                logprobs=draw(sometimes(carries.logprobs, token_logprobs())),
            )
        )
    return Completion(
        id=draw(ids),
        model=draw(names),
        choices=tuple(choices),
        created=draw(st.integers(0, 2**31)) if carries.created else None,
        usage=draw(st.none() | usages(carries)),
        extra=draw(extras(carries.dialect)) if with_extra else None,
    )


@st.composite
def events(draw: st.DrawFn, carries: Carries) -> tuple[Event, ...]:
    """A whole stream: started, pieces of the parts in order, finished, used."""
    stream: list[Event] = [
        Started(id=draw(ids), model=draw(names), created=draw(st.integers(0, 2**31)) if carries.created else None)
    ]
    size = draw(st.integers(1, 2)) if carries.choices else 1
    for choice in range(size):
        if carries.reasoning and draw(st.booleans()):
            signature = draw(sometimes(carries.reasoning_signature, base64s))
            pieces = draw(st.lists(words, min_size=1, max_size=3))
            stream += [ReasoningDelta(text=piece, choice=choice) for piece in pieces[:-1]]
            by = None if signature is None else carries.minted_by
            stream.append(ReasoningDelta(text=pieces[-1], choice=choice, signature=signature, minted_by=by))
        said = draw(st.lists(words, max_size=3))
        for piece in said:
            logprobs = draw(sometimes(carries.logprobs, token_logprobs()))
            stream.append(TextDelta(text=piece, choice=choice, logprobs=logprobs))
        if said and carries.citations != "no":
            size = sum(map(len, said))
            for cited in draw(st.lists(citations(carries, size), max_size=2)):
                whole = replace(cited, start=0, end=size) if carries.citations == "blocks" else cited
                stream.append(Cited(citation=whole, choice=choice))
        if carries.refusal and draw(st.booleans()):
            stream += [RefusalDelta(text=piece, choice=choice) for piece in draw(st.lists(words, max_size=2))]
        made = draw(st.lists(calls(replace(carries, cache_on_calls=False)), max_size=2, unique_by=lambda call: call.id))
        for number, call in enumerate(made):
            stream.append(
                ToolCallStarted(
                    call=number,
                    id=call.id,
                    name=call.name,
                    choice=choice,
                    signature=call.signature,
                    minted_by=call.minted_by,
                )
            )
            if call.arguments:
                cut = draw(st.integers(0, len(call.arguments)))
                for piece in (call.arguments[:cut], call.arguments[cut:]):
                    if piece:
                        stream.append(ToolCallDelta(call=number, arguments=piece, choice=choice))
        reasons = [reason for reason in carries.finishes if reason != "tool_calls"]
        reason: FinishReason = "tool_calls" if made else draw(st.sampled_from(reasons))
        stream.append(Finished(reason=reason, choice=choice))
    if draw(st.booleans()):
        stream.append(Used(usage=draw(usages(carries))))
    return tuple(stream)


def merged(stream: Iterable[Event]) -> list[Event]:
    """The events with adjacent deltas of one part joined: equal for two streams that say the same."""
    out: list[Event] = []
    for event in stream:
        last = out[-1] if out else None
        match last, event:
            case TextDelta(), TextDelta() if last.choice == event.choice and last.signature is None:
                joined = (last.logprobs or ()) + (event.logprobs or ())
                out[-1] = replace(event, text=last.text + event.text, logprobs=joined or None)
            case ReasoningDelta(), ReasoningDelta() if (
                last.choice == event.choice and last.signature is None and last.encrypted is None
            ):
                out[-1] = replace(event, text=last.text + event.text)
            case RefusalDelta(), RefusalDelta() if last.choice == event.choice:
                out[-1] = replace(last, text=last.text + event.text)
            case ToolCallDelta(), ToolCallDelta() if (last.choice, last.call) == (event.choice, event.call):
                out[-1] = replace(last, arguments=last.arguments + event.arguments)
            case _:
                out.append(event)
    return out


@st.composite
def chunkings(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The bytes, cut anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@st.composite
def mutilated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes cut, overwritten, or a JSON document with one of its values swapped for another."""
    kind = draw(st.sampled_from(["cut", "overwritten", "swapped"]))
    at = draw(st.integers(0, len(whole)))
    if kind == "cut":
        return whole[:at]
    if kind == "overwritten":
        return whole[:at] + draw(st.binary(min_size=1, max_size=3)) + whole[at + 1 :]
    document = msgspec.json.decode(whole)
    node, depth = document, draw(st.integers(1, 6))
    for _ in range(depth):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or draw(st.booleans()):
            node[key] = draw(st.sampled_from([None, True, -1, 1.5, 10**30, "x", [], {}, [1], [None], {"type": 3}]))
            break
        node = node[key]
    return msgspec.json.encode(document)


def gist(request: CompletionRequest) -> object:
    """Who said what, which tools there are, which were called and what they answered."""
    said: list[object] = []
    for message in request.messages:
        for part in message.parts:
            match part:
                case Text():
                    said.append((message.role, part.text))
                case Image():
                    said.append((message.role, part.url, part.data))
                case ToolCall():
                    said.append((part.id, part.name, msgspec.json.decode(part.arguments)))
                case ToolResult():
                    said.append((part.call_id, part.name, [one.text for one in part.parts if isinstance(one, Text)]))
                case _:
                    pass
    return said, [(tool.name, tool.description, tool.parameters) for tool in request.tools]
