"""Models of Keras: layers by the name of their class, in JSON. Some classes run code that the file brings along.

A name that is not one of Keras' own is loaded as whatever the module has under it, so only Keras' own modules pass.

Source:
    https://keras.io/guides/serialization_and_saving/; CVE-2025-1550, CVE-2025-8747, CVE-2025-9905, CVE-2025-9906,
    CVE-2025-49655.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from isthmus.doctor.modelfiles.judgement import Fault, Judgement, quoted

CONFIG_MAX = 8 << 20
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_FAULTS_MAX = 20
_CODE = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"})
_OWN = re.compile(
    r"keras(?:\.src)?(?:\.(?:layers|models|initializers|regularizers|constraints|optimizers|losses|metrics|activations"
    r"|dtype_policies|random|backend\.common)(?:\.[a-z0-9_]+)*)?|keras_hub(?:\.[a-z0-9_.]+)?|keras_nlp(?:\.[a-z0-9_.]+)?"
    r"|keras_cv(?:\.[a-z0-9_.]+)?"
)
_IN_HDF5 = re.compile(rb'"class_name":\s*"(Lambda|__lambda__|TorchModuleWrapper|JaxLayer|FlaxLayer|TFSMLayer)"')
_CHUNK = 1 << 20


def judge_config(raw: bytes) -> tuple[Fault, ...]:
    """What is wrong with the configuration of a model (`config.json` of a `.keras` file)."""
    if len(raw) > CONFIG_MAX:
        return (Fault("not-judged", f"it is larger than what is read ({CONFIG_MAX:,} bytes).", "high"),)
    try:
        config = json.loads(raw)
    except (ValueError, RecursionError):
        return (Fault("malformed", "it is no JSON.", "high"),)
    faults: list[Fault] = []
    for fault in _faults(config):
        if fault not in faults:
            faults.append(fault)
        if len(faults) == _FAULTS_MAX:
            break
    return tuple(faults)


def judge_hdf5(file: BinaryIO) -> Judgement:
    """What a file of HDF5 says of layers that run code.

    It is searched, not parsed: Keras keeps the configuration as one text, uncompressed.
    """
    found: set[str] = set()
    tail = b""
    while block := file.read(_CHUNK):
        found.update(match[1].decode() for match in _IN_HDF5.finditer(tail + block))
        tail = block[-64:]
    return Judgement("hdf5", tuple(_code(name) for name in sorted(found)))


def _faults(config: object) -> Iterator[Fault]:
    waiting = [config]
    while waiting:  # no recursion: depth is the file's choice
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            yield from _object(value)


def _object(value: dict[str, object]) -> Iterator[Fault]:
    name, module = value.get("class_name"), value.get("module")
    if not isinstance(name, str):
        return
    if name in _CODE:
        yield _code(name)
    elif module is not None and not (isinstance(module, str) and _OWN.fullmatch(module)):
        shown = quoted(f"{module}.{name}")
        yield Fault("unknown-layer", f"takes {shown}, which is not of Keras; loading it runs that code.", "high")


def _code(name: str) -> Fault:
    return Fault("code-in-layer", f"has a {quoted(name)}, which runs code that the file brings along.", "critical")
