"""Ports that containers publish: they bypass the firewall of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isthmus.doctor.check import Check, Finding
from isthmus.doctor.engines import USUAL_PORTS
from isthmus.doctor.exposure import running
from isthmus.doctor.scene import Scene
from isthmus.settings.values import is_loopback

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""The names that Compose looks for (compose-spec, 03-compose-file)."""

_MAX_BYTES = 1 << 20

_IMAGES = re.compile(
    r"isthmus|ollama|vllm|sglang|llama[._-]?cpp|lmstudio|rayproject/|openclaw|open-webui|litellm|text-generation"
)
"""Parts of the names of images that serve models."""

_OWN_PORT = 8090


@dataclass(frozen=True, slots=True)
class Published:
    """A port of a container that is published."""

    address: str
    """At which; empty: at all."""
    outer: str
    """Port or range of the machine; empty: the system chooses."""
    inner: str
    """Port or range of the container."""


def _look(scene: Scene) -> Iterator[Finding]:
    if scene.config_file is not None:
        for path in compose_files(scene.config_file.parent):
            yield from _published_in(path)
    yield from _published_now(scene)


def compose_files(folder: Path) -> tuple[Path, ...]:
    """The files of Compose in a folder."""
    return tuple(path for name in FILES if (path := folder / name).is_file() and path.stat().st_size <= _MAX_BYTES)


def _published_in(path: Path) -> Iterator[Finding]:
    try:
        content = yaml.safe_load(path.read_text(errors="replace"))
    except yaml.YAMLError:
        return
    services = content.get("services") if isinstance(content, dict) else None
    for name, service in services.items() if isinstance(services, dict) else ():
        if not isinstance(service, dict):
            continue
        image = str(service.get("image", ""))
        wide = [
            port
            for port in published(service)
            if not (port.address and is_loopback(port.address))
            and (_IMAGES.search(f"{image} {name}".lower()) or _serves_models(port.inner))
        ]
        if wide:
            first = wide[0]
            ports = ", ".join(f"{port.outer}:{port.inner}" if port.outer else port.inner for port in wide)
            yield Finding(
                subject=f"service {name} in {path}",
                found=f"It publishes {ports} at {_addresses(wide)}.",
                remedy=f'Write 127.0.0.1 before it: "127.0.0.1:{first.outer or first.inner}:{first.inner}".',
            )


def _published_now(scene: Scene) -> Iterator[Finding]:
    """What the proxies of running containers publish; not those that rules of the kernel alone serve."""
    for process in running(scene):
        if process.name != "docker-proxy":
            continue
        said = dict(zip(process.arguments[1::2], process.arguments[2::2], strict=False))
        address, outer, inner = (said.get(f"-{name}", "") for name in ("host-ip", "host-port", "container-port"))
        if not is_loopback(address) and (_serves_models(inner) or _serves_models(outer)):
            yield Finding(
                subject=f"a running container, port {outer}", found=f"It publishes its port {inner} at {address}."
            )


def published(service: Mapping[str, Any]) -> Iterator[Published]:
    """The ports that a service of a Compose file publishes, in the short and the long form."""
    ports = service.get("ports")
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict):
            outer = port.get("published", "")
            yield Published(str(port.get("host_ip", "")), str(outer), str(port.get("target", "")))
        else:
            # `HOST_IP:OUTER:INNER/PROTOCOL`, the first two of which may be left out; an IPv6 address is in brackets.
            rest, _, inner = str(port).partition("/")[0].rpartition(":")
            address, _, outer = rest.rpartition(":")
            yield Published(address.strip("[]"), outer, inner)


def _serves_models(port: str) -> bool:
    """Whether a port, or a range of them, has one on which models are usually served."""
    first, _, last = port.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return False
    wanted = {*USUAL_PORTS.values(), _OWN_PORT} - {8000, 8080}  # those two are everybody's
    return any(int(first) <= number <= int(last or first) for number in wanted)


def _addresses(ports: list[Published]) -> str:
    return " and ".join(dict.fromkeys(port.address or "every address of this machine" for port in ports))


CHECKS = (
    Check(
        id="NET-4",
        family="network",
        title="Containers that publish an engine to the network",
        severity="high",
        why="Docker writes its rules before those of the machine's firewall: a published port is open although ufw or "
        "firewalld say that it is not.",
        remedy='Publish it at loopback, as in "127.0.0.1:11434:11434", or not at all: containers of one network reach '
        "each other without.",
        look=_look,
    ),
)
