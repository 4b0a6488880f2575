"""What there is to use when nobody said: engines on this machine, and keys in the environment.

Only this machine is asked, at 127.0.0.1, with one `GET /v1/models` per port; nothing is sent anywhere else, and a key
that is found is not tried out.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from isthmus.domain.offer import SecretRef
from isthmus.providers.compatible import Service, services

TOTAL_SECONDS = 0.5
"""How long all engines together may take: a person waits for the start. An engine that loads a model answers its list
of models at once all the same."""

_OWNER_AT_ISTHMUS = "workload"
"""An isthmus lists its workloads first; no engine calls the owner of a model that."""

_LIST_LIMIT = 1 << 20
_NOT_FOR_CHAT = ("embed", "rerank", "bge-", "whisper")
"""Parts of the names of models that answer no chat; engines list them with the others and do not tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEngine:
    """An engine that answered, and the chat models it lists."""

    service: Service
    base_url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """A service whose key is in the environment."""

    service: Service
    key: SecretRef


def usual_ports() -> Mapping[str, int]:
    """Name of each service that runs on one's own machine, and the port it usually listens on."""
    return {service.name: service.port for service in services().values() if service.port is not None}


def find_engines(ports: Mapping[str, int], *, seconds: float = TOTAL_SECONDS) -> tuple[FoundEngine, ...]:
    """Ask for engines on ports of this machine, all at once.

    Args:
        ports: name of a service, and the port to look for it on.
        seconds: how long all of it may take; what has not answered by then counts as not there.

    Returns:
        In the order of `ports`. Something on a port that lists no models in the manner of OpenAI is no engine, nor
        is an isthmus.
    """
    if not ports:
        return ()
    # Threads that still wait at the end are left to their own time-out; they hold nothing but a socket.
    pool = ThreadPoolExecutor(max_workers=len(ports), thread_name_prefix="discovery")
    try:
        asked = {name: pool.submit(_ask, services()[name], port, seconds) for name, port in ports.items()}
        done, _ = wait(asked.values(), timeout=seconds)
        answers = [future.result() for future in asked.values() if future in done]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return tuple(engine for engine in answers if engine is not None)


def find_keys(environ: Mapping[str, str]) -> tuple[FoundKey, ...]:
    """The services whose keys are in the environment, in the order of the table."""
    found = []
    for service in services().values():
        key = key_in(environ, service)
        if key is not None:
            found.append(FoundKey(service=service, key=key))
    return tuple(found)


def key_in(environ: Mapping[str, str], service: Service) -> SecretRef | None:
    """The variable of the environment that holds a service's key; None where there is none."""
    if service.key is None:
        return None
    for variable in (service.key.name, *service.key_also):
        if environ.get(variable, "").strip():
            return SecretRef("env", variable)
    return None


def _ask(usual: Service, port: int, seconds: float) -> FoundEngine | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/v1/models", headers={"accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200 or any(name.lower().startswith("isthmus-") for name, _ in answer.getheaders()):
            return None
        listed = json.loads(answer.read(_LIST_LIMIT))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    rows = _rows(listed)
    owners = {str(row.get("owned_by")) for row in rows}
    if not rows or _OWNER_AT_ISTHMUS in owners:
        return None
    service = next((known for known in services().values() if owners & set(known.owned_by)), usual)
    models = tuple(dict.fromkeys(row["id"] for row in rows if _answers_chat(row["id"])))
    return FoundEngine(service=service, base_url=f"http://127.0.0.1:{port}/v1", models=models)


def _rows(listed: Any) -> list[dict[str, Any]]:
    """The rows of a list of models; empty where it is none."""
    data = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(data, list):
        return []
    return [row for row in data if isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"]]


def _answers_chat(model: str) -> bool:
    return not any(part in model.lower() for part in _NOT_FOR_CHAT)
