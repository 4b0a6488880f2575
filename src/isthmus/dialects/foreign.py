"""What becomes of the fields only one dialect knows, when a request leaves by another.

They are refused, so that nothing a caller asked for is lost without a word. The exceptions are listed here, by the
dialect they belong to: fields whose meaning the domain's value carries as well (`SAID`), and fields that change nothing
in the answer's meaning (`HARMLESS`), which are left out and noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from isthmus.dialects.adapted import Adapted
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import Extra, Json

SAID: Mapping[str, frozenset[str]] = {
    "gemini-generate": frozenset(
        {
            "inlineData.displayName",  # the document's title
            "fileData.displayName",
        }
    ),
    "openai-chat": frozenset(
        {
            "max_completion_tokens",  # which of two names was used; the number is in `max_output_tokens`
            "prompt_cache_breakpoint",  # which of two forms was used; the mark is in `cache`
        }
    ),
    "openai-responses": frozenset(
        {
            "custom",  # how a tool was said whose schema says the same
            "encrypted_reasoning",  # that proofs are wanted, which clients are handed anyway
            "namespace",  # the first part of a tool's name
            "phase",  # of an earlier answer's text: whether a call followed it
            "prompt_cache_breakpoint",  # the mark is in `cache`
            "shown_in",  # where an earlier answer's thoughts stood
            "store",  # whether the answer is kept, which isthmus does itself or not at all
        }
    ),
}

HARMLESS: Mapping[str, frozenset[str]] = {
    "anthropic-messages": frozenset(
        {
            "anthropic_beta",  # what is tried out, where it is said in the body; what it asks for has fields of its own
            "anthropic_version",  # of the API, where it is said in the body (Bedrock, Vertex)
            "billing_policy",  # who pays the first provider
            "cache_control",  # at the request: the provider may place a cache mark by itself
            "context_management",  # what the provider may drop of a long conversation; here nothing is dropped
            "defer_loading",  # of tools that are searched for; where there is no search, all are known
            "diagnostics",  # tells about the cache, beside the answer
            "eager_input_streaming",  # how finely arguments are cut in a stream
            "input_examples",  # of a tool's arguments, beside its schema
            "metadata",  # what it holds beside the user
            "output_config.effort",  # for the rest of a conversation, said at one of its messages
            "output_config.task_budget",  # how far the model sees its tokens run out; the limit is `max_tokens`
            "speed",  # faster, at a higher price
            "user_profile_id",  # whom the provider should blame: an id at that provider
        }
    ),
    "gemini-generate": frozenset(
        {
            "behavior",  # of a tool in a live session
            "generationConfig.audioTimestamp",  # how finely sound is timed for the model
            "generationConfig.enableEnhancedCivicAnswers",
            "generationConfig.mediaResolution",  # how closely images are looked at, as `detail` elsewhere
            "mediaResolution",  # of one image or document, where it is none of the levels that `detail` has
            "partMetadata",  # the caller's own notes
            "labels",  # tags for the first provider's bills
            "response",  # of a tool, the schema of what it answers: told to the model beside that of its arguments
            "responseJsonSchema",
            "store",  # whether the provider keeps the answer for its own screens
            "thoughtSignature",  # of a picture that a model of Google's made: a proof for Google alone
            "toolConfig.functionCallingConfig.streamFunctionCallArguments",  # how arguments are cut in a stream
        }
    ),
    "openai-chat": frozenset(
        {
            "id",  # of an earlier answer's message, as clients return it
            "annotations",  # citations of an earlier answer, as clients return it
            "prompt_cache_key",  # where a provider keeps its cache; saves money, changes no answer
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",  # whom the provider should blame: an id at that provider
            "store",  # whether the provider keeps the answer for its own screens
            "stream_options",  # `include_obfuscation`: padding against eavesdroppers, which isthmus does not forward
        }
    ),
    "openai-responses": frozenset(
        {
            "client_metadata",  # of the client's own, for its maker's statistics
            "detail",  # of an image, `original`: other providers are sent every image whole; of a document
            "include",  # what the provider is to show of itself beside the answer
            "max_tool_calls",  # of tools that the provider runs
            "prompt_cache_key",  # where a provider keeps its cache; saves money, changes no answer
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning_context",  # which of its earlier thoughts the provider is to read
            "reasoning_summary",  # how thorough a summary of the thoughts is to be; that one is wanted is in `show`
            "safety_identifier",  # whom the provider should blame: an id at that provider
            "stream_options",  # `include_obfuscation`: padding against eavesdroppers, which isthmus does not forward
            "tools.tool_search",  # finds tools that are not told; those that are told are all known
            "tools.web_search",  # which coding agents offer unasked; where a search is demanded, `tool_choice` says so
            "truncation",  # what the provider does with too long an input; another says that it is too long
            "verbosity",  # how long an answer is wished to be
        }
    ),
}


NEUTRAL: Mapping[str, Mapping[str, Json]] = {
    "anthropic-messages": {
        "allowed_callers": ["direct"],
        "caller": {"type": "direct"},
        "defer_loading": False,
        "eager_input_streaming": False,
        "speed": "standard",
    },
    "gemini-generate": {
        "behavior": "BLOCKING",
        "functionCall.willContinue": False,
        "functionResponse.willContinue": False,
        "generationConfig.audioTimestamp": False,
        "generationConfig.enableEnhancedCivicAnswers": False,
        "generationConfig.mediaResolution": "MEDIA_RESOLUTION_UNSPECIFIED",
        "generationConfig.responseModalities": ["TEXT"],
        "store": False,
        "toolConfig.functionCallingConfig.streamFunctionCallArguments": False,
        "toolConfig.includeServerSideToolInvocations": False,
    },
    "openai-chat": {
        "ignore_eos": False,
        "length_penalty": 1,
        "min_p": 0,
        "prefix": False,  # of an answer's message: Mistral's client says of each that it is not the beginning of one
        "repetition_penalty": 1,
        "skip_special_tokens": True,
        "verbosity": "medium",
    },
    "openai-responses": {
        "background": False,
        "defer_loading": False,
        "truncation": "disabled",
        "verbosity": "medium",
    },
}
"""Values that say what every dialect means when nothing is said."""


def _blocks_nothing(settings: Json) -> bool:
    """Whether Gemini's safety settings only take its filters away: other providers have none to take away."""
    return isinstance(settings, list) and all(
        isinstance(one, dict) and one.get("threshold") in _NO_FILTER for one in settings
    )


_NO_FILTER = (None, "HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_NONE", "OFF")
HARMLESS_WHERE: Mapping[str, Mapping[str, Callable[[Json], bool]]] = {
    "gemini-generate": {"safetySettings": _blocks_nothing},
}
"""Fields that are harmless with some values."""


def own_fields(
    extra: Extra | None, *, dialect: str, where: str = "", adapted: Adapted | None = None
) -> Mapping[str, Json]:
    """The fields that `dialect` wrote itself.

    Args:
        extra: as found in the request.
        dialect: the one that is encoding.
        where: path of the value that carries `extra`, for the message.
        adapted: takes a note of what is left out.

    Raises:
        Unsupported: the fields are another dialect's, say something (null, empty lists and objects, and `NEUTRAL`
            values do not), and are not harmless to leave out.
    """
    if extra is None or not extra.fields:
        return {}
    if extra.dialect == dialect:
        return extra.fields
    for name, value in extra.fields.items():
        _leave_out(name, value, extra.dialect, dialect, where, adapted)
    return {}


def _leave_out(name: str, value: Json, theirs: str, ours: str, where: str, adapted: Adapted | None) -> None:
    if value is None or value in ([], {}) or name in SAID.get(theirs, frozenset()):
        return
    neutral = NEUTRAL.get(theirs, {})
    if name in neutral and value == neutral[name]:
        return
    harmless = HARMLESS.get(theirs, frozenset())
    where_harmless = HARMLESS_WHERE.get(theirs, {})
    param = f"{where}.{name}" if where else name
    if name in harmless or (name in where_harmless and where_harmless[name](value)):
        if adapted is not None:
            adapted.note(_PLACE.sub("", param), "left out")
    elif isinstance(value, dict) and any(
        known.startswith(f"{name}.") for known in (*harmless, *neutral, *SAID.get(theirs, ()))
    ):
        for inner, content in value.items():
            _leave_out(f"{name}.{inner}", content, theirs, ours, where, adapted)
    else:
        raise Unsupported(
            f"{param} is a field of {theirs} that cannot be said in {ours}, the dialect of this offer.",
            hint="Leave it out, or use an offer of the same dialect.",
            param=param,
        )


_PLACE = re.compile(r"\[\d+\]")
