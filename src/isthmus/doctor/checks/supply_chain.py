"""What isthmus and the engines are made of: known vulnerabilities, malicious versions, what is not pinned."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from isthmus.doctor.advisories import online
from isthmus.doctor.advisories.components import code_in_pth, installed, owner_of
from isthmus.doctor.advisories.matching import Component, Match, matches, way_out
from isthmus.doctor.advisories.record import Ecosystem, Level, load_extract, page_of
from isthmus.doctor.check import SEVERITIES, Check, Finding, Severity
from isthmus.doctor.checks.network_containers import compose_files
from isthmus.doctor.engines import EngineName
from isthmus.doctor.exposure import survey
from isthmus.doctor.scene import Scene

_SHOWN = 5
"""Advisories of one component that are named."""

_SEVERITIES: dict[Level, Severity] = {
    "low": "info",
    "medium": "warn",
    "high": "high",
    "critical": "critical",
    "unknown": "high",  # an unknown never helps
}
_PACKAGES: dict[EngineName, tuple[Ecosystem, str]] = {
    "ollama": ("Go", "github.com/ollama/ollama"),
    "vllm": ("PyPI", "vllm"),
    "sglang": ("PyPI", "sglang"),
    "ray": ("PyPI", "ray"),
    "llama-cpp": ("llama.cpp", "llama.cpp"),
    "openclaw": ("npm", "openclaw"),
}
"""What an engine is called where its advisories are kept."""

_FILE_MAX = 1 << 20


def _components(scene: Scene) -> tuple[Component, ...]:
    """Python packages of this installation, and engines that answer, with the versions they tell."""
    return scene.once.get("components", lambda: (*installed(scene.site_packages), *_running(scene)))


def _running(scene: Scene) -> Iterator[Component]:
    for answer in survey(scene):
        if answer.version and answer.engine in _PACKAGES:
            ecosystem, package = _PACKAGES[answer.engine]
            yield Component(ecosystem, package, answer.version.removeprefix("v"), answer.place)


def _matches(scene: Scene) -> tuple[tuple[Component, tuple[Match, ...]], ...]:
    advisories = load_extract().advisories
    return scene.once.get("advisories", lambda: tuple((one, matches(one, advisories)) for one in _components(scene)))


def _vulnerable(scene: Scene) -> Iterator[Finding]:
    known: set[str] = set()
    for component, found in _matches(scene):
        known |= {name for match in found for name in match.ids}
        mild = [match for match in found if not match.malicious]
        if mild:
            yield _finding(component, mild)
    if scene.online:
        yield from _asked(scene, known)


def _finding(component: Component, found: list[Match]) -> Finding:
    told = "; ".join(f"{match.ids[0]} ({match.level}): {match.summary}" for match in found[:_SHOWN])
    more = f" And {len(found) - _SHOWN} more." if len(found) > _SHOWN else ""
    notes = " ".join(dict.fromkeys(match.note for match in found[:_SHOWN] if match.note))
    return Finding(
        subject=f"{component.package} {component.version} ({component.where})",
        found=" ".join(part for part in (f"{told}{more}", notes) if part),
        severity=max(map(_severity, found), key=SEVERITIES.index),
        remedy=_remedy(component, found),
    )


def _severity(match: Match) -> Severity:
    """What no update mends is how the component is made; whether strangers reach it, the checks of the network say."""
    mendable = bool(match.fixed or match.last_affected)
    return _SEVERITIES[match.level] if mendable else min(_SEVERITIES[match.level], "warn", key=SEVERITIES.index)


def _remedy(component: Component, found: list[Match]) -> str:
    fixed, beyond = way_out(component, load_extract().advisories)
    advice = "Keep it from strangers: no version is known that mends all of it."
    if fixed or beyond:
        wanted = f"to {fixed} or later" if fixed else f"to a version after {beyond}"
        mendable = all(match.fixed or match.last_affected for match in found)
        advice = f"Update {wanted}." if mendable else f"Update {wanted}. {advice}"
    return advice


def _asked(scene: Scene, known: set[str]) -> Iterator[Finding]:
    """What OSV says beyond the extract."""
    answers = online.ask(_components(scene))
    fresh = sorted({name for ids in answers.values() for name in ids} - known)
    said = {advisory.id: advisory for advisory in online.details(fresh)}
    for component, ids in answers.items():
        rows = [said[name] for name in ids if name in said and not {name, *said[name].aliases} & known]
        if rows:
            told = "; ".join(f"{row.id}: {row.summary or row.url}" for row in rows[:_SHOWN])
            more = f" And {len(rows) - _SHOWN} more." if len(rows) > _SHOWN else ""
            yield Finding(
                subject=f"{component.package} {component.version} ({component.where})",
                found=f"{told}{more}",
                severity=max((_SEVERITIES[row.level] for row in rows), key=SEVERITIES.index),
                remedy=f"Read {page_of(rows[0].id)}, and update.",
            )


def _malicious(scene: Scene) -> Iterator[Finding]:
    for component, found in _matches(scene):
        for match in found:
            if match.malicious:
                yield Finding(
                    subject=f"{component.package} {component.version} ({component.where})",
                    found=f"This version is known to be malicious: {match.ids[0]}, {match.summary}.",
                    remedy="Take the machine off the network, replace every key it had, and set it up anew.",
                )
    for folder in scene.site_packages:
        for path in sorted(folder.glob("*.pth")) if folder.is_dir() else ():
            if (line := code_in_pth(path)) is not None:
                yield _at_every_start(path, line)


def _at_every_start(path: Path, line: str) -> Finding:
    shown = line if len(line) <= 100 else f"{line[:99]}…"
    owner = owner_of(path)
    whose = f"It came with {owner}" if owner else "No package says that it is its own"
    return Finding(
        subject=str(path),
        found=f"Python runs this at every start, and it is not one of the usual ones: {shown!r}. {whose}.",
        severity="warn" if owner else "high",
        remedy="Find out what it does and whether you want that; delete it if nobody knows.",
    )


# ---- containers


_ENGINE_IMAGE = re.compile(
    r"ollama|vllm|sglang|llama[._-]?cpp|rayproject/|openclaw|open-webui|litellm|text-generation|isthmus|localai|lmstudio"
)


def _unpinned_images(scene: Scene) -> Iterator[Finding]:
    if scene.config_file is None:
        return
    for path in compose_files(scene.config_file.parent):
        for name, image in _images(path):
            if _ENGINE_IMAGE.search(image.lower()) and "@sha256:" not in image:
                tag = image.rpartition("/")[2].partition(":")[2]
                what = f"the tag {tag!r}, which can be moved" if tag else "no tag, so the newest is taken"
                yield Finding(
                    subject=f"service {name} in {path}",
                    found=f"The image {image} is named by {what}.",
                    severity="high" if tag in {"", "latest", "main", "nightly", "dev"} else "warn",
                    remedy=f"`docker buildx imagetools inspect {image}` shows its digest: write {image}@sha256:…",
                )


def _images(path: Path) -> Iterator[tuple[str, str]]:
    try:
        content = yaml.safe_load(path.read_text(errors="replace"))
    except (yaml.YAMLError, RecursionError):
        return
    services = content.get("services") if isinstance(content, dict) else None
    for name, service in services.items() if isinstance(services, dict) else ():
        if isinstance(service, dict) and isinstance(service.get("image"), str):
            yield str(name), service["image"]


# ---- updaters, plugins


def _updaters(scene: Scene) -> Iterator[Finding]:
    """Ollama for Windows, seen from the Linux beside it."""
    version = scene.proc / "version"
    if not version.is_file() or "microsoft" not in version.read_text(errors="replace").lower():
        return
    for answer in survey(scene):
        if answer.engine == "ollama":
            yield Finding(
                subject=f"{answer.title} at {answer.place}",
                found="It runs on Windows, as far as can be told, where its updater did not check signatures.",
            )


_PINNED_NPM = re.compile(r"(?:@[^/@\s]+/)?[^@/\s]+@v?\d+\.\d+\.\d+[^\s]*")
_PINNED_PYPI = re.compile(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?(?:==|@)\d[^\s]*")


def _plugins(scene: Scene) -> Iterator[Finding]:
    for path in _tool_files(scene):
        config = _read_json(path)
        for name, server in _mcp_servers(config):
            package = _unpinned(server)
            if package is not None:
                yield Finding(
                    subject=f"MCP server {name} in {path}",
                    found=f"It is fetched anew at every start, whatever version there is: {package}.",
                    remedy=f"Name the version: {package.partition('@latest')[0]}@VERSION.",
                )
        for name, install in _plugin_installs(config):
            spec = str(install.get("spec", ""))
            lacks = [
                lack
                for lack, is_so in (
                    ("no exact version", bool(spec) and not _PINNED_NPM.fullmatch(spec)),
                    ("no hash (integrity)", not install.get("integrity")),
                )
                if is_so
            ]
            if install.get("source") == "npm" and lacks:
                yield Finding(
                    subject=f"plugin {name} in {path}",
                    found=f"{spec or 'It'} was installed with {' and '.join(lacks)}.",
                    remedy="Install it anew with an exact version (`openclaw plugins install NAME@VERSION`).",
                )


def _tool_files(scene: Scene) -> Iterator[Path]:
    """Files that name MCP servers and plugins: beside the settings, and of programmes of this user."""
    places: list[Path] = []
    if scene.config_file is not None:
        places.append(scene.config_file.parent / ".mcp.json")
    if home := scene.environ.get("HOME"):
        places += [
            Path(home) / ".openclaw" / "openclaw.json",
            Path(home) / ".config" / "Claude" / "claude_desktop_config.json",
            Path(home) / ".cursor" / "mcp.json",
        ]
    for path in places:
        if path.is_file() and path.stat().st_size <= _FILE_MAX:
            yield path


def _read_json(path: Path) -> dict[str, Any]:
    """The file as JSON; empty where it is none, as files with comments are not."""
    try:
        content = json.loads(path.read_text(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _mcp_servers(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    below = config.get("mcp")
    for section in (config.get("mcpServers"), below.get("servers") if isinstance(below, dict) else None):
        for name, server in section.items() if isinstance(section, dict) else ():
            if isinstance(server, dict):
                yield str(name), server


def _plugin_installs(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    plugins = config.get("plugins")
    installs = plugins.get("installs") if isinstance(plugins, dict) else None
    for name, install in installs.items() if isinstance(installs, dict) else ():
        if isinstance(install, dict):
            yield str(name), install


def _unpinned(server: dict[str, Any]) -> str | None:
    """The package that a command fetches without a version; None: it fetches none, or a pinned one."""
    command = Path(str(server.get("command", ""))).name
    arguments = server.get("args")
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    named = next((word for word in words if not word.startswith("-")), None)
    if named is None:
        return None
    if command in {"npx", "bunx", "pnpx"} and not _PINNED_NPM.fullmatch(named):
        return named
    if command in {"uvx", "pipx"} and named != "run" and not _PINNED_PYPI.fullmatch(named):
        return named
    return None


CHECKS: tuple[Check, ...] = (
    Check(
        id="SC-1",
        family="supply-chain",
        title="A component has known vulnerabilities",
        severity="high",
        why=(
            "Engines and gateways of models had dozens of published vulnerabilities in 2026 alone, many open to "
            "whoever reaches the port. Compared with an extract of OSV that came along; `--online` asks OSV itself."
        ),
        remedy="Update it.",
        look=_vulnerable,
        asks_network=True,
    ),
    Check(
        id="SC-2",
        family="supply-chain",
        title="A component is known to be malicious, or runs code at every start",
        severity="critical",
        why=(
            "litellm 1.82.7 and 1.82.8 carried a thief of credentials, one in a `.pth` file that Python runs at every "
            "start, whether the package is imported or not (MAL-2026-2144)."
        ),
        remedy="Treat every key that the machine had as known to others.",
        look=_malicious,
        asks_network=True,
    ),
    Check(
        id="SC-3",
        family="supply-chain",
        title="A container's image is not pinned by its digest",
        severity="warn",
        why="Whoever has the password of a registry's account moves a tag; a digest stays what it is.",
        remedy="Write the image as NAME@sha256:DIGEST.",
        look=_unpinned_images,
    ),
    Check(
        id="SC-4",
        family="supply-chain",
        title="An updater takes what it is given",
        severity="warn",
        why="Ollama's updater for Windows ran whatever it had downloaded (CVE-2026-42248, CVE-2026-42249).",
        remedy="Update Ollama by hand from its site, and switch its own updates off.",
        look=_updaters,
        asks_network=True,
    ),
    Check(
        id="SC-5",
        family="supply-chain",
        title="A plugin or tool is not pinned",
        severity="warn",
        why="A plugin runs with all that its host may do; unpinned, it is whatever its maker's account publishes next.",
        remedy="Name an exact version.",
        look=_plugins,
    ),
)
