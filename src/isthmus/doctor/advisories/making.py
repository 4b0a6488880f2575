"""Making the extract: records of the packages that matter, out of the files that OSV publishes, and those kept by hand.

OSV publishes one zip a database, with one JSON file a record: `https://osv-vulnerabilities.storage.googleapis.com/
ECOSYSTEM/all.zip`. The databases that it gathers publish the same records as folders of JSON or YAML.

Source:
    https://google.github.io/osv.dev/data/#data-dumps
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import yaml

from isthmus.doctor.advisories.matching import normal
from isthmus.doctor.advisories.record import Advisory, Affected, Ecosystem, Extract, ExtractSource, Span, page_of
from isthmus.doctor.advisories.severity import level_of
from isthmus.domain.errors import ConfigError

PACKAGES: Mapping[Ecosystem, frozenset[str]] = {
    "PyPI": frozenset(
        """
        anthropic bentoml cryptography fickling gguf gradio httptools huggingface-hub invokeai jinja2 joblib keras
        langchain langchain-community langchain-core langflow langflow-base litellm llama-cpp-python llama-index mlflow
        modelscan msgspec numpy onnx open-webui openai picklescan pydantic pypdf python-multipart pyyaml ray requests
        safetensors sentence-transformers sglang sqlalchemy starlette text-generation torch transformers urllib3 uvicorn
        uvloop vllm xllamacpp
        """.split()  # noqa: SIM905  # read as a list
    ),
    "Go": frozenset({"github.com/ollama/ollama", "github.com/jmorganca/ollama"}),
    "npm": frozenset({"openclaw", "clawdbot", "moltbot"}),
    "llama.cpp": frozenset({"llama.cpp"}),
}
"""What serves models, reads their files, or is below isthmus itself."""

_RECORD_MAX = 4 << 20
_SUMMARY_MAX = 160
_ORDERED = {"ECOSYSTEM", "SEMVER"}


def extract_of(inputs: Iterable[tuple[str, Path]], by_hand: Path, *, today: date) -> Extract:
    """The extract.

    Args:
        inputs: key of a source of `by_hand`, and a zip, folder or file of OSV records.
        by_hand: file with the sources and the records kept by hand.
        today: the day it is made on.

    Raises:
        ConfigError: a file cannot be read, or a record kept by hand is not right.
    """
    kept = yaml.safe_load(by_hand.read_bytes())
    sources = msgspec.convert(kept["sources"], dict[str, ExtractSource])
    found: dict[str, Advisory] = {}
    for key, path in inputs:
        if key not in sources:
            raise ConfigError(f"{key} is no source of {by_hand}.", hint=f"It has {', '.join(sources)}.")
        for raw in records_in(path):
            if (advisory := advisory_of(raw, key)) is not None:
                found[advisory.id] = advisory
    for row in kept["advisories"]:
        advisory = kept_advisory(row)
        if advisory.source not in sources:
            raise ConfigError(f"{by_hand}: {advisory.id}: {advisory.source} is no source of it.")
        found.setdefault(advisory.id, advisory)
    return Extract(made_on=today, sources=sources, advisories=tuple(found[name] for name in sorted(found)))


def records_in(path: Path) -> Iterator[dict[str, Any]]:
    """The records in a zip, in a folder, or in one file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.suffix in {".json", ".yaml", ".yml"} and file.stat().st_size <= _RECORD_MAX:
                    yield from _record(file.read_bytes(), file.suffix)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if entry.filename.endswith(".json") and entry.file_size <= _RECORD_MAX:
                        yield from _record(archive.read(entry), ".json")
        else:
            yield from _record(path.read_bytes(), path.suffix)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error


def _record(content: bytes, suffix: str) -> Iterator[dict[str, Any]]:
    try:
        raw = json.loads(content) if suffix == ".json" else yaml.safe_load(content)
    except (ValueError, yaml.YAMLError):
        return
    if isinstance(raw, dict) and "affected" in raw:
        yield raw


def advisory_of(raw: dict[str, Any], source: str) -> Advisory | None:
    """A record in OSV's form; None: it was withdrawn, or is not about a package that matters."""
    affected = tuple(_affected(raw.get("affected") or ()))
    if not affected or raw.get("withdrawn") or not isinstance(raw.get("id"), str):
        return None
    summary = str(raw.get("summary") or raw.get("details") or "").strip().partition("\n")[0]
    published = str(raw.get("published") or "")[:10]
    return Advisory(
        id=raw["id"],
        aliases=tuple(sorted({str(alias) for alias in raw.get("aliases") or ()})),
        summary=summary if len(summary) <= _SUMMARY_MAX else f"{summary[: _SUMMARY_MAX - 1].rstrip()}…",
        level=level_of(raw),
        published="" if published.startswith("0001") else published,
        affected=affected,
        source=source,
        url=page_of(raw["id"]),
    )


def _affected(rows: Iterable[dict[str, Any]]) -> Iterator[Affected]:
    for row in rows:
        package = row.get("package") or {}
        name = str(package.get("name", ""))
        ecosystem = next((known for known in PACKAGES if known == package.get("ecosystem")), None)
        if ecosystem is None or normal(ecosystem, name) not in PACKAGES[ecosystem]:
            continue
        spans = tuple(
            span
            for ordered in row.get("ranges") or ()
            if ordered.get("type") in _ORDERED
            for span in spans_of(ordered.get("events") or ())
        )
        # Databases list the versions of a range one by one, too; those say nothing more.
        versions = () if spans else tuple(str(version) for version in row.get("versions") or ())
        if spans or versions:
            yield Affected(ecosystem=ecosystem, package=name, spans=spans, versions=versions)


def spans_of(events: Iterable[Mapping[str, str]]) -> Iterator[Span]:
    """The spans that a row of events describes: each `introduced` with the end that follows it."""
    begun: str | None = None
    for event in events:
        if "introduced" in event:
            if begun is not None:
                yield Span(begun)
            begun = str(event["introduced"])
        elif begun is not None and ("fixed" in event or "last_affected" in event):
            yield Span(begun, str(event.get("fixed", "")), str(event.get("last_affected", "")))
            begun = None
    if begun is not None:
        yield Span(begun)


def kept_advisory(row: Mapping[str, Any]) -> Advisory:
    """A record kept by hand, whose ranges are written as `>=0.6.5 <0.8.5`, `<=1.82.4` or `=1.82.7`.

    Raises:
        ConfigError: it is not right.
    """
    affected: list[Affected] = []
    for name, ranges in row["affected"].items():
        prefix, _, package = name.partition(":")
        ecosystem = next((known for known in PACKAGES if known == prefix), None)
        if ecosystem is None or normal(ecosystem, package) not in PACKAGES[ecosystem]:
            raise ConfigError(f"{row['id']}: {name} is no package of the extract.")
        spans = tuple(_span(text, row["id"]) for text in ranges if not text.startswith("="))
        versions = tuple(text[1:] for text in ranges if text.startswith("="))
        affected.append(Affected(ecosystem=ecosystem, package=package, spans=spans, versions=versions))
    return Advisory(
        id=row["id"],
        aliases=tuple(row.get("aliases", ())),
        summary=row["says"],
        level=row.get("level", "unknown"),
        published=str(row.get("published", "")),
        affected=tuple(affected),
        source=row["source"],
        url=row.get("url", page_of(row["id"])),
        note=row.get("note", ""),
    )


def _span(text: str, advisory: str) -> Span:
    introduced, fixed, last = "0", "", ""
    for part in text.split():
        if part.startswith(">="):
            introduced = part[2:]
        elif part.startswith("<="):
            last = part[2:]
        elif part.startswith("<"):
            fixed = part[1:]
        else:
            raise ConfigError(f"{advisory}: {text!r} is no range.", hint="Write `>=0.6.5 <0.8.5`, `<=1.2` or `=1.2`.")
    if not fixed and not last:
        raise ConfigError(f"{advisory}: {text!r} has no end: every later version would be affected.")
    return Span(introduced, fixed, last)
