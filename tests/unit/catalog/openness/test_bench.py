"""How the two public registries are read: from clones, with or without a work tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bench.openness import documents, entries, label, release_of, sums

from isthmus.catalog.openness.mof import TOOL, classify
from isthmus.catalog.openness.osai import DIMENSIONS

MODEL = """
release:
  name: Small
  license:
    distribution: {name: Apache-2.0, path: ''}
    data: {name: '', path: ''}
  components:
    - {name: 'Model architecture'}
    - {name: 'Model parameters (Final)', license: CC-BY-4.0}
    - {name: 'Technical report'}
    - {name: 'Evaluation results'}
    - {name: 'Model card'}
    - {name: 'Data card', license: DATA_CARD}
"""


def clone(folder: Path, files: dict[str, str]) -> Path:
    """A bare repository with files."""
    for name, text in files.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder / "tree")]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "files"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(folder / "tree"), str(folder / "bare")], check=True)
    return folder / "bare"


@pytest.mark.parametrize(("data_card", "achieved"), [
    ("MIT", "class III"),
    ("null", "class III"),
    ("''", "unclassified"),
    ("unlicensed", "unclassified"),
    ("'Apache 2.0'", "unclassified"),
])  # fmt: skip
def test_a_model_of_the_registry_is_read_as_the_tool_reads_it(tmp_path: Path, data_card: str, achieved: str) -> None:
    root = clone(tmp_path, {"models/Small.yml": MODEL.replace("DATA_CARD", data_card), "schema/other.yml": "{}"})
    (found,) = entries(root)
    assert (found.name, label(found.tool)) == ("Small", achieved)


def test_what_is_not_on_the_list_is_missing() -> None:
    found = classify(release_of({"release": {"name": "x", "components": [{"name": "Datasets"}]}}), TOOL, {})
    assert {part.standing for part in found.parts if part.component != "datasets"} == {"missing"}


def test_a_system_of_the_index_has_the_sum_of_its_dimensions(tmp_path: Path) -> None:
    rated = "\n".join(f"{name}: {{class: open, link: '', notes: ''}}" for name in DIMENSIONS[:-2])
    text = f"system: {{name: Small}}\n{rated}\ndatasheet: {{class: partial}}\nlicenses:\n"
    root = clone(tmp_path, {"Small.yaml": text, "_parameters.yml": "[]", ".github/x.yaml": "{}"})
    assert sums(root) == {"Small": 10.5}
    assert {name for name, _ in documents(root, "*.yaml")} == {"Small", "x"}
