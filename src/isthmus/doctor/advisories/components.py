"""What is installed here, told by the folders of packages: nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from isthmus.doctor.advisories.matching import Component, normal

_DIST = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[^-]+)(?:-[^-]*)?\.(?:dist|egg)-info")


_NAMESPACE = (
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);"
    "p = os.path.join(sys._getframe(1).f_locals['sitedir'], *(PARTS));"
    "importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');"
    "m = has_mfs and sys.modules.setdefault('NAME', importlib.util.module_from_spec("
    "importlib.machinery.PathFinder.find_spec('NAME', [os.path.dirname(p)])));"
    "m = m or sys.modules.setdefault('NAME', types.ModuleType('NAME'));"
    "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"
)
_KNOWN_LINES = (
    re.compile(
        r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; "
        r"enabled = os\.environ\.get\(var, '(?:local|stdlib)'\) == 'local'; "
        r"enabled and __import__\('_distutils_hack'\)(?:\.add_shim\(\))?;?"
    ),
    re.compile(r"import _virtualenv"),
    re.compile(r"import (__editable___\w+_finder); \1\.install\(\)", re.ASCII),
    re.compile(re.escape(_NAMESPACE).replace("PARTS", r"(?:'\w+',? ?)+").replace("NAME", r"[\w.]+"), re.ASCII),
)
"""What setuptools, virtualenv and namespace packages write, to the last character: more could stand behind it."""

_PTH_MAX = 1 << 20


def installed(folders: Iterable[Path]) -> Iterator[Component]:
    """The Python packages of folders, each version once."""
    seen: set[tuple[str, str]] = set()
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(folder.glob("*-info")):
            match = _DIST.fullmatch(path.name)
            if match is None:
                continue
            name = normal("PyPI", match["name"])
            if (name, match["version"]) not in seen:
                seen.add((name, match["version"]))
                yield Component("PyPI", name, match["version"], str(folder))


def code_in_pth(path: Path) -> str | None:
    """The first line of a `.pth` file that Python would run at every start and that is not a known one; None: none.

    Source:
        https://docs.python.org/3/library/site.html: lines that begin with `import` are executed.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_PTH_MAX).decode("utf-8", "replace")
    for line in content.splitlines():
        if line.startswith(("import ", "import\t")) and not any(
            known.fullmatch(line.strip()) for known in _KNOWN_LINES
        ):
            return line.strip()
    return None


def owner_of(path: Path) -> str | None:
    """The package that says a file of a folder of packages is its own, as `name version`; None: none does.

    Source:
        https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    for record in sorted(path.parent.glob("*.dist-info/RECORD")):
        match = _DIST.fullmatch(record.parent.name)
        if match is not None and _lists(record, path.name):
            return f"{match['name']} {match['version']}"
    return None


def _lists(record: Path, name: str) -> bool:
    try:
        with record.open(encoding="utf-8", errors="replace") as file:
            return any(line.startswith(f"{name},") for line in file)
    except OSError:
        return False
