"""What brings strangers to loopback: reverse proxies and tunnels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isthmus.doctor.check import Check, Finding
from isthmus.doctor.client_keys import keys_in_force
from isthmus.doctor.exposure import listening, running
from isthmus.doctor.listeners import Process
from isthmus.doctor.scene import Scene

_PROXIES = frozenset(
    {"nginx", "caddy", "haproxy", "traefik", "envoy", "apache2", "httpd", "lighttpd", "h2o", "pound", "squid"}
)

_TUNNELS = frozenset(
    {
        "bore",
        "chisel",
        "cloudflared",
        "frpc",
        "inlets",
        "localxpose",
        "loclx",
        "lt",
        "ngrok",
        "pinggy",
        "rathole",
        "tunnelto",
        "zrok",
    }
)

_INTERPRETERS = frozenset({"node", "nodejs", "python", "python3", "sh", "bash"})


def _proxies(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None or not scene.settings.server.is_loopback or keys_in_force(scene):
        return
    facing = {
        listener.owner.name
        for listener in listening(scene) or ()
        if listener.owner is not None and listener.owner.name in _PROXIES and not listener.is_loopback
    }
    for name in sorted(facing):
        server = scene.settings.server
        yield Finding(
            subject=name,
            found="It takes connections from elsewhere, and isthmus serves whoever comes from this machine, for it has "
            f"no keys. If {name} hands requests on to {server.host}:{server.port}, all who reach it reach isthmus.",
        )


def _tunnels(scene: Scene) -> Iterator[Finding]:
    for process in running(scene):
        if name := _tunnel(process):
            yield Finding(
                subject=f"{name}, process {process.pid}",
                found="It brings requests from elsewhere to this machine, past the firewall; they look as if they came "
                "from here.",
            )


def _tunnel(process: Process) -> str | None:
    """The name of a tunnel; None: the process is none."""
    words = process.arguments
    names = [Path(word).name for word in words[:2]]
    programme = names[-1] if names[0] in _INTERPRETERS else names[0]
    if programme in _TUNNELS:
        return programme
    if programme == "tailscale" and words[1:2] in {("funnel",), ("serve",)}:
        return f"tailscale {words[1]}"
    # Options of ssh may be written together, as in `-fNR 80:localhost:8090`.
    backwards = any(word.startswith("-") and not word.startswith("--") and "R" in word for word in words[1:])
    return f"{programme} -R" if programme in {"ssh", "autossh"} and backwards else None


CHECKS = (
    Check(
        id="NET-5",
        family="network",
        title="A proxy in front of a server that trusts this machine",
        severity="high",
        why="What a proxy on this machine hands on comes from 127.0.0.1. A server that lets loopback in without a key "
        "then lets everybody in; OpenClaw's gateways stood open that way. Only that a proxy listens is seen, not where "
        "it hands on to.",
        remedy="Make a key: `isthmus keys add NAME`. From then on every request needs one.",
        look=_proxies,
    ),
    Check(
        id="NET-8",
        family="network",
        title="A tunnel is open",
        severity="high",
        why="A tunnel makes a port of this machine reachable from the internet, whatever address it listens on. Seen "
        "by the names of processes: what `tailscale funnel --bg` left behind has none.",
        remedy="End it, or see to it that what it leads to asks for a key.",
        look=_tunnels,
    ),
)
