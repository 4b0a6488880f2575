"""OpenAI's published OpenAPI, as far as isthmus serves it.

Source: https://github.com/openai/openai-openapi. It is brought by whoever runs this, and not kept here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus.gateway.endpoint import endpoints

_FILE = "openapi.json"
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_NAMED = re.compile(r"\{\w+\}")


def read(place: Path) -> dict[str, Any]:
    """What a file, or a git repository with the file at its head, says; without what isthmus does not serve.

    Raises:
        subprocess.CalledProcessError: there is no such file in the repository.
    """
    if place.is_dir():
        text = subprocess.run(
            ["git", "-C", str(place), "show", f"HEAD:{_FILE}"], check=True, capture_output=True
        ).stdout
    else:
        text = place.read_bytes()
    return served(json.loads(text))


def served(whole: dict[str, Any]) -> dict[str, Any]:
    """The operations that isthmus serves, with the components they need."""
    ours = {(one.method.lower(), _NAMED.sub("{}", one.path)) for one in endpoints() if one.vendor == "openai"}
    paths: dict[str, Any] = {}
    for path, said in whole["paths"].items():
        kept = {
            name: inner
            for name, inner in said.items()
            if name not in _METHODS or (name, _NAMED.sub("{}", f"/v1{path}")) in ours
        }
        if _METHODS & kept.keys():
            paths[path] = kept
    return {
        **{name: whole[name] for name in ("openapi", "info", "servers", "security") if name in whole},
        "paths": paths,
        "components": _needed(whole, paths),
    }


def _needed(whole: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    """The components that are referred to, also by one another."""
    components: dict[str, Any] = {"securitySchemes": whole["components"]["securitySchemes"]}
    waiting = list(_refs(paths))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = whole["components"][kind][name]
            waiting += _refs(components[kind][name])
    return components


def _refs(said: Any) -> Iterator[str]:
    if isinstance(said, list):
        for item in said:
            yield from _refs(item)
    elif isinstance(said, dict):
        for name, inner in said.items():
            if name == "$ref" and isinstance(inner, str):
                yield inner
            elif name == "mapping" and isinstance(inner, dict):
                yield from (one for one in inner.values() if isinstance(one, str) and one.startswith("#/"))
            elif name != "x-oaiMeta":
                yield from _refs(inner)
