"""What requests and answers look like, as JSON Schema, for the OpenAPI of isthmus.

Of isthmus' own resources all is said. Of bodies that go to a model, or come from one, only what isthmus itself demands
or reads is said: the rest belongs to the vendor whose API it is, and may be there.

Source: JSON Schema 2020-12, as OpenAPI 3.1 takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, get_args

from isthmus.batches.batch import State
from isthmus.batches.endpoints import OPENAI_ENDPOINTS
from isthmus.batches.file import UPLOADED, Purpose
from isthmus.dialects.embeddings.openai import MOST_INPUTS
from isthmus.dialects.estimates import CONVERSATION_LIMIT
from isthmus.domain.decision import ReasonCode
from isthmus.domain.label import LabelSource
from isthmus.domain.offer import Goal, Side

Schema: TypeAlias = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_SOME_TEXT: Schema = {"type": "string", "minLength": 1}
_NUMBER: Schema = {"type": "integer"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_ANY: Schema = {"type": "object"}
_SECONDS: Schema = {"type": "integer", "description": "Seconds since 1970."}
_KEPT: Schema = {"type": "integer", "minimum": 3600, "maximum": 30 * 24 * 3600, "description": "Seconds."}
_TIME: Schema = {"type": "string", "format": "date-time"}

_LABEL = "[a-z0-9][a-z0-9._-]{0,62}"
LABELS: Schema = {"type": "string", "pattern": f"^ *({_LABEL})? *(, *({_LABEL})? *)*$"}
"""Labels with commas between; where nothing stands, no label is meant."""
CONVERSATION: Schema = {"type": "string", "maxLength": CONVERSATION_LIMIT}
PRINTABLE = "^[ -~¡-¬®-ÿ]*$"
"""Of ISO 8859-1, in which header fields are read."""


def ref(name: str) -> Schema:
    """A schema of `SCHEMAS` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(needed: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    """An object of which not all is said."""
    return {"type": "object", "properties": {**needed, **(more or {})}, "required": list(needed)}


def _exact(needed: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    """An object of which all is said."""
    return {**_object(needed, more), "additionalProperties": False}


def _list(item: Schema, *, least: int = 0) -> Schema:
    return {"type": "array", "items": item, **({"minItems": least} if least else {})}


def _or_null(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(kind: Any) -> Schema:
    return {"type": "string", "enum": list(get_args(kind))}


def _const(value: str | bool) -> Schema:
    return {"const": value}


def _page(item: str, *, object_: bool) -> Schema:
    said: dict[str, Schema] = {"object": _const("list")} if object_ else {}
    ends = {"first_id": _or_null(_TEXT), "last_id": _or_null(_TEXT), "has_more": _FLAG}
    return _exact({**said, "data": _list(ref(item)), **ends})


_OWN_METADATA: Schema = _or_null(
    _object(
        {},
        {
            "isthmus-labels": _or_null(LABELS),
            "isthmus-workload": _or_null(_TEXT),
            "isthmus-conversation": _or_null(CONVERSATION),
        },
    )
)
_MODEL: Schema = {**_SOME_TEXT, "description": "A workload, an offer, or `auto`."}

_INPUT: Schema = {"anyOf": [_SOME_TEXT, _list(_ANY)]}
_OF_RESPONSES: Mapping[str, Schema] = {
    "stream": _or_null(_FLAG),
    "tools": _or_null({"type": "array"}),
    "text": _or_null(_object({}, {"format": _or_null(_object({}, {"type": _or_null(_TEXT)}))})),
    "reasoning": _or_null(_object({}, {"effort": _or_null(_TEXT), "summary": _or_null(_TEXT)})),
    "include": _or_null(_list(_TEXT)),
    "top_logprobs": _or_null(_NUMBER),
    "max_output_tokens": _or_null(_NUMBER),
    "previous_response_id": _or_null(_TEXT),
    "background": {"enum": [False, None], "description": "Answers are given while the caller waits."},
    "conversation": {"type": "null", "description": "isthmus looks at all that is said: send it."},
    "prompt": {"type": "null", "description": "isthmus looks at all that is said: send it."},
    "metadata": _OWN_METADATA,
}

_ERRORS: Mapping[str, Schema] = {
    "OpenAIError": _exact(
        {
            "error": _exact(
                {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": _or_null(_TEXT),
                    "code": _TEXT,
                    "request_id": _TEXT,
                }
            )
        }
    ),
    "AnthropicError": _exact(
        {"type": _const("error"), "error": _exact({"type": _TEXT, "message": _TEXT}), "request_id": _TEXT}
    ),
    "GeminiError": _exact(
        {
            "error": _exact(
                {
                    "code": {"type": "integer", "minimum": 400, "maximum": 599},
                    "message": _TEXT,
                    "status": _TEXT,
                    "details": _list(_ANY),
                }
            )
        }
    ),
}

_REQUESTS: Mapping[str, Schema] = {
    "ChatCompletionRequest": _object(
        {"model": _MODEL, "messages": _list(_ANY, least=1)},
        {
            "stream": _or_null(_FLAG),
            "stream_options": _or_null(_object({}, {"include_usage": _or_null(_FLAG)})),
            "tools": _or_null({"type": "array"}),
            "response_format": _or_null(_object({"type": _TEXT})),
            "logprobs": _or_null(_FLAG),
            "n": _or_null({"type": "integer", "minimum": 1}),
            "reasoning_effort": _or_null(_TEXT),
            "max_tokens": _or_null(_NUMBER),
            "max_completion_tokens": _or_null(_NUMBER),
            "metadata": _OWN_METADATA,
        },
    ),
    "ResponseRequest": _object({"model": _MODEL, "input": _INPUT}, _OF_RESPONSES),
    "ResponseCountRequest": _object({"input": _INPUT}, {"model": _or_null(_MODEL), **_OF_RESPONSES}),
    "EmbeddingRequest": _object(
        {
            "model": _MODEL,
            "input": {
                "anyOf": [
                    _SOME_TEXT,
                    {**_list(_SOME_TEXT, least=1), "maxItems": MOST_INPUTS},
                    _list(_COUNT, least=1),
                    {**_list(_list(_COUNT, least=1), least=1), "maxItems": MOST_INPUTS},
                ]
            },
        },
        {"metadata": _OWN_METADATA},
    ),
    "ModerationRequest": _object(
        {"input": {"anyOf": [_SOME_TEXT, _list({"anyOf": [_TEXT, _object({"type": _TEXT})]}, least=1)]}},
        {"model": _or_null(_TEXT), "metadata": _OWN_METADATA},
    ),
    "MessageRequest": _object(
        {"model": _MODEL, "messages": {"type": "array", "minItems": 1}},
        {
            "max_tokens": _or_null(_NUMBER),
            "stream": _or_null(_FLAG),
            "tools": _or_null({"type": "array"}),
            "output_config": _or_null(_object({}, {"format": _or_null(_ANY)})),
            "thinking": _or_null(_object({"type": _TEXT})),
            "metadata": _OWN_METADATA,
        },
    ),
    "GenerateContentRequest": _object(
        {"contents": {"type": "array", "minItems": 1}},
        {
            "tools": _or_null({"type": "array"}),
            "generationConfig": _or_null(
                _object(
                    {},
                    {
                        "maxOutputTokens": _or_null(_NUMBER),
                        "candidateCount": _or_null(_NUMBER),
                        "responseLogprobs": _or_null(_FLAG),
                        "responseMimeType": _or_null(_TEXT),
                        "responseJsonSchema": _or_null(_ANY),
                        "responseSchema": _or_null(_ANY),
                        "thinkingConfig": _or_null(_object({}, {"thinkingBudget": _or_null(_NUMBER)})),
                    },
                )
            ),
            "labels": _OWN_METADATA,
        },
    ),
    "CountTokensRequest": {
        "anyOf": [
            ref("GenerateContentRequest"),
            _exact({"generateContentRequest": ref("GenerateContentRequest")}),
        ]
    },
    "EmbedContentRequest": _exact(
        {"content": _object({"parts": _list(_exact({"text": _SOME_TEXT}), least=1)})},
        {
            "model": {"description": "Not looked at: the path names the model."},
            "taskType": _or_null(_TEXT),
            "title": _or_null(_TEXT),
            "outputDimensionality": _or_null(_NUMBER),
        },
    ),
    "BatchEmbedContentsRequest": _object(
        {"requests": {**_list(ref("EmbedContentRequest"), least=1), "maxItems": MOST_INPUTS}}
    ),
    "FileForm": _exact(
        {
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
            "purpose": {"type": "string", "enum": list(UPLOADED)},
        },
        {
            "expires_after[anchor]": _const("created_at"),
            "expires_after[seconds]": _KEPT,
            "expires_after": _object({"anchor": _const("created_at"), "seconds": _KEPT}),
        },
    )
    | {
        "dependentRequired": {
            "expires_after[anchor]": ["expires_after[seconds]"],
            "expires_after[seconds]": ["expires_after[anchor]"],
        },
        "dependentSchemas": {"expires_after": {"not": {"required": ["expires_after[anchor]"]}}},
    },
    "BatchRequest": _object(
        {
            "input_file_id": _TEXT,
            "endpoint": {"type": "string", "enum": list(OPENAI_ENDPOINTS)},
            "completion_window": _const("24h"),
        },
        {
            "metadata": _or_null(
                {
                    "type": "object",
                    "maxProperties": 16,
                    "propertyNames": {"maxLength": 64},
                    "properties": {"isthmus-labels": LABELS},
                    "additionalProperties": {"type": "string", "maxLength": 512},
                }
            ),
            "output_expires_after": _or_null(_object({"anchor": _const("created_at"), "seconds": _KEPT})),
        },
    ),
    "MessageBatchRequest": _object(
        {
            "requests": _list(
                _object(
                    {
                        "custom_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                        "params": {"description": "What `POST /v1/messages` takes; looked at when it is its turn."},
                    }
                ),
                least=1,
            )
        }
    ),
    "AnyRequest": {"type": "object", "description": "What the endpoint of the form takes."},
}

_OPENAI_MODEL = {"id": _TEXT, "object": _const("model"), "created": _SECONDS, "owned_by": _TEXT}
_ANTHROPIC_MODEL = {
    "type": _const("model"),
    "id": _TEXT,
    "display_name": _TEXT,
    "created_at": _TIME,
    "lifecycle": _const("active"),
}
_GEMINI_MODEL = {"name": _TEXT, "displayName": _TEXT, "supportedGenerationMethods": _list(_TEXT)}

_ANSWERS: Mapping[str, Schema] = {
    "ChatCompletion": _object({"id": _TEXT, "object": _const("chat.completion"), "choices": _list(_ANY)}),
    "Response": _object({"id": _TEXT, "object": _const("response"), "status": _TEXT, "output": _list(_ANY)}),
    "ResponseTokens": _object({"object": _const("response.input_tokens"), "input_tokens": _COUNT}),
    "ResponseItems": _object({"object": _const("list"), "data": _list(_ANY), "has_more": _FLAG}),
    "ResponseDeleted": _exact({"id": _TEXT, "object": _const("response"), "deleted": _const(value=True)}),
    "EmbeddingList": _object(
        {
            "object": _const("list"),
            "data": _list(_object({"index": _COUNT, "embedding": {"type": ["array", "string"]}})),
        }
    ),
    "Moderation": _object({"results": _list(_object({"flagged": _FLAG}))}),
    "Message": _object({"id": _TEXT, "type": _const("message"), "role": _const("assistant"), "content": _list(_ANY)}),
    "MessageTokens": _object({"input_tokens": _COUNT}),
    "Contents": _object({}, {"candidates": _list(_ANY), "usageMetadata": _ANY}),
    "Tokens": _object({"totalTokens": _COUNT}, {"cachedContentTokenCount": _COUNT}),
    "Embedding": _object({"embedding": _object({"values": _list({"type": "number"})})}),
    "Embeddings": _object({"embeddings": _list(_object({"values": _list({"type": "number"})}))}),
    "File": _exact(
        {
            "id": _TEXT,
            "object": _const("file"),
            "bytes": _COUNT,
            "created_at": _SECONDS,
            "expires_at": _SECONDS,
            "filename": _TEXT,
            "purpose": _one_of(Purpose),
            "status": _const("processed"),
        }
    ),
    "FileList": _page("File", object_=True),
    "FileDeleted": _exact({"id": _TEXT, "object": _const("file"), "deleted": _const(value=True)}),
    "Batch": _exact(
        {
            "id": _TEXT,
            "object": _const("batch"),
            "endpoint": _TEXT,
            "errors": _or_null(
                _exact(
                    {
                        "object": _const("list"),
                        "data": _list(
                            _exact(
                                {
                                    "code": _TEXT,
                                    "message": _TEXT,
                                    "param": _or_null(_TEXT),
                                    "line": _or_null(_NUMBER),
                                }
                            )
                        ),
                    }
                )
            ),
            "input_file_id": _or_null(_TEXT),
            "completion_window": _const("24h"),
            "status": _one_of(State),
            "output_file_id": _or_null(_TEXT),
            "error_file_id": _or_null(_TEXT),
            "created_at": _SECONDS,
            **{
                f"{happened}_at": _or_null(_SECONDS)
                for happened in (
                    "in_progress",
                    "expires",
                    "finalizing",
                    "completed",
                    "failed",
                    "expired",
                    "cancelling",
                    "cancelled",
                )
            },
            "request_counts": _exact({"total": _COUNT, "completed": _COUNT, "failed": _COUNT}),
            "metadata": _or_null({"type": "object", "additionalProperties": _TEXT}),
            "usage": _or_null(
                _exact(
                    {
                        "input_tokens": _COUNT,
                        "input_tokens_details": _exact({"cached_tokens": _COUNT}),
                        "output_tokens": _COUNT,
                        "output_tokens_details": _exact({"reasoning_tokens": _COUNT}),
                        "total_tokens": _COUNT,
                    }
                )
            ),
        }
    ),
    "BatchList": _page("Batch", object_=True),
    "MessageBatch": _exact(
        {
            "id": _TEXT,
            "type": _const("message_batch"),
            "processing_status": {"type": "string", "enum": ["in_progress", "canceling", "ended"]},
            "request_counts": _exact(
                dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), _COUNT)
            ),
            "created_at": _TIME,
            "expires_at": _TIME,
            "ended_at": _or_null(_TIME),
            "cancel_initiated_at": _or_null(_TIME),
            "archived_at": {"type": "null"},
            "results_url": _or_null(_TEXT),
        }
    ),
    "MessageBatchList": _page("MessageBatch", object_=False),
    "MessageBatchDeleted": _exact({"id": _TEXT, "type": _const("message_batch_deleted")}),
    "OpenAIModel": _exact(_OPENAI_MODEL),
    "OpenAIModelList": _exact({"object": _const("list"), "data": _list(ref("OpenAIModel"))}),
    "AnthropicModel": _exact(_ANTHROPIC_MODEL),
    "AnthropicModelList": _page("AnthropicModel", object_=False),
    "GeminiModel": _exact(_GEMINI_MODEL),
    "GeminiModelList": _exact({"models": _list(ref("GeminiModel"))}),
    "Decision": _exact(
        {
            "workload": _TEXT,
            "goal": _one_of(Goal),
            "labels": _list(
                _exact(
                    {
                        "label": _TEXT,
                        "source": _one_of(LabelSource),
                        "where": _or_null(_TEXT),
                        "finder": _or_null(_TEXT),
                    }
                )
            ),
            "route": _list(
                _exact(
                    {
                        "offer": _TEXT,
                        "model": _TEXT,
                        "provider": _TEXT,
                        "side": _one_of(Side),
                        "expected_cost": _or_null({**_TEXT, "description": "Dollars, exact."}),
                        "lowered": _list(_TEXT),
                    }
                )
            ),
            "rejected": _list(_exact({"offer": _TEXT, "code": _one_of(ReasonCode), "sentence": _TEXT})),
            "catalog_version": _TEXT,
            "policy_version": _or_null(_TEXT),
        }
    ),
    "Alive": _exact({"status": _const("ok")}),
    "Readiness": _exact({"ready": _FLAG, "waiting_for": _list(_TEXT)}),
    "OpenAPI": _object({"openapi": _TEXT, "info": _ANY, "paths": _ANY}),
}

SCHEMAS: Mapping[str, Schema] = {**_ERRORS, **_REQUESTS, **_ANSWERS}
