"""Our classes and sums over two public registries, beside the figures that were found for them earlier.

The registry of the Model Openness Tool (`lfai/model_openness_tool`, MIT) and the database of the European Open Source
AI Index (`Language-Technology-Assessment/main-database`, CC-BY-4.0) are not shipped: clone them, and name the clones.

    python -m bench.openness --registry CLONE --osai CLONE
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from isthmus.catalog.catalog import load_catalog
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.components import COMPONENTS, Release, title
from isthmus.catalog.openness.mof import PAPER, TOOL, Classification, classify
from isthmus.catalog.openness.open_licences import UNLICENSED, open_by_tool
from isthmus.catalog.openness.osai import DIMENSIONS, index_sum
from isthmus.catalog.records.model import ComponentName

CLASSES: Mapping[str, int] = {"unclassified": 242, "class III": 16, "class II": 1, "class I": 14}
"""Found over the registry of 2026-05-11 by another implementation of the same rules."""

SUMS: Mapping[str, float] = {
    "OLMo": 11.5,
    "Apertus": 11,
    "SmolLM": 10.5,
    "Pythia": 10,
    "EuroLLM": 9.5,
    "Phi": 6.5,
    "gpt-oss": 5.5,
    "Granite": 5,
    "DeepSeek R1": 5,
    "Gemma": 4.5,
    "DeepSeek V3": 4.5,
    "GLM": 4,
    "Llama 4": 4,
    "Mistral": 3.5,
    "Llama 3.1": 3.5,
    "Llama 3.3": 2.5,
    "Qwen": 2,
    "Kimi": 2,
}
"""The same for the index of 2026-06-12, by family."""

_NAMES = {title(name): name for name in COMPONENTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of the registry."""

    name: str
    release: Release
    tool: Classification
    paper: Classification


def documents(root: Path, pattern: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The YAML files of a clone, with or without a work tree, by their names.

    Args:
        root: the clone.
        pattern: of the paths inside it.
    """
    for path, text in sorted(_files(root)):
        if PurePosixPath(path).match(pattern) and not PurePosixPath(path).name.startswith(("_", ".")):
            yield PurePosixPath(path).stem, yaml.safe_load(text)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    archive = subprocess.run(["git", "-C", str(root), "archive", "HEAD"], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith((".yml", ".yaml")):
                file = tar.extractfile(member)
                assert file is not None, "a file has contents"
                yield member.name, file.read()


def release_of(document: Mapping[str, Any]) -> Release:
    """A release as the registry writes it down. A licence left blank is none, and no general one stands in for it."""
    told = document["release"]
    components: dict[ComponentName, str] = {}
    for component in told["components"]:
        licence = component.get("license")
        components[_NAMES[component["name"].lower()]] = "" if licence is None else str(licence) or UNLICENSED
    licences = {key: found["name"] for key, found in (told.get("license") or {}).items() if found.get("name")}
    return Release.listed(components, licences)


def entries(root: Path) -> list[Entry]:
    found = []
    for name, document in documents(root, "models/*.yml"):
        release = release_of(document)
        by_tool, by_paper = classify(release, TOOL, {}), classify(release, PAPER, {})
        found.append(Entry(name=name, release=release, tool=by_tool, paper=by_paper))
    return found


def label(found: Classification) -> str:
    return "unclassified" if found.achieved is None else f"class {found.achieved}"


def sums(root: Path) -> dict[str, float]:
    """The sum of every system of the index, by name."""
    return {
        str(document["system"]["name"]): index_sum(
            {dimension: str((document.get(dimension) or {}).get("class")) for dimension in DIMENSIONS}
        )
        for _, document in documents(root, "*.yaml")
        if "system" in document
    }


def _print_registry(found: list[Entry]) -> None:
    counts = Counter(label(entry.tool) for entry in found)
    print(f"\nModel Openness Framework, {TOOL.name}: {len(found)} models")
    for name, expected in CLASSES.items():
        print(f"  {name:14} {counts[name]:4}   expected {expected:4}   {_agrees(counts[name], expected)}")
    for name in ("class I", "class II", "class III"):
        print(f"  {name}: {', '.join(entry.name for entry in found if label(entry.tool) == name)}")
    for entry in found:
        if entry.tool.achieved != entry.paper.achieved:
            print(f"  {PAPER.name} differs: {entry.name} is {label(entry.paper)}, not {label(entry.tool)}")
    one_short = [entry for entry in found if entry.tool.achieved is None and len(entry.tool.failing) == 1]
    print("  one component short of class III:")
    for component, names in _grouped((title(entry.tool.failing[0].component), entry.name) for entry in one_short):
        print(f"    {component}: {', '.join(names)}")
    unknown = Counter(
        name
        for entry in found
        for part in entry.tool.parts
        for name in part.licences
        if name != UNLICENSED and not open_by_tool(name, {})
    )
    print("  licences that are not open, or that nobody can tell, by components under them:")
    print("    " + ", ".join(f"{name} ({count})" for name, count in unknown.most_common(25)))


def _print_ours(found: list[Entry]) -> None:
    """Where our own records and the registry mean the same model."""
    catalog = load_catalog()
    by_name = {_key(entry.name): entry for entry in found}
    for model in catalog.models.values():
        names = {_key(name.rpartition("/")[2]) for name in (model.id, *model.aliases)}
        for name in sorted(names & by_name.keys()):
            ours = assess(model, catalog.licences).badges[0].result
            theirs = label(by_name[name].tool)
            agrees = "as the registry" if ours == theirs else f"DIFFERS: registry {theirs}"
            print(f"  our {model.id}: {ours}, {agrees} ({by_name[name].name})")


def _print_sums(found: Mapping[str, float]) -> None:
    print(f"\nEuropean Open Source AI Index: {len(found)} systems")
    for family, expected in SUMS.items():
        same = {name: points for name, points in found.items() if _key(name).startswith(_key(family))}
        exact = [name for name in same if _key(name) == _key(family)]
        told = ", ".join(f"{name} {points:g}" for name, points in same.items()) or "no such system"
        points = found[exact[0]] if exact else next(iter(same.values()), None)
        print(f"  {family:12} expected {expected:4g}   {_agrees(points, expected)}   {told}")


def _print_our_sums(found: Mapping[str, float]) -> None:
    """Sums that our records give, beside those of the systems of the same family. A note says which one is meant."""
    for model in load_catalog().models.values():
        if model.osai_sum.value is None:
            continue
        family = re.match(r"[a-z]+", _key(model.id.rpartition("/")[2]))
        assert family is not None, "names of models begin with a letter"
        same = [f"{name} {points:g}" for name, points in found.items() if _key(name).startswith(family[0])]
        agrees = any(told.endswith(f" {model.osai_sum.value:g}") for told in same)
        told = f"of {', '.join(same) or 'no such system'}"
        print(
            f"  our {model.id}: {model.osai_sum.value:g}, {'one' if agrees else 'NONE'} {told}. {model.osai_sum.note}"
        )


def _grouped(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    yield from sorted(groups.items())


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _agrees(found: float | None, expected: float) -> str:
    return "agrees" if found == expected else f"DIFFERS ({found})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", type=Path, help="clone of lfai/model_openness_tool")
    parser.add_argument("--osai", type=Path, help="clone of Language-Technology-Assessment/main-database")
    chosen = parser.parse_args()
    if chosen.registry is not None:
        found = entries(chosen.registry)
        _print_registry(found)
        _print_ours(found)
    if chosen.osai is not None:
        points = sums(chosen.osai)
        _print_sums(points)
        _print_our_sums(points)


if __name__ == "__main__":
    main()
