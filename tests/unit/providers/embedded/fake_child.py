"""Stands in for the engine's process: same line in, same line out, a small HTTP server. Needs no weights.

What it does is written in its "weights": the magic of GGUF and then JSON.
"""

import http.server
import json
import os
import signal
import sys
import threading
from pathlib import Path

from typing_extensions import override

launch = json.loads(sys.stdin.readline())
weights = Path(launch["path"])
manners = json.loads(weights.read_bytes()[4:])
with Path(f"{weights}.starts").open("a") as starts:
    starts.write(f"{os.getpid()}\n")
with Path(f"{weights}.launch").open("w") as file:
    json.dump(launch, file)

if "says" in manners:
    print(manners["says"], file=sys.stderr, flush=True)
if "fails" in manners:
    print(json.dumps({"type": "failed", "reason": manners["fails"]}), flush=True)
    sys.exit(1)
if "aborts" in manners:
    os.kill(os.getpid(), signal.SIGABRT)
if manners.get("hangs"):
    sys.stdin.read()
    sys.exit(0)


class Handler(http.server.BaseHTTPRequestHandler):
    @override
    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        busy = Path(f"{weights}.busy")
        count = int(busy.read_text() or 0) if busy.exists() else 0
        unwell = Path(f"{weights}.unwell")
        well = not (unwell.exists() and unwell.read_text())
        allowed = self.headers.get("authorization") == f"Bearer {launch['api_key']}"
        self.send_response(200 if allowed and well else 503)
        self.end_headers()
        self.wfile.write(f"# HELP x\nllamacpp:requests_processing {count}\nllamacpp:requests_deferred 0\n".encode())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"type": "ready", "port": server.server_address[1]}), flush=True)
sys.stdin.read()
os._exit(0)
