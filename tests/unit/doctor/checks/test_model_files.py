"""Each check has a state of the disk that it tells of, and a near one that it does not."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from bench.model_file_set import PLAIN_TEMPLATE, STATE_DICT, SYSTEM, TEMPLATES, gguf, safetensors, torch_zip
from tests.unit.doctor.scenes import Machine, found, severities

from isthmus.doctor.scene import Scene
from isthmus.domain.offer import Engine, Weights
from isthmus.providers.embedded.lock import Lock, LockedLicence, LockedModel, file_facts, write_lock
from isthmus.settings.offers import embedded_offer

IDS = ("MF-1", "MF-2", "MF-3", "MF-4", "MF-5", "MF-6", "MF-7", "MF-8", "MF-9", "MF-10")
COMMIT = "c" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder in which nothing is wrong."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.safetensors").write_bytes(safetensors("{}", b""))
    (made / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (made / "tokenizer_config.json").write_text(json.dumps({"chat_template": PLAIN_TEMPLATE}))
    (made / "LICENSE").write_text("You may do what you like.")
    return made


def scene_with(machine: Machine, *folders: Path, weights: Weights | None = None, lock: Lock | None = None) -> Scene:
    """A machine with folders of models, perhaps an embedded offer, perhaps a lock."""
    offers = () if weights is None else (embedded_offer("home", "m", Engine(weights=weights)),)
    settings = machine.settings(*offers)
    file = machine.folder / "models.lock"
    if lock is not None:
        write_lock(file, lock)
    settings = replace(settings, catalog=replace(settings.catalog, lock=file))
    return machine.scene(settings=settings, folders=folders)


def locked(place: Path, **changes: object) -> Lock:
    files = [place] if place.is_file() else [path for path in sorted(place.iterdir()) if path.is_file()]
    facts = {path.name: file_facts(path) for path in files}
    model = LockedModel(
        ref=str(place), files=facts, locked_on=date(2026, 11, 1), approved_by="A", approved_on=date(2026, 11, 1)
    )
    for key, value in changes.items():
        model = LockedModel(**{field: getattr(model, field) for field in model.__struct_fields__} | {key: value})
    return Lock(models={"m": model})


def test_a_folder_in_which_nothing_is_wrong_is_told_of_by_no_check(machine: Machine, folder: Path) -> None:
    scene = scene_with(machine, folder, lock=locked(folder))
    assert {check: found(check, scene) for check in IDS} == {check: [] for check in IDS}


@pytest.mark.parametrize(
    ("check", "plant", "severity"),
    [
        ("MF-1", lambda folder: (folder / "pytorch_model.bin").write_bytes(torch_zip(STATE_DICT)), "high"),
        ("MF-2", lambda folder: (folder / "pytorch_model.bin").write_bytes(torch_zip(SYSTEM)), "critical"),
        ("MF-2", lambda folder: (folder / "x.gguf").write_bytes(gguf(offset=1 << 20)), "high"),
        ("MF-4", lambda folder: (folder / "modeling_x.py").write_text("pass"), "warn"),
        ("MF-4", lambda folder: (folder / "config.json").write_text('{"auto_map": {"A": "modeling_x.X"}}'), "high"),
        ("MF-6", lambda folder: (folder / "chat_template.jinja").write_text(TEMPLATES[0][1]), "high"),
        ("MF-6", lambda folder: (folder / "x.gguf").write_bytes(gguf(TEMPLATES[1][1])), "high"),
        ("MF-6", lambda folder: _config(folder, TEMPLATES[2][1]), "high"),
        ("MF-7", lambda folder: (folder / "model.sig").write_text("{}"), "info"),
        ("MF-10", lambda folder: (folder / "weights").symlink_to("/etc"), "high"),
    ],
)
def test_what_is_planted_in_a_folder_is_found(
    machine: Machine, folder: Path, check: str, plant: Callable[[Path], object], severity: str
) -> None:
    assert found(check, scene_with(machine, folder)) == []
    plant(folder)
    assert severity in severities(check, scene_with(machine, folder))


def _config(folder: Path, template: str) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))


def test_a_pickle_beside_safetensors_is_said_not_to_be_needed(machine: Machine, folder: Path) -> None:
    (folder / "model.bin").write_bytes(torch_zip(STATE_DICT))
    (one,) = found("MF-1", scene_with(machine, folder))
    assert "`model.safetensors`, so it is not needed" in one.found
    (folder / "model.safetensors").unlink()
    assert severities("MF-1", scene_with(machine, folder)) == ["warn"]


def test_files_of_the_settings_of_the_lock_and_of_the_cache_are_looked_into(machine: Machine, tmp_path: Path) -> None:
    bad = gguf(TEMPLATES[0][1])
    own, kept = tmp_path / "own.gguf", tmp_path / "cache" / "weights" / "x.gguf"
    kept.parent.mkdir(parents=True)
    for path in (own, kept):
        path.write_bytes(bad)
    scene = scene_with(machine, weights=Weights(ref=str(own)))
    assert {finding.subject for finding in found("MF-6", scene)} == {str(own), str(kept)}


# ---- the lock


def test_weights_that_changed_are_told_with_both_hashes(machine: Machine, folder: Path) -> None:
    lock = locked(folder)
    before = file_facts(folder / "model.safetensors").sha256
    (folder / "model.safetensors").write_bytes(safetensors("{} ", b""))
    (one,) = found("MF-3", scene_with(machine, lock=lock))
    assert one.severity == "critical"
    assert before in one.found
    assert file_facts(folder / "model.safetensors").sha256 in one.found


def test_weights_that_are_missing_are_told(machine: Machine, folder: Path) -> None:
    lock = locked(folder)
    (folder / "model.safetensors").unlink()
    assert severities("MF-3", scene_with(machine, lock=lock)) == ["high"]


def test_weights_that_were_not_fetched_yet_are_no_fault(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(gguf())
    assert severities("MF-3", scene_with(machine, lock=locked(file, ref="pypi:x==1.0"))) == ["info"]


def test_a_lock_that_nobody_approved_is_told(machine: Machine, folder: Path) -> None:
    assert severities("MF-3", scene_with(machine, lock=locked(folder, approved_by=""))) == ["warn"]


def test_weights_of_an_offer_that_nothing_pins_are_told(machine: Machine, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(gguf())
    assert severities("MF-3", scene_with(machine, weights=Weights(ref=str(own)))) == ["high"]
    pinned = Weights(ref=str(own), sha256=file_facts(own).sha256)
    assert found("MF-3", scene_with(machine, weights=pinned)) == []
    assert severities("MF-3", scene_with(machine, weights=replace(pinned, sha256="0" * 64))) == ["critical"]
    assert found("MF-3", scene_with(machine, weights=Weights(ref=str(own)), lock=locked(own))) == []


def test_refused_weights_are_told_with_the_reason(machine: Machine) -> None:
    refused = Weights(ref="pypi:x==1", sha256="0" * 64, refused="They are not in models.lock.")
    assert [one.found for one in found("MF-3", scene_with(machine, weights=refused))] == [
        "They are not in models.lock."
    ]


@pytest.mark.parametrize(
    ("ref", "moves"),
    [
        ("hf:owner/name/x.gguf", True),
        ("hf:owner/name@v1.0/x.gguf", True),
        (f"hf:owner/name@{COMMIT}/x.gguf", False),
        ("pypi:package", True),
        ("pypi:package==1.0", False),
        ("/srv/x.gguf", False),
    ],
)
def test_a_reference_that_can_be_moved_is_told(machine: Machine, ref: str, moves: bool) -> None:
    assert bool(found("MF-5", scene_with(machine, weights=Weights(ref=ref, sha256="0" * 64)))) is moves


def test_a_licence_whose_text_changed_is_told_and_one_that_is_wrapped_anew_is_not(
    machine: Machine, folder: Path
) -> None:
    from isthmus.catalog.licensing.text import digest

    text = (folder / "LICENSE").read_bytes()
    lock = locked(folder, licence=LockedLicence(id="MIT", file="LICENSE", text_sha256=digest(text)))
    (folder / "LICENSE").write_bytes(text.replace(b" ", b"\n"))
    assert found("MF-8", scene_with(machine, lock=lock)) == []
    (folder / "LICENSE").write_bytes(text + b" But not in Europe.")
    assert severities("MF-8", scene_with(machine, lock=lock)) == ["high"]
    assert found("MF-3", scene_with(machine, lock=lock)) == []


def test_a_file_that_came_on_top_is_told(machine: Machine, folder: Path) -> None:
    lock = locked(folder)
    (folder / "adapter_model.safetensors").write_bytes(safetensors("{}", b""))
    assert [one.subject for one in found("MF-9", scene_with(machine, lock=lock))] == [
        "model m: adapter_model.safetensors"
    ]


def test_without_model_signing_the_signature_is_told_as_not_verified(machine: Machine, folder: Path) -> None:
    (folder / "model.sig").write_text("{}")
    (one,) = found("MF-7", scene_with(machine, folder))
    assert "not verified: that needs the package model-signing" in one.found
