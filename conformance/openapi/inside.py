"""What is told to schemathesis, within its own environment: whom to ask, one check more, and what is excepted.

Read by schemathesis (SCHEMATHESIS_HOOKS). Knows nothing of isthmus but its wire.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any
from zlib import crc32

import schemathesis

_SPEC = os.environ["CONFORMANCE_SPEC"]
_NOTES = Path(os.environ["CONFORMANCE_NOTES"])
_EXCEPTIONS = [
    one
    for one in tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text())["exception"]
    if _SPEC in one["specs"]
]
_THERE: dict[str, str] = json.loads(os.environ["CONFORMANCE_THERE"])
"""Ids of what is there, by what it is."""
_COMPLETING = ("at-openai", "at-anthropic", "at-gemini")
_SERVING = {
    "/embeddings": ("text-embedding-3-small", "gemini-embedding-001"),
    "/moderations": ("omni-moderation-2024-09-26",),
    "embedContent": ("gemini-embedding-001", "text-embedding-3-small"),
    "batchEmbedContents": ("gemini-embedding-001", "text-embedding-3-small"),
}
_SENSIBLE = {
    "messages": [{"role": "user", "content": "Say hello."}],
    "contents": [{"role": "user", "parts": [{"text": "Say hello."}]}],
    "input": "Say hello.",
}
_HARMLESS = frozenset(
    {
        "model",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n",
        "metadata",
        "labels",
        "content",
    }
)
_ERROR = frozenset({"message", "type", "param", "code"})


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001 - the hook's signature
    """Let what is asked get further than the door: name models, files and batches that are there.

    What is done is told by what is asked, so that the same happens when a failure is replayed.
    """
    chance = crc32(repr((case.body, case.path_parameters)).encode())
    serving = next((names for end, names in _SERVING.items() if case.path.endswith(end)), _COMPLETING)
    name = serving[chance % len(serving)]
    body = case.body
    if isinstance(body, dict):
        if _is_valid(case) and chance % 2 and (said := _SENSIBLE.keys() & body.keys()):
            kept = {key: value for key, value in body.items() if key in _HARMLESS}
            body = {**kept, **{key: _SENSIBLE[key] for key in said}}
        if case.path.endswith("/explain") and _is_valid(case) and chance % 2:
            body = {"model": name, "messages": _SENSIBLE["messages"]}
            case.query.pop("form", None)
            case.query.pop("model", None)
        if _is_text(body.get("model")):
            body = {**body, "model": name}
        if _is_text(body.get("input_file_id")):
            body = {**body, "input_file_id": _THERE["file"]}
        case.body = body
    for parameter, value in case.path_parameters.items():
        if parameter == "model" and _is_text(value):
            case.path_parameters[parameter] = name
        elif case.method == "DELETE" and value in _THERE.values():
            case.path_parameters[parameter] = "gone"  # it is to stay there
        elif (
            chance % 2
            and case.method != "DELETE"
            and not _is_linked(case)
            and (there := _there(case.path, parameter)) is not None
        ):
            case.path_parameters[parameter] = there
    if _is_text(case.headers.get("isthmus-workload")):
        case.headers["isthmus-workload"] = name


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_valid(case: Any) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _is_linked(case: Any) -> bool:
    """Whether it is about something that a request before has made."""
    return case.meta is not None and case.meta.phase.name == "stateful"


def _there(path: str, parameter: str) -> str | None:
    """The id of a thing that a parameter of a path means."""
    thing = parameter.removesuffix("_id")
    return _THERE.get("message_batch" if thing == "batch" and "/messages/" in path else thing)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:  # noqa: ARG001
    """Count."""
    _note(operation=case.operation.label, status=response.status_code)


@schemathesis.check
def errors_have_their_shape(context: Any, response: Any, case: Any) -> None:  # noqa: ARG001
    """What is refused is told as OpenAI tells it, which its OpenAPI does not say of most operations."""
    if _SPEC != "openai" or response.status_code < 400:
        return
    assert response.headers["content-type"][0].startswith("application/json"), "an error is not JSON"
    error = json.loads(response.content)["error"]
    assert error.keys() >= _ERROR, f"an error lacks {_ERROR - error.keys()}"
    assert isinstance(error["message"], str), "the message of an error is no text"
    assert error["message"], "an error has no message"


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:  # noqa: ARG001
    """Leave out what is excepted, and note that it was."""
    kind = type(failure).__name__
    told = f"{failure.title}\n{failure.message}\n{response.content[:4000].decode('utf-8', 'replace')}"
    for one in _EXCEPTIONS:
        if (
            kind in one["failures"]
            and re.search(one["operations"], case.operation.label)
            and re.search(one.get("told", ""), told)
            and re.search(one.get("sent", ""), _sent(case))
        ):
            _note(exception=one["reason"])
            return False
    return True


def _sent(case: Any) -> str:
    try:
        return json.dumps(case.body)
    except TypeError:  # a form, or nothing
        return ""


def _note(**said: object) -> None:
    with _NOTES.open("a") as notes:
        notes.write(json.dumps(said) + "\n")
