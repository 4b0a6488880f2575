"""What of isthmus and of local engines answers where.

Asked once for all checks: at loopback, at this machine's own addresses, at those that the operator listed, and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from time import monotonic

from isthmus.doctor.engines import TITLES, Answer, EngineName, Target, engine_at, engine_of
from isthmus.doctor.listeners import Listener, Process, listeners, processes
from isthmus.doctor.scene import Scene
from isthmus.settings.values import is_loopback

SECONDS = 15.0
"""For all of it; what has not answered by then is not told of."""


def survey(scene: Scene) -> tuple[Answer, ...]:
    """What answers, by port and host. Asked at the first call for a scene."""
    return scene.once.get("exposure", lambda: _asked(tuple(targets(scene))))


def listening(scene: Scene) -> tuple[Listener, ...] | None:
    """What listens on this machine; None: the system does not tell."""
    return scene.once.get("listeners", lambda: listeners(scene.proc))


def running(scene: Scene) -> tuple[Process, ...]:
    """The processes of this machine that can be seen."""
    return scene.once.get("processes", lambda: processes(scene.proc))


def targets(scene: Scene) -> Iterator[Target]:
    """What is to be asked.

    At loopback and at listed addresses every usual port, and of this machine also those on which a process listens
    that looks like an engine. At this machine's other addresses only what listens there, where the system tells.
    """
    told = listening(scene)
    usual = {port: name for name, port in scene.ports.items()}
    if scene.settings is not None and scene.settings.server.port:
        usual.setdefault(scene.settings.server.port, "isthmus")
    own = {listener.port for listener in told or () if listener.owner is not None and engine_of(listener.owner)}
    for host in dict.fromkeys((*scene.addresses, *scene.interfaces)):
        here = host in scene.interfaces or is_loopback(host)
        for port in sorted({*usual, *(own if here else ())}):
            if host in scene.interfaces and told is not None and not _listens(told, host, port):
                continue
            yield Target(
                host=host,
                port=port,
                network=host in scene.interfaces or not is_loopback(host),
                here=here,
                usual=_known(usual.get(port)),
                owner=_owner(told or (), port) if here else None,
            )


def _known(name: str | None) -> EngineName | None:
    return next((engine for engine in TITLES if engine == name), None)


def _listens(told: tuple[Listener, ...], host: str, port: int) -> bool:
    return any(listener.port == port and (listener.anywhere or listener.address == host) for listener in told)


def _owner(told: tuple[Listener, ...], port: int) -> Process | None:
    return next((listener.owner for listener in told if listener.port == port and listener.owner is not None), None)


def _asked(wanted: tuple[Target, ...]) -> tuple[Answer, ...]:
    """The answers. Threads that still wait at the end are left to their own deadline: they hold a socket and end."""
    answers: dict[Target, Answer | None] = {}

    def ask(target: Target) -> None:
        answers[target] = engine_at(target)

    threads = [Thread(target=ask, args=(target,), daemon=True, name="doctor") for target in wanted]
    end = monotonic() + SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))
    found = (answer for answer in dict(answers).values() if answer is not None)
    return tuple(sorted(found, key=lambda answer: (answer.target.port, answer.target.network, answer.target.host)))
