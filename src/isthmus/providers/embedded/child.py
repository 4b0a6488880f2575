"""The engine's own process: `python -m isthmus.providers.embedded.child`.

It reads one line of JSON from its input (`Launch`), starts llama.cpp's server on a free port of 127.0.0.1, tells the
port or the failure in one line of JSON (`Report`), and ends when its input is closed: so it dies with the process
that started it, also when that one is killed. The key comes through the pipe because arguments and environment
of a process can be read by others.

This module is the only one that knows xllamacpp, which has no types.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
from typing import BinaryIO
from urllib.parse import urlsplit

import msgspec

from isthmus.providers.embedded.launch import Failed, Launch, Ready, Report


def parameters(launch: Launch) -> object:
    """llama.cpp's parameters for an engine."""
    import xllamacpp  # noqa: PLC0415 - loading llama.cpp is for the engine's process only

    params = xllamacpp.CommonParams()
    params.model.path = launch.path
    params.model_alias = {launch.model}
    params.offline = True

    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [launch.api_key]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_metrics = True

    params.n_ctx = launch.context_tokens * launch.parallel
    params.n_parallel = launch.parallel
    params.kv_unified = False
    params.n_batch = launch.batch_tokens
    params.n_ubatch = min(params.n_ubatch, launch.batch_tokens)
    params.cpuparams.n_threads = launch.threads
    params.cpuparams_batch.n_threads = launch.threads
    params.use_jinja = True

    # llama.cpp's cache of prompts in memory does not know adapters: keys and values computed under one are reused under
    # another, and the answers are silently wrong (ggml-org/llama.cpp#26207). Without adapters it would still keep up
    # to 8 GB of other people's prompts. The beginning that a request shares with the one before it in the same slot
    # is reused all the same.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False

    # Errors only: the levels above print parts of prompts.
    params.verbosity = 0
    params.log_json = False
    return params


def serve(launch: Launch) -> tuple[object, int]:
    """Start the server; returns it, to be kept alive, and its port."""
    import xllamacpp  # noqa: PLC0415 - as above

    server = xllamacpp.Server(parameters(launch))
    port = urlsplit(str(server.listening_address)).port
    if port is None:
        raise RuntimeError(f"no port in {server.listening_address!r}")
    return server, port


def main() -> int:
    """Serve until the input is closed."""
    reports = _take_output()
    _lower_what_a_crash_costs()
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    orphaned = threading.Thread(target=_end_with_input, daemon=True)
    orphaned.start()
    try:
        server, port = serve(msgspec.json.decode(line, type=Launch))
    except Exception as error:
        _tell(reports, Failed(f"{type(error).__name__}: {error}"))
        return 1
    _tell(reports, Ready(port))
    orphaned.join()
    del server
    return 0


def _take_output() -> BinaryIO:
    """Keep the output for reports alone; whatever a library prints goes to the error output."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return reports


def _tell(reports: BinaryIO, report: Report) -> None:
    with contextlib.suppress(BrokenPipeError):
        reports.write(msgspec.json.encode(report) + b"\n")
        reports.flush()


def _end_with_input() -> None:
    # The bare descriptor: a thread inside `sys.stdin` would hold its lock, and the interpreter could not end cleanly.
    while os.read(0, 4096):
        pass
    # Not by an exception in the main thread: it may be inside llama.cpp, loading gigabytes.
    os._exit(0)


def _lower_what_a_crash_costs() -> None:
    """No core dump, which would hold prompts; and when memory runs out, this process goes before the gateway."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("500")


if __name__ == "__main__":
    sys.exit(main())
