"""Versions in order: of Python packages (PEP 440), of Go modules and npm packages (SemVer 2.0), of llama.cpp (builds).

Sources:
    https://packaging.python.org/en/latest/specifications/version-specifiers/ (appendix: parsing, and summary of
    permitted suffixes and relative ordering); https://semver.org/#spec-item-11
"""

from __future__ import annotations

import re
from typing import Any

from isthmus.doctor.advisories.record import Ecosystem

_PEP440 = re.compile(
    r"""\s*v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)
    (?:[-_.]?(?P<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pre_number>\d*))?
    (?:-(?P<post_bare>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_number>\d*))?
    (?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_number>\d*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_SEMVER = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
_BUILD = re.compile(r"(?:version:?\s*)?b?(\d+)(?:[-\s(].*)?", re.ASCII | re.DOTALL)
_LONGEST = 128
_PRE = {"alpha": 0, "a": 0, "beta": 1, "b": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}

Key = tuple[Any, ...]
"""Compares as the versions of one ecosystem do; never across ecosystems."""

LOWEST: Key = ()
"""Before every version."""


def key(ecosystem: Ecosystem, version: str) -> Key | None:
    """What a version compares by; None: it is none that the ecosystem knows."""
    if len(version) > _LONGEST:
        return None
    if ecosystem == "PyPI":
        return _pep440(version)
    return _build(version) if ecosystem == "llama.cpp" else _semver(version)


def _pep440(version: str) -> Key | None:
    match = _PEP440.fullmatch(version)
    if match is None:
        return None
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    pre, dev = match["pre"], match["dev"]
    post = match["post_bare"] if match["post_bare"] is not None else match["post"] and (match["post_number"] or "0")
    if pre is not None:
        stage = (0, _PRE[pre.lower()], int(match["pre_number"] or 0))
    elif post is None and dev is not None:
        stage = (-1, 0, 0)  # 1.0.dev1 comes before 1.0a1
    else:
        stage = (1, 0, 0)
    return (
        int(match["epoch"] or 0),
        tuple(release),
        stage,
        -1 if post is None else int(post),
        (1, 0) if dev is None else (0, int(match["dev_number"] or 0)),
        tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in _local(match["local"])),
    )


def _local(text: str | None) -> list[str]:
    return [] if text is None else re.split(r"[-_.]", text.lower())


def _semver(version: str) -> Key | None:
    match = _SEMVER.fullmatch(version.strip())
    if match is None:
        return None
    pre = match[4]
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")) if pre else ()
    return (int(match[1]), int(match[2] or 0), int(match[3] or 0), 0 if pre else 1, parts)


def _build(version: str) -> Key | None:
    """`b8492`, `8492`, or with more behind it, as in `b8492-1a2b3c4d`."""
    match = _BUILD.fullmatch(version.strip())
    return None if match is None else (int(match[1]),)
