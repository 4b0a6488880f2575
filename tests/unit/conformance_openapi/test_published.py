import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conformance.openapi import published
from conformance.openapi.environment import HERE, version

WHOLE: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "OpenAI"},
    "paths": {
        "/files/{file_id}": {
            "get": {"responses": {"200": {"$ref": "#/components/responses/One"}}},
            "put": {"responses": {"200": {"$ref": "#/components/responses/Other"}}},
            "parameters": [],
        },
        "/assistants": {"get": {"responses": {"200": {"$ref": "#/components/responses/Other"}}}},
    },
    "components": {
        "securitySchemes": {"ApiKeyAuth": {"type": "http", "scheme": "bearer"}},
        "responses": {
            "One": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/File"}}}},
            "Other": {"description": "not needed"},
        },
        "schemas": {
            "File": {
                "properties": {"parent": {"$ref": "#/components/schemas/File"}},
                "discriminator": {"propertyName": "kind", "mapping": {"a": "#/components/schemas/Kind"}},
                "x-oaiMeta": {"$ref": "#/components/schemas/Unneeded"},
            },
            "Kind": {"type": "string"},
            "Unneeded": {},
        },
    },
}


def test_of_anothers_openapi_only_what_isthmus_serves_is_kept() -> None:
    assert {path: set(inner) for path, inner in published.served(WHOLE)["paths"].items()} == {
        "/files/{file_id}": {"get", "parameters"}
    }


def test_components_are_kept_that_are_needed_also_by_one_another() -> None:
    kept = published.served(WHOLE)["components"]
    assert {kind: set(inner) for kind, inner in kept.items()} == {
        "securitySchemes": {"ApiKeyAuth"},
        "responses": {"One"},
        "schemas": {"File", "Kind"},
    }


@pytest.mark.parametrize("as_repository", [False, True])
def test_it_is_read_from_a_file_or_from_a_repository(tmp_path: Path, *, as_repository: bool) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(WHOLE))
    if as_repository:
        git = [
            "git",
            "-C",
            str(tmp_path),
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@x.test",
            "-c",
            "commit.gpgsign=false",
        ]
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run([*git, *command], check=True)
    assert published.read(tmp_path if as_repository else file) == published.served(WHOLE)


def test_every_exception_says_why_and_can_be_read() -> None:
    exceptions = tomllib.loads((HERE / "exceptions.toml").read_text())["exception"]
    for one in exceptions:
        assert one.keys() <= {"specs", "operations", "failures", "told", "sent", "reason"}
        assert set(one["specs"]) <= {"openai", "isthmus"}
        assert one["reason"].endswith(".")
        for name in ("operations", "told", "sent"):
            re.compile(one.get(name, ""))


def test_exceptions_are_all_in_the_documentation() -> None:
    page = (HERE.parents[1] / "docs/reference/conformance-openapi.md").read_text()
    exceptions = tomllib.loads((HERE / "exceptions.toml").read_text())["exception"]
    assert [one["reason"] for one in exceptions if one["reason"] not in page] == []


def test_the_version_is_the_locked_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", version())
