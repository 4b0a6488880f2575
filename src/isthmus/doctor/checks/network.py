"""Who can reach isthmus and local engines: told by asking them, without a key, as a stranger would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isthmus.doctor.check import Check, Finding
from isthmus.doctor.engines import CONTROLS, WORKING_PATHS, Answer, EngineName, engine_of
from isthmus.doctor.exposure import listening, survey
from isthmus.doctor.listeners import Listener
from isthmus.doctor.scene import Scene


def _open_to_the_network(scene: Scene) -> Iterator[Finding]:
    for answers in _by_engine(survey(scene)):
        first = answers[0]
        reached = [answer for answer in answers if answer.target.network and answer.is_open]
        if reached and first.engine not in CONTROLS:
            yield Finding(
                subject=f"{first.title} at {_places(reached)}",
                found="It answers other machines without asking for a key.",
                remedy=_REMEDIES.get(first.engine, ""),
            )


def _open_beside_the_door(scene: Scene) -> Iterator[Finding]:
    for answers in _by_engine(survey(scene)):
        reached = [answer for answer in answers if answer.target.network and answer.is_open is False and answer.beside]
        if not reached:
            continue
        paths = tuple(dict.fromkeys(path for answer in reached for path in answer.beside))
        working = sorted(WORKING_PATHS.intersection(paths))
        found = f"It asks for a key, and answers without one at {', '.join(paths)}."
        if working:
            found += f" {' and '.join(working)} do work for whoever asks."
        yield Finding(
            subject=f"{reached[0].title} at {_places(reached)}",
            found=found,
            severity="critical" if working else None,
        )


def _open_to_web_pages(scene: Scene) -> Iterator[Finding]:
    for answers in _by_engine(survey(scene)):
        pages = {page for answer in answers for page in answer.pages}
        ways = [_WAYS[way] for way in ("origin", "host") if way in pages]
        if ways:
            yield Finding(
                subject=f"{answers[0].title} at {_places(answers)}", found=f"It {' and '.join(ways)}, without a key."
            )
    origins = [part.strip() for part in scene.environ.get("OLLAMA_ORIGINS", "").split(",")]
    if "*" in origins:
        yield Finding(
            subject="OLLAMA_ORIGINS in the environment",
            found="It lets every web page in to an Ollama that is started from here.",
            remedy="Take the * out, and name the pages that need it.",
        )


def _controls(scene: Scene) -> Iterator[Finding]:
    answers = survey(scene)
    for group in _by_engine(answers):
        first = group[0]
        if first.engine not in CONTROLS or not any(answer.is_open for answer in group):
            continue
        reached = [answer for answer in group if answer.target.network and answer.is_open]
        what = _POWERS[first.engine]
        yield Finding(
            subject=f"{first.title} at {_places(reached or group)}",
            found=f"Every other machine that gets here {what}." if reached else f"Every programme here {what}.",
            severity=None if reached else "warn",
            remedy=_REMEDIES.get(first.engine, ""),
        )
    yield from _side_ports(listening(scene) or (), answers)


def _side_ports(told: Sequence[Listener], answers: Sequence[Answer]) -> Iterator[Finding]:
    """Ports of engines for their own use, which take commands or pickles of whoever connects."""
    known = {answer.target.port for answer in answers}
    # Where Ray's dashboard asks for a token, the rest of Ray does as well: one setting is for both.
    guarded = {answer.engine for answer in answers if answer.engine == "ray" and answer.is_open is False}
    found: dict[EngineName, list[Listener]] = {}
    for listener in told:
        engine = None if listener.owner is None or listener.is_loopback else engine_of(listener.owner)
        if engine is not None and engine in _WITH_SIDE_PORTS and engine not in guarded and listener.port not in known:
            found.setdefault(engine, []).append(listener)
    for engine, ports in found.items():
        numbers = ", ".join(str(port) for port in sorted({listener.port for listener in ports}))
        yield Finding(
            subject=f"ports of {_WITH_SIDE_PORTS[engine]}: {numbers}",
            found="They are for its own processes, ask nobody for a key, and are open beyond this machine.",
            remedy=_REMEDIES.get(engine, "Let it listen on an address of a network of its own, behind a firewall."),
        )


_WITH_SIDE_PORTS: dict[EngineName, str] = {"vllm": "vLLM", "sglang": "SGLang", "ray": "Ray"}

_WAYS = {
    "origin": "tells browsers that any web page may read its answers",
    "host": "answers under any name, so that a page can come under a name of its own (DNS rebinding)",
}

_POWERS: dict[EngineName, str] = {
    "ray": "runs what it likes on the cluster, by one request",
    "cdp": "drives the browser, and reads what it is logged in to",
    "llama-cpp-rpc": "reads and writes the memory of the process, and so runs what it likes",
}

_REMEDIES: dict[EngineName, str] = {
    "ollama": "Let it listen on this machine alone (take OLLAMA_HOST=0.0.0.0 away), and let others ask isthmus.",
    "vllm": "Start it with `--host 127.0.0.1`, or put a proxy with a list of allowed paths in front.",
    "sglang": "Start it with `--host 127.0.0.1`.",
    "llama-cpp": "Start it with `--host 127.0.0.1`, or with `--api-key-file`.",
    "llama-cpp-rpc": "Start it with `-H 127.0.0.1`, and reach it by a tunnel. It is made for trusted networks alone.",
    "lm-studio": "Turn `Serve on Local Network` off.",
    "ray": "Set RAY_AUTH_MODE=token on every node, and start it with `--dashboard-host 127.0.0.1`.",
    "cdp": "Close the browser, or start it with `--remote-debugging-pipe` instead of a port.",
    "openclaw": "Set gateway.auth, and gateway.bind to loopback.",
}


def _by_engine(answers: Sequence[Answer]) -> Iterator[tuple[Answer, ...]]:
    """Answers put together that come from one engine: those of this machine at one port, else those of one host."""
    groups: dict[tuple[str, str, int], list[Answer]] = {}
    for answer in answers:
        host = "" if answer.target.here else answer.target.host
        groups.setdefault((answer.engine, host, answer.target.port), []).append(answer)
    yield from map(tuple, groups.values())


def _places(answers: Sequence[Answer]) -> str:
    return " and ".join(dict.fromkeys(answer.place for answer in answers))


CHECKS = (
    Check(
        id="NET-1",
        family="network",
        title="Open to the network without a key",
        severity="critical",
        why="Whoever reaches it uses it, reads the names of its models, and where it can load some, loads their own. "
        "175,108 hosts with an Ollama that can be reached were counted (SentinelLABS and Censys, January 2026). It is "
        "asked from this machine, at this machine's own addresses: a firewall may still be in front.",
        remedy="Let it listen on 127.0.0.1 alone, or give it a key.",
        look=_open_to_the_network,
        asks_network=True,
    ),
    Check(
        id="NET-2",
        family="network",
        title="Paths that need no key beside a door that does",
        severity="warn",
        why="A key of vLLM covers `/v1` and little more: `/invocations` answers the same questions without it. Metrics "
        "and documentation tell a stranger what there is to attack.",
        remedy="Put a proxy in front that lets through the paths you use, and no others.",
        look=_open_beside_the_door,
        asks_network=True,
    ),
    Check(
        id="NET-6",
        family="network",
        title="Any web page may use it",
        severity="high",
        why="A page that somebody on this machine opens can ask programmes at 127.0.0.1. Where the engine tells the "
        "browser that every origin may read, or answers under any host name, the page gets the answer.",
        remedy="Name the origins that need it (Ollama: OLLAMA_ORIGINS; vLLM: --allowed-origins; llama.cpp: a key), or "
        "give it a key.",
        look=_open_to_web_pages,
        asks_network=True,
    ),
    Check(
        id="NET-7",
        family="network",
        title="Control ports that can be reached",
        severity="critical",
        why="Ray's dashboard runs jobs, llama.cpp's RPC server (CVE-2026-34159) and vLLM's ports between nodes "
        "(CVE-2025-32444) take bytes that become code, a browser's DevTools port gives its sessions away. None of "
        "them asks who is there. At loopback it is any programme of this machine that may: a warning.",
        remedy="Let it listen on 127.0.0.1 or on a network of its own.",
        look=_controls,
        asks_network=True,
    ),
)
