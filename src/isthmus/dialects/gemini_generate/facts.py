"""What choosing needs of a request, but for what its path tells: the model, and whether it streams."""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import invalid
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.once import check_text
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.offer import Need
from isthmus.domain.request import RequestFacts

TOKENS_PER_IMAGE = 1_120
"""Of an image at the highest resolution of its own accord: https://ai.google.dev/gemini-api/docs/media-resolution"""


class _Thinking(msgspec.Struct, rename="camel"):
    thinking_budget: int | None = None


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: int | None = None
    response_logprobs: bool | None = None
    response_mime_type: str | None = None
    response_json_schema: dict[str, msgspec.Raw] | None = None
    response_schema: dict[str, msgspec.Raw] | None = None
    thinking_config: _Thinking | None = None


class _Body(msgspec.Struct, rename="camel"):
    contents: list[msgspec.Raw]
    tools: list[msgspec.Raw] | None = None
    generation_config: _Config | None = None


class _Blob(msgspec.Struct, rename="camel"):
    data: str = ""


class _Inner(msgspec.Struct, rename="camel"):
    inline_data: _Blob | None = None
    file_data: dict[str, msgspec.Raw] | None = None


class _Response(msgspec.Struct):
    parts: list[_Inner] | None = None


class _Part(_Inner, rename="camel"):
    function_response: _Response | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Contents(msgspec.Struct):
    contents: list[_Content]


_body = msgspec.json.Decoder(_Body)
_contents = msgspec.json.Decoder(_Contents)


def read_facts(body: bytes) -> RequestFacts:
    """The facts of a request's body; `model` is empty and `stream` false.

    Raises:
        InvalidRequest: not a request of this dialect.
    """
    try:
        fields = _body.decode(body)
        images = _images(body) if b'"inlineData"' in body or b'"fileData"' in body else []
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise invalid(exc) from exc
    check_text(body)
    if not fields.contents:
        raise InvalidRequest("contents must be a list with at least one content.", param="contents")
    config = fields.generation_config or _Config()
    needs: set[Need] = set()
    if images:
        needs.add("vision")
    if fields.tools:
        needs.add("tools")
    if config.response_mime_type == "application/json":
        has_schema = config.response_json_schema is not None or config.response_schema is not None
        needs.add("json_schema" if has_schema else "json_object")
    if config.response_logprobs:
        needs.add("logprobs")
    if config.candidate_count is not None and config.candidate_count > 1:
        needs.add("choices")
    if config.thinking_config is not None and config.thinking_config.thinking_budget != 0:
        needs.add("reasoning")
    return RequestFacts(
        model="",
        stream=False,
        needs=frozenset(needs),
        input_tokens=(len(body) - sum(images)) // BYTES_PER_TOKEN + len(images) * TOKENS_PER_IMAGE,
        max_output_tokens=config.max_output_tokens,
        messages=len(fields.contents),
    )


def _images(body: bytes) -> list[int]:
    """For each image, also those in results of tools, the length of its base64, which is no text to a model."""
    found: list[int] = []
    for content in _contents.decode(body).contents:
        for part in content.parts or ():
            results = part.function_response.parts if part.function_response is not None else None
            found += [
                0 if one.inline_data is None else len(one.inline_data.data)
                for one in (part, *(results or ()))
                if one.inline_data is not None or one.file_data is not None
            ]
    return found
