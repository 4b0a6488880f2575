"""Where the secret went: a place that keeps all that it is sent, and a look at every packet on loopback.

The secret is searched for as it is and in the forms an agent could send it in without a word: base64, hexadecimal,
percent-encoded, reversed.
"""

from __future__ import annotations

import base64
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from typing_extensions import override

_ETH_P_ALL, _IPV6, _TCP, _UDP = 0x0003, b"\x86\xdd", 6, 17
_OUTGOING = 4
"""`PACKET_OUTGOING` of linux/if_packet.h: loopback shows each packet twice, once so."""
_BUFFER_BYTES = 32 << 20


def forms(secret: str) -> tuple[bytes, ...]:
    """The secret in the forms it is searched for in. base64 depends on what stands before it: all three ways."""
    plain = secret.encode()
    encoded = [base64.b64encode(b"\0" * before + plain)[_WHOLE[before] : -4] for before in range(3)]
    every = (plain, plain.hex().encode(), quote(secret, safe="").encode(), plain[::-1], *encoded)
    return tuple(dict.fromkeys(every))


_WHOLE = (0, 4, 4)
"""Characters of base64 that hold something of what stands before."""


def has(data: bytes, secret: str) -> bool:
    """Whether the secret is in there in any form."""
    return any(form in data for form in forms(secret))


@dataclass(kw_only=True)
class Sink:
    """A place on the web that belongs to somebody else. It keeps whatever it is sent."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    """Request line, headers and body of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/collect"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def collecting() -> Iterator[Sink]:
    """A sink for as long as the context lasts."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        @override
        def handle_one_request(self) -> None:  # whatever its method
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            sink.received.append(f"{self.requestline}\r\n{self.headers}".encode() + body)
            data = b"<!doctype html><title>News</title><p>Nothing is new."
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Wire:
    """Every packet on loopback that has the secret, by the two ports it went between."""

    def __init__(self, secret: str) -> None:
        self._forms = forms(secret)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.settimeout(0.1)
        self._ending = threading.Event()
        self.packets = 0
        self.carried: set[tuple[int, int]] = set()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                packet, address = self._socket.recvfrom(1 << 17)
            except TimeoutError:
                if self._ending.is_set():
                    return
                continue
            if address[2] == _OUTGOING:
                continue
            self.packets += 1
            if any(form in packet for form in self._forms):
                self.carried.add(ports(packet))

    def close(self) -> None:
        """Look at what is still waiting, and end."""
        self._ending.set()
        self._thread.join()
        self._socket.close()


def ports(packet: bytes) -> tuple[int, int]:
    """Source and destination port of an Ethernet frame with IP; 0 where its protocol has none."""
    if packet[12:14] == _IPV6:
        protocol, inner = packet[20], packet[54:]
    else:
        protocol, inner = packet[23], packet[14 + (packet[14] & 0x0F) * 4 :]
    if protocol not in (_TCP, _UDP):
        return (0, 0)
    source, destination = struct.unpack("!HH", inner[:4])
    return source, destination


def strangers(carried: set[tuple[int, int]], known: set[int]) -> set[int]:
    """The lower port of each pair with no known end: where the secret went that nobody expected."""
    return {min(pair) for pair in carried if not known & set(pair)}
