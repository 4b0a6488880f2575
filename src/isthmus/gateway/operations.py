"""What every endpoint is for, what it takes and what it answers: a line each, for the OpenAPI of isthmus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.dialects.registry import FORMS

if TYPE_CHECKING:
    from isthmus.gateway.endpoint import Endpoint, Vendor
    from isthmus.gateway.schemas import Schema

JSON = "application/json"
EVENTS = "text/event-stream"
LINES = "application/x-jsonl"
BYTES = "application/octet-stream"
FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What can be said of an endpoint beside its method and path. Names of schemas are those of `SCHEMAS`."""

    summary: str
    takes: str | None = None
    """Schema of the body; None: none is wanted."""
    takes_form: bool = False
    """The body is a form, not JSON."""
    answers: str | None = None
    """Schema of the answer, in JSON; None: it is not JSON."""
    also: tuple[str, ...] = ()
    """Media types of answers that are not JSON."""
    unready: str | None = None
    """Schema of an answer of status 503 that is no error."""
    query: Mapping[str, Schema] | None = None
    crosses: bool = False
    """A model is asked: the answer may be an upstream's error, and says in its headers how it came about."""


def _limit(most: int) -> Schema:
    return {"type": "integer", "minimum": 0, "maximum": 999_999_999, "description": f"{most} at most are given."}


def _asks(summary: str, takes: str, answers: str, *also: str, query: Mapping[str, Schema] | None = None) -> Operation:
    return Operation(summary=summary, takes=takes, answers=answers, also=also, query=query, crosses=True)


_ID: Schema = {"type": "string"}
_ORDER: Schema = {"type": "string", "enum": ["asc", "desc"]}
_ALT: Schema = {"type": "string", "enum": ["sse", "json"]}

OPERATIONS: Mapping[tuple[Vendor, str, str], Operation] = {
    ("openai", "POST", "/v1/chat/completions"): _asks(
        "Complete a chat", "ChatCompletionRequest", "ChatCompletion", EVENTS
    ),
    ("openai", "POST", "/v1/responses"): _asks("Make a response", "ResponseRequest", "Response", EVENTS),
    ("openai", "POST", "/v1/responses/input_tokens"): _asks("Count tokens", "ResponseCountRequest", "ResponseTokens"),
    ("openai", "GET", "/v1/responses/{response}"): Operation(
        summary="An earlier response, where its workload keeps what is said",
        answers="Response",
        query={"stream": {"type": "string", "const": "false"}},
    ),
    ("openai", "DELETE", "/v1/responses/{response}"): Operation(
        summary="Forget an earlier response", answers="ResponseDeleted"
    ),
    ("openai", "GET", "/v1/responses/{response}/input_items"): Operation(
        summary="What was said before an earlier response",
        answers="ResponseItems",
        query={"limit": _limit(100), "order": _ORDER, "after": _ID},
    ),
    ("openai", "POST", "/v1/responses/{response}/cancel"): Operation(
        summary="Refused always: no response is made in the background"
    ),
    ("openai", "POST", "/v1/embeddings"): _asks("Vectors of texts", "EmbeddingRequest", "EmbeddingList"),
    ("openai", "POST", "/v1/moderations"): _asks("Whether a text is harmful", "ModerationRequest", "Moderation"),
    ("openai", "POST", "/v1/files"): Operation(
        summary="Hand over a file", takes="FileForm", takes_form=True, answers="File"
    ),
    ("openai", "GET", "/v1/files"): Operation(
        summary="List files",
        answers="FileList",
        query={
            "limit": _limit(10_000),
            "order": _ORDER,
            "after": _ID,
            "purpose": _ID,
        },
    ),
    ("openai", "GET", "/v1/files/{file}"): Operation(summary="What is known of a file", answers="File"),
    ("openai", "GET", "/v1/files/{file}/content"): Operation(summary="What is in a file", also=(BYTES,)),
    ("openai", "DELETE", "/v1/files/{file}"): Operation(summary="Delete a file", answers="FileDeleted"),
    ("openai", "POST", "/v1/batches"): Operation(summary="Make a batch", takes="BatchRequest", answers="Batch"),
    ("openai", "GET", "/v1/batches"): Operation(
        summary="List batches", answers="BatchList", query={"limit": _limit(100), "after": _ID}
    ),
    ("openai", "GET", "/v1/batches/{batch}"): Operation(summary="How far a batch is", answers="Batch"),
    ("openai", "POST", "/v1/batches/{batch}/cancel"): Operation(summary="Cancel a batch", answers="Batch"),
    ("openai", "GET", "/v1/models"): Operation(summary="Workloads and offers", answers="OpenAIModelList"),
    ("openai", "GET", "/v1/models/{model}"): Operation(summary="A workload or an offer", answers="OpenAIModel"),
    ("anthropic", "POST", "/v1/messages"): _asks("Answer messages", "MessageRequest", "Message", EVENTS),
    ("anthropic", "POST", "/v1/messages/count_tokens"): _asks("Count tokens", "MessageRequest", "MessageTokens"),
    ("anthropic", "POST", "/v1/messages/batches"): Operation(
        summary="Make a batch of messages", takes="MessageBatchRequest", answers="MessageBatch"
    ),
    ("anthropic", "GET", "/v1/messages/batches"): Operation(
        summary="List batches of messages",
        answers="MessageBatchList",
        query={"limit": _limit(1000), "after_id": _ID, "before_id": _ID},
    ),
    ("anthropic", "GET", "/v1/messages/batches/{batch}"): Operation(
        summary="How far a batch of messages is", answers="MessageBatch"
    ),
    ("anthropic", "POST", "/v1/messages/batches/{batch}/cancel"): Operation(
        summary="Cancel a batch of messages", answers="MessageBatch"
    ),
    ("anthropic", "DELETE", "/v1/messages/batches/{batch}"): Operation(
        summary="Delete a batch of messages that has ended", answers="MessageBatchDeleted"
    ),
    ("anthropic", "GET", "/v1/messages/batches/{batch}/results"): Operation(
        summary="The results of a batch of messages", also=(LINES,)
    ),
    ("anthropic", "GET", "/v1/models"): Operation(summary="Workloads and offers", answers="AnthropicModelList"),
    ("anthropic", "GET", "/v1/models/{model}"): Operation(summary="A workload or an offer", answers="AnthropicModel"),
    ("gemini", "POST", "/v1beta/models/{model}:generateContent"): _asks(
        "Generate content", "GenerateContentRequest", "Contents"
    ),
    ("gemini", "POST", "/v1beta/models/{model}:streamGenerateContent"): Operation(
        summary="Generate content, streaming",
        takes="GenerateContentRequest",
        also=(EVENTS, JSON),
        query={"alt": _ALT},
        crosses=True,
    ),
    ("gemini", "POST", "/v1beta/models/{model}:countTokens"): _asks("Count tokens", "CountTokensRequest", "Tokens"),
    ("gemini", "POST", "/v1beta/models/{model}:embedContent"): _asks(
        "The vector of a text", "EmbedContentRequest", "Embedding"
    ),
    ("gemini", "POST", "/v1beta/models/{model}:batchEmbedContents"): _asks(
        "Vectors of texts", "BatchEmbedContentsRequest", "Embeddings"
    ),
    ("gemini", "GET", "/v1beta/models"): Operation(summary="Workloads and offers", answers="GeminiModelList"),
    ("gemini", "GET", "/v1beta/models/{model}"): Operation(summary="A workload or an offer", answers="GeminiModel"),
    ("isthmus", "POST", "/isthmus/v1/explain"): Operation(
        summary="What would be decided for a request; nothing is sent, nothing recorded",
        takes="AnyRequest",
        answers="Decision",
        query={"form": {"type": "string", "enum": list(FORMS)}, "model": _ID},
    ),
    ("isthmus", "GET", "/isthmus/v1/openapi.json"): Operation(summary="This description", answers="OpenAPI"),
    ("isthmus", "GET", "/healthz"): Operation(summary="Whether the process serves", answers="Alive"),
    ("isthmus", "GET", "/readyz"): Operation(
        summary="Whether at least one offer can be asked", answers="Readiness", unready="Readiness"
    ),
}

_SAME_FOR_GEMINI = re.compile(r"/v1(?:beta|alpha)?/(?:models|tunedModels)\b")


def operation_of(endpoint: Endpoint) -> Operation | None:
    """What is said of an endpoint; None: nothing."""
    path = endpoint.path
    if endpoint.vendor == "gemini":  # its versions and sorts of models differ in name alone
        path = _SAME_FOR_GEMINI.sub("/v1beta/models", path, count=1)
    return OPERATIONS.get((endpoint.vendor, endpoint.method, path))
