"""The path, which in this dialect names the model and tells whether the answer streams."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_PATH = re.compile(r"/v1(?:beta)?/models/(?P<model>[^/:?]+):(?P<verb>generateContent|streamGenerateContent)(?:\?.*)?\Z")


def request_path(model: str, *, stream: bool) -> str:
    name = quote(model.removeprefix("models/"), safe="")
    return f"/v1beta/models/{name}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")


def read_path(path: str) -> tuple[str, bool] | None:
    """Model, and whether the answer streams; None: no path of this dialect."""
    found = _PATH.match(path)
    return None if found is None else (unquote(found["model"]), found["verb"] == "streamGenerateContent")
