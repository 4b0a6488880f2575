"""A folder with a model in it, as it was fetched: files, and what they say about each other."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.doctor.modelfiles.judgement import Fault, quoted
from isthmus.doctor.modelfiles.templates import lint

FILES_MAX = 20_000
_CONFIG_MAX = 8 << 20
_IGNORED = frozenset({".git", ".cache", "__pycache__"})
_CONFIGS = frozenset(
    {
        "adapter_config.json",
        "config.json",
        "configuration.json",
        "feature_extractor_config.json",
        "generation_config.json",
        "image_processor_config.json",
        "modules.json",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer_config.json",
        "video_preprocessor_config.json",
        "chat_template.json",
    }
)
_CODE_KEYS = frozenset({"auto_map", "auto_mapping", "custom_pipelines"})


@dataclass(frozen=True, slots=True)
class Folder:
    """What is in a folder with models."""

    root: Path
    files: tuple[Path, ...]
    """Ordinary files, by path. Links that stay inside are among them under their own names."""
    leaving: tuple[Path, ...]
    """Links that lead out of the folder, or nowhere."""
    special: tuple[Path, ...]
    """Pipes, sockets, devices."""
    complete: bool
    """False: there are more than are looked at."""


def read_folder(root: Path) -> Folder:
    """The files below a folder. Folders that links lead to are not entered.

    A cache of the Hugging Face hub keeps files once and links to them from each revision; such links stay inside the
    repository's folder, `blobs` beside `snapshots`, and count as inside.

    Raises:
        OSError: the folder cannot be read.
    """
    base = root.resolve(strict=True)
    inside = base.parents[1] if base.parent.name == "snapshots" else base
    files: list[Path] = []
    leaving: list[Path] = []
    special: list[Path] = []
    for path in _walk(root):
        if len(files) >= FILES_MAX:
            return Folder(root, tuple(files), tuple(leaving), tuple(special), complete=False)
        if path.is_symlink() and not _stays(path, inside):
            leaving.append(path)
            continue
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            files.append(path)
        elif not stat.S_ISDIR(mode):
            special.append(path)
    return Folder(root, tuple(sorted(files)), tuple(sorted(leaving)), tuple(sorted(special)), complete=True)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in _IGNORED and name not in linked)
        yield from (Path(folder, name) for name in sorted([*names, *linked]))


def _stays(link: Path, inside: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(inside)
    except (OSError, RuntimeError):
        return False


def python_files(folder: Folder) -> tuple[Path, ...]:
    """Programmes that came with the weights."""
    return tuple(path for path in folder.files if path.suffix.lower() in {".py", ".so", ".pyd", ".pyc"})


def remote_code(path: Path) -> tuple[str, ...]:
    """What a configuration names as code to be loaded, such as `configuration_x.XConfig` or `other/repo--file.Class`.

    Raises:
        OSError: it cannot be read.
    """
    found: list[str] = []
    for key, value in _entries(_config(path)):
        if key in _CODE_KEYS:
            found += _names(value)
        elif key == "type" and path.name == "modules.json" and not str(value).startswith("sentence_transformers."):
            found.append(str(value)[:200])
    return tuple(dict.fromkeys(found))[:20]


def config_templates(path: Path) -> tuple[Fault, ...]:
    """What is wrong with the chat templates in a configuration.

    Raises:
        OSError: it cannot be read.
    """
    config = _config(path)
    if config is None and path.name in _CONFIGS:
        return (Fault("malformed", "it is no JSON that can be read.", "warn"),)
    faults: list[Fault] = []
    for key, value in _entries(config):
        if key != "chat_template":
            continue
        if isinstance(value, str):
            faults += lint(value, key)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict) and isinstance(item.get("template"), str):
                    faults += lint(item["template"], f"{key} {quoted(str(item.get('name')), 40)}")
        elif isinstance(value, dict):
            for name, text in value.items():
                if isinstance(text, str):
                    faults += lint(text, f"{key} {quoted(name, 40)}")
    return tuple(faults)


def is_config(path: Path) -> bool:
    """Whether a file is one of those that say how a model is loaded."""
    return path.name in _CONFIGS


def _config(path: Path) -> object:
    if path.stat().st_size > _CONFIG_MAX:
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def _entries(config: object) -> Iterator[tuple[str, object]]:
    """Every key with its value, at any depth."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())


def _names(value: object) -> list[str]:
    """The texts in a value, at any depth."""
    found: list[str] = []
    waiting = [value]
    while waiting and len(found) < 20:
        item = waiting.pop(0)
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
    return found
