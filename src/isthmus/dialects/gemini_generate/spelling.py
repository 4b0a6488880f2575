"""Names of fields, which the API takes in two spellings: `inlineData`, as its documents have it, and `inline_data`.

Names that a caller made up (arguments, properties of schemas, labels) are nobody's to change, nor are fields that are
not known here: whoever speaks this dialect itself gets them as they are.
"""

from __future__ import annotations

import re

import msgspec

from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import Json

_NAMES = (
    "systemInstruction generationConfig toolConfig safetySettings cachedContent serviceTier inlineData "
    "fileData functionCall functionResponse thoughtSignature mediaResolution videoMetadata executableCode "
    "codeExecutionResult partMetadata mimeType fileUri displayName functionDeclarations "
    "parametersJsonSchema responseJsonSchema functionCallingConfig allowedFunctionNames retrievalConfig "
    "googleSearch googleSearchRetrieval googleMaps codeExecution urlContext fileSearch computerUse "
    "includeServerSideToolInvocations streamFunctionCallArguments maxOutputTokens candidateCount "
    "stopSequences topP topK presencePenalty frequencyPenalty responseLogprobs responseMimeType "
    "responseSchema responseModalities thinkingConfig thinkingBudget thinkingLevel includeThoughts "
    "speechConfig imageConfig audioTimestamp enableEnhancedCivicAnswers anyOf propertyOrdering minItems "
    "maxItems minLength maxLength minProperties maxProperties "
)
_CAMEL = {re.sub(r"[A-Z]", lambda upper: "_" + upper[0].lower(), name): name for name in _NAMES.split()}
_SNAKE = re.compile(rb'"[a-z]+(?:_[a-z]+)+"\s*:')

_THEIRS = frozenset(
    {
        "args",
        "response",
        "labels",
        "partMetadata",
        "parametersJsonSchema",
        "responseJsonSchema",
        "default",
        "example",
        "enum",
    }
)
"""Fields whose content is the caller's own."""
_NAMED = frozenset({"properties"})
"""Objects with names of the caller's own and values of the API's."""


def spelled(body: bytes) -> bytes:
    """The body with the names the documents have; the very same bytes where they are so already.

    Raises:
        InvalidRequest: it is no JSON, or says a field in both spellings.
    """
    if _SNAKE.search(body) is None:
        return body
    try:
        content: Json = msgspec.json.decode(body)
        return msgspec.json.encode(_respelled(content))
    except UNREADABLE as exc:
        raise invalid(exc) from exc


def _respelled(value: Json) -> Json:
    if isinstance(value, list):
        return [_respelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    said: dict[str, Json] = {}
    for told, inner in value.items():
        name = str(_CAMEL.get(told, told))
        if name in said:
            raise InvalidRequest(f"{name} is said twice, in two spellings.", hint="Say it once.", param=name)
        if name in _THEIRS:
            said[name] = inner
        elif name in _NAMED and isinstance(inner, dict):
            said[name] = {key: _respelled(schema) for key, schema in inner.items()}
        else:
            said[name] = _respelled(inner)
    return said
