"""The OpenAPI says what there is, and what it says is so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from isthmus.domain.errors import (
    ConfigError,
    InvalidRequest,
    IsthmusError,
    PolicyError,
    ProviderError,
    RequestError,
    UpstreamRefused,
    UpstreamTimeout,
)
from isthmus.gateway.endpoint import Vendor, endpoints
from isthmus.gateway.openapi import document, encoded
from isthmus.gateway.operations import OPERATIONS, operation_of
from isthmus.gateway.refusal import shape_of
from isthmus.gateway.schemas import SCHEMAS

PAGE = Path(__file__).parents[3] / "docs/reference/openapi.json"
ERRORS: dict[Vendor, str] = {
    "openai": "OpenAIError",
    "anthropic": "AnthropicError",
    "gemini": "GeminiError",
    "isthmus": "OpenAIError",
}


def said() -> Any:
    return json.loads(encoded())


def refs(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        if isinstance(told.get("$ref"), str):
            yield told["$ref"]
        for inner in told.values():
            yield from refs(inner)
    elif isinstance(told, list):
        for inner in told:
            yield from refs(inner)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}})


def test_what_is_in_the_documentation_is_what_the_programme_says() -> None:
    assert PAGE.read_bytes() == encoded(), "python -m isthmus.gateway.openapi > docs/reference/openapi.json"


def test_it_can_be_written_by_a_command() -> None:
    done = subprocess.run([sys.executable, "-m", "isthmus.gateway.openapi"], capture_output=True, check=True)
    assert done.stdout == encoded()


def test_every_endpoint_is_there_and_nothing_else() -> None:
    besides = {"parameters", "servers"}
    there = {(name.upper(), path) for path, inner in said()["paths"].items() for name in inner if name not in besides}
    assert there == {(one.method, one.path) for one in endpoints()}


def test_something_is_said_of_every_endpoint_and_of_nothing_that_is_gone() -> None:
    assert [(one.method, one.path) for one in endpoints() if operation_of(one) is None] == []
    used = {id(operation_of(one)) for one in endpoints()}
    assert [place for place, one in OPERATIONS.items() if id(one) not in used] == []


def test_what_is_referred_to_is_there_and_what_is_there_is_referred_to() -> None:
    whole = said()
    referred = set(refs(whole))
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers", "parameters")
        for name in whole["components"][kind]
    }
    assert referred == there


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_ids_of_operations_are_there_once() -> None:
    ids = [one["operationId"] for inner in said()["paths"].values() for one in inner.values() if "operationId" in one]
    assert len(ids) == len(set(ids))


def raised() -> Iterator[IsthmusError]:
    """An error of each kind that clients are told."""
    waiting: list[type[IsthmusError]] = [IsthmusError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind is UpstreamRefused:
            yield from (UpstreamRefused("m", status=status) for status in (400, 413, 415, 422, 429, 500, 503, 529))
        elif kind is UpstreamTimeout:
            yield UpstreamTimeout("m", phase="total")
        elif kind not in {ConfigError, PolicyError, ProviderError, RequestError}:
            yield kind("m", hint="h")


@pytest.mark.parametrize("vendor", get_args(Vendor))
def test_errors_are_told_as_is_said(vendor: Vendor) -> None:
    for error in raised():
        validator(ERRORS[vendor]).validate(json.loads(shape_of(vendor).encode_error(error, "req_1")))


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1beta/models/{model}:streamGenerateContent"]
)
def test_every_status_of_an_error_is_said_where_a_model_is_asked(path: str) -> None:
    statuses = said()["paths"][path]["post"]["responses"].keys()
    assert {str(error.status) for error in raised()} <= statuses


def test_a_shape_of_errors_is_not_another() -> None:
    told = json.loads(shape_of("anthropic").encode_error(InvalidRequest("m"), "req_1"))
    assert not validator("OpenAIError").is_valid(told)
    assert not validator("GeminiError").is_valid(told)


def test_an_endpoint_that_nothing_is_said_of_is_told_nevertheless() -> None:
    unknown = replace(endpoints()[0], path="/v1/unheard/{of}")
    assert document([unknown])["paths"]["/v1/unheard/{of}"][unknown.method.lower()]["responses"]
