"""Weights and what comes with them: whether loading them runs code, whether they are those that were approved."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.doctor.check import Check, Finding, Severity
from isthmus.doctor.modelfiles.comparing import Difference, differences, place_of
from isthmus.doctor.modelfiles.observing import Observed, observe
from isthmus.doctor.scene import Scene
from isthmus.domain.offer import Weights
from isthmus.providers.embedded.lock import Lock, LockedModel, file_facts, locked_sha256, read_lock
from isthmus.providers.embedded.reference import HubRef, PathRef, WheelRef, parse

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SIGNATURES = ("model.sig", "model.sigstore", "model.sigstore.json")


@dataclass(frozen=True, slots=True)
class _Place:
    """Weights that this installation uses or was told of."""

    path: Path
    subject: str


def _places(scene: Scene) -> Iterator[_Place]:
    """Every file and folder to look into, each once, as far as it is there."""
    seen: set[Path] = set()
    for place in (*_of_offers(scene), *_of_lock(scene), *_of_cache(scene), *_of_folders(scene)):
        path = place.path.resolve()
        if path not in seen and path.exists() and not any(path.is_relative_to(other) for other in seen):
            seen.add(path)
            yield place


def _of_offers(scene: Scene) -> Iterator[_Place]:
    for name, weights in _embedded(scene):
        yield _Place(place_of(weights.ref, _weights_dir(scene)), f"weights of offer {name}")


def _of_lock(scene: Scene) -> Iterator[_Place]:
    for name, model in _lock(scene).models.items():
        yield _Place(place_of(model.ref, _weights_dir(scene)), f"model {name}")


def _of_cache(scene: Scene) -> Iterator[_Place]:
    for path in sorted(_weights_dir(scene).glob("*.gguf")):
        yield _Place(path, str(path))


def _of_folders(scene: Scene) -> Iterator[_Place]:
    for folder in scene.folders:
        yield _Place(folder, str(folder))


def _weights_dir(scene: Scene) -> Path:
    return scene.cache_dir / "weights"


def _embedded(scene: Scene) -> Iterator[tuple[str, Weights]]:
    """Offers whose weights run here, by name."""
    if scene.settings is not None:
        for offer in scene.settings.offers.values():
            if offer.engine is not None:
                yield offer.name, offer.engine.weights


def _lock_file(scene: Scene) -> Path:
    if scene.settings is not None:
        return scene.settings.catalog.lock
    return (Path() if scene.config_file is None else scene.config_file.parent) / "models.lock"


def _lock(scene: Scene) -> Lock:
    return scene.once.get("models.lock", lambda: read_lock(_lock_file(scene)))


def _observations(scene: Scene, place: _Place) -> tuple[Observed, ...]:
    return scene.once.get(("observed", place.path), lambda: observe(place.path))


def _differences(scene: Scene, name: str, model: LockedModel) -> tuple[Difference, ...]:
    place = place_of(model.ref, _weights_dir(scene))
    return scene.once.get(("differences", name), lambda: tuple(differences(model, place)))


# ---- what lies in the files


def _observed(check: str) -> Callable[[Scene], Iterator[Finding]]:
    def look(scene: Scene) -> Iterator[Finding]:
        for place in _places(scene):
            for found in _observations(scene, place):
                if found.check == check:
                    where = place.path if found.file == place.path.name else place.path / found.file
                    yield Finding(subject=str(where), found=found.says, severity=found.severity)

    return look


# ---- what the lock says


def _unlocked(scene: Scene) -> Iterator[Finding]:
    lock, file = _lock(scene), _lock_file(scene)
    for name, weights in _embedded(scene):
        subject = f"weights of offer {name}"
        if weights.refused is not None:
            yield Finding(subject=subject, found=weights.refused)
        elif weights.sha256 is not None:
            yield from _not_as_pinned(scene, subject, weights, weights.sha256)
        elif locked_sha256(lock, weights) is None:
            yield Finding(
                subject=subject,
                found=f"Nothing says what {weights.ref} must hash to, so other weights in its place are not noticed.",
                severity="high",
                remedy=f"Run `isthmus models lock {name}`, and put {file.name} under version control.",
            )
    for name, model in lock.models.items():
        if not model.approved:
            remedy = f"Look at it, then run `isthmus models lock {name} --approve YOUR-NAME`."
            yield Finding(
                subject=f"model {name}", found="It is locked, and nobody approved it.", severity="warn", remedy=remedy
            )
        yield from _not_as_locked(scene, name, model)


def _not_as_locked(scene: Scene, name: str, model: LockedModel) -> Iterator[Finding]:
    """Files that changed or are missing; the licence has a check of its own."""
    place = place_of(model.ref, _weights_dir(scene))
    if not place.exists() and not isinstance(parse(model.ref), PathRef):
        yield Finding(
            subject=f"model {name}",
            found="It is locked, and was not fetched to this machine yet.",
            severity="info",
            remedy=f"Run `isthmus models pull {model.ref}`, if it is wanted here.",
        )
        return
    for found in _differences(scene, name, model):
        if found.kind in {"changed", "missing"} and found.file != model.licence.file:
            severity: Severity = "critical" if found.kind == "changed" else "high"
            shown = place / found.file if place.is_dir() else place
            yield Finding(subject=f"model {name}: {shown}", found=found.says, severity=severity)


def _not_as_pinned(scene: Scene, subject: str, weights: Weights, pinned: str) -> Iterator[Finding]:
    """Whether the file of an offer, where it is there, hashes to what settings or lock say."""
    path = place_of(weights.ref, _weights_dir(scene))
    if path.is_file():
        now = scene.once.get(("facts", path), lambda: file_facts(path)).sha256
        if now != pinned.lower():
            yield Finding(subject=f"{subject}: {path}", found=f"Its sha256 is {now}, and it is pinned to {pinned}.")


def _branches(scene: Scene) -> Iterator[Finding]:
    refs = {weights.ref: f"weights of offer {name}" for name, weights in _embedded(scene)}
    refs |= {model.ref: f"model {name}" for name, model in _lock(scene).models.items() if model.ref not in refs}
    for ref, subject in refs.items():
        reference = parse(ref)
        if isinstance(reference, HubRef) and not _COMMIT.fullmatch(reference.revision):
            found = f"{ref} names {reference.revision!r}, a branch or tag that can be moved, and no commit."
            yield Finding(subject=subject, found=found)
        elif isinstance(reference, WheelRef) and reference.version is None:
            yield Finding(subject=subject, found=f"{ref} names no version, so the newest is fetched, whatever it is.")


def _licences(scene: Scene) -> Iterator[Finding]:
    for name, model in _lock(scene).models.items():
        for found in _differences(scene, name, model):
            if found.kind == "licence":
                by = f" by {model.approved_by} on {model.approved_on}" if model.approved else ""
                yield Finding(
                    subject=f"model {name}: {found.file}",
                    found=f"{found.says} It was approved{by}." if by else found.says,
                )


def _beside(scene: Scene) -> Iterator[Finding]:
    for name, model in _lock(scene).models.items():
        for found in _differences(scene, name, model):
            if found.kind == "extra":
                yield Finding(subject=f"model {name}: {found.file}", found=found.says)


def _signatures(scene: Scene) -> Iterator[Finding]:
    for place in _places(scene):
        folder = place.path if place.path.is_dir() else place.path.parent
        for name in _SIGNATURES:
            if (folder / name).is_file():
                yield _unverified(folder / name)


def _unverified(signature: Path) -> Finding:
    verify = f"`model_signing verify key --signature {signature} --public_key KEY {signature.parent}`"
    if importlib.util.find_spec("model_signing") is None:
        found = "It is signed, and the signature was not verified: that needs the package model-signing."
        remedy = f"Run `pip install model-signing pyopenssl`, then {verify}, with a key that you have from elsewhere."
    else:
        found = "It is signed; whether by somebody you trust, only you can say, by naming the key."
        remedy = f"Run {verify}."
    return Finding(subject=str(signature), found=found, remedy=remedy)


CHECKS: tuple[Check, ...] = (
    Check(
        id="MF-1",
        family="model-files",
        title="A file of weights is a pickle",
        severity="high",
        why=(
            "A pickle is a programme: whoever loads it runs what its maker put in. Weights of the same model come as "
            "safetensors or GGUF, which hold numbers alone."
        ),
        remedy="Take the safetensors or GGUF file of the model and delete this one; else convert it in a sandbox.",
        look=_observed("MF-1"),
    ),
    Check(
        id="MF-2",
        family="model-files",
        title="A model file contains what it should not, or lies about itself",
        severity="critical",
        why=(
            "What a pickle imports is held against a list of what tensors need, headers against the size of the file. "
            "Lists of what is forbidden were got around some fifty times by published ways."
        ),
        remedy="Do not load it. Find out where it came from, and take the file of the model's maker.",
        look=_observed("MF-2"),
    ),
    Check(
        id="MF-3",
        family="model-files",
        title="Weights are not those that were locked",
        severity="critical",
        why=(
            "A revision that is named is no guarantee: engines ignored it more than once (CVE-2026-100653). What is on "
            "the disk is hashed and held against the lock and the settings."
        ),
        remedy="Do not use them before you know why they changed; then fetch the right ones, or lock these anew.",
        look=_unlocked,
    ),
    Check(
        id="MF-4",
        family="model-files",
        title="A model brings code of its own",
        severity="high",
        why=(
            "`auto_map` has an engine with trust_remote_code import Python from the repository, and several did "
            "so without being told (GHSA-8fr4-5q9j-m8gm, CVE-2026-27893)."
        ),
        remedy="Take a model whose architecture the engine knows; or read the code, keep a copy, and lock the folder.",
        look=_observed("MF-4"),
    ),
    Check(
        id="MF-5",
        family="model-files",
        title="Weights are named by a branch",
        severity="warn",
        why="A branch or tag leads to whatever its owner, or whoever has the owner's password, puts there next.",
        remedy="Name the commit: `hf:owner/name@COMMIT/file.gguf`, or `pypi:package==VERSION`.",
        look=_branches,
    ),
    Check(
        id="MF-6",
        family="model-files",
        title="A chat template reaches into Python",
        severity="high",
        why=(
            "Chat templates are programmes that engines run; one that reads attributes with underscores is on its way "
            "out of the sandbox (CVE-2024-34359 in llama-cpp-python)."
        ),
        remedy="Do not use it. Take the template of the model's maker, and compare.",
        look=_observed("MF-6"),
    ),
    Check(
        id="MF-7",
        family="model-files",
        title="A signature was not verified",
        severity="info",
        why="A signature says who made the files, but only to those who check it against a key they trust.",
        remedy="Verify it with the maker's key.",
        look=_signatures,
    ),
    Check(
        id="MF-8",
        family="model-files",
        title="The text of a licence changed since it was approved",
        severity="high",
        why="Makers changed licences after release and kept the name: caps on revenue, countries left out.",
        remedy="Read the new text, run `isthmus catalog licence`, then lock the model anew with --approve.",
        look=_licences,
    ),
    Check(
        id="MF-9",
        family="model-files",
        title="Files lie beside the locked ones",
        severity="warn",
        why="Engines load what they find by its name: an adapter, a template, a module beside the weights counts.",
        remedy="Delete what is not needed, or look at it and lock the model anew.",
        look=_beside,
    ),
    Check(
        id="MF-10",
        family="model-files",
        title="A model's folder leads out of itself",
        severity="high",
        why="A link in a folder of weights has whoever serves, copies or packs it read or write somewhere else.",
        remedy="Delete the link, or put the file itself there.",
        look=_observed("MF-10"),
    ),
)
