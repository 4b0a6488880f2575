"""The dialects, and the other forms of requests, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from isthmus.dialects.dialect import Dialect, Form, Resumable, WholeForm
from isthmus.domain.errors import ConfigError
from isthmus.domain.request import Operation

_WHERE = {
    "openai-chat": ("isthmus.dialects.openai_chat", "OPENAI_CHAT"),
    "openai-responses": ("isthmus.dialects.openai_responses", "OPENAI_RESPONSES"),
    "anthropic-messages": ("isthmus.dialects.anthropic_messages", "ANTHROPIC_MESSAGES"),
    "gemini-generate": ("isthmus.dialects.gemini_generate", "GEMINI_GENERATE"),
}

NAMES = tuple(_WHERE)
"""Every dialect there is."""

_WHOLE: dict[str, tuple[Operation, str, str, str]] = {
    "openai-embeddings": ("embed", "openai-chat", "isthmus.dialects.embeddings.openai", "OPENAI_EMBEDDINGS"),
    "gemini-batch-embed": ("embed", "gemini-generate", "isthmus.dialects.embeddings.gemini", "GEMINI_BATCH_EMBED"),
    "gemini-embed": ("embed", "", "isthmus.dialects.embeddings.gemini", "GEMINI_EMBED"),
    "openai-moderations": ("moderate", "openai-chat", "isthmus.dialects.moderations.openai", "OPENAI_MODERATIONS"),
    "openai-responses-count": (
        "count_tokens",
        "openai-responses",
        "isthmus.dialects.counting.openai",
        "OPENAI_RESPONSES_COUNT",
    ),
    "anthropic-count": ("count_tokens", "anthropic-messages", "isthmus.dialects.counting.anthropic", "ANTHROPIC_COUNT"),
    "gemini-count": ("count_tokens", "gemini-generate", "isthmus.dialects.counting.gemini", "GEMINI_COUNT"),
}
"""Forms of what answers whole: the operation, the dialect at whose offers they are found (empty: at none), where."""

_VARIANTS = {"gemini-generate-array": ("isthmus.dialects.gemini_generate", "GEMINI_GENERATE_ARRAY")}
"""Dialects towards clients alone, that differ from their namesake in how a stream is sent."""
IN_ONE_DOCUMENT = frozenset({"gemini-generate-array"})
"""Of these a stream is one JSON document, sent in pieces."""

_RESUMABLE = {"openai-responses": ("isthmus.dialects.openai_responses", "RESUMABLE")}
"""Dialects whose clients may go on from an earlier answer."""

FORMS = (*NAMES, *_WHOLE)
"""Every form in which clients may ask."""

_loaded: dict[str, Dialect] = {}
_loaded_whole: dict[str, WholeForm[Any, Any]] = {}


def dialect_of(name: str) -> Dialect:
    """The dialect of that name. Its module is imported when it is first asked for.

    Raises:
        ConfigError: there is none of that name.
    """
    if (known := _loaded.get(name)) is not None:
        return known
    if name not in _WHERE:
        raise ConfigError(f"There is no dialect {name!r}.", hint=f"Use one of: {', '.join(NAMES)}.")
    module, attribute = _WHERE[name]
    return _loaded.setdefault(name, cast("Dialect", getattr(import_module(module), attribute)))


def form_of(name: str) -> Form:
    """The form of that name, a dialect or one of the others.

    Raises:
        ConfigError: there is none of that name.
    """
    if name in _WHOLE:
        return whole_form_of(name)
    if name in _VARIANTS:
        module, attribute = _VARIANTS[name]
        return cast("Form", getattr(import_module(module), attribute))
    if name not in _WHERE:
        raise ConfigError(f"There is no form {name!r}.", hint=f"Use one of: {', '.join(FORMS)}.")
    return dialect_of(name)


def whole_form_of(name: str) -> WholeForm[Any, Any]:
    """The form of that name, of an operation that answers whole."""
    if (known := _loaded_whole.get(name)) is not None:
        return known
    _, _, module, attribute = _WHOLE[name]
    return _loaded_whole.setdefault(name, cast("WholeForm[Any, Any]", getattr(import_module(module), attribute)))


def offered(operation: Operation, dialect: str) -> WholeForm[Any, Any] | None:
    """The form in which offers of a dialect are asked for an operation that answers whole; None: they cannot be."""
    for name, (does, at, _, _) in _WHOLE.items():
        if does == operation and at == dialect:
            return whole_form_of(name)
    return None


def resumable(name: str) -> Resumable | None:
    """How clients of a form go on from an earlier answer; None: they do not."""
    if name not in _RESUMABLE:
        return None
    module, attribute = _RESUMABLE[name]
    return cast("Resumable", getattr(import_module(module), attribute))
