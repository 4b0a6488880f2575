"""Whether a client calls anybody but the gateway: a network of one's own, with routes into nowhere, and a count.

In a network namespace (Linux, root) loopback works as ever; whatever is sent to any other address, a look-up of a name
included, leaves by an interface whose other end answers nobody, and is seen there.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.no_network import Capture, lay_routes, reaches_elsewhere

_MARK = "ISTHMUS_CONFORMANCE_NAMESPACE"
_INTERFACE = "out"
_SETTLING_SECONDS = 0.5
_IPV4, _IPV6, _TCP, _UDP = b"\x08\x00", b"\x86\xdd", 6, 17


def possible() -> bool:
    """Whether this machine lets us have a network of our own."""
    return sys.platform == "linux" and os.geteuid() == 0


def entered() -> bool:
    return os.environ.get(_MARK) == "1"


def enter(module: str, arguments: list[str]) -> None:
    """Start anew in a network namespace, in place of this process."""
    command = ["unshare", "--net", sys.executable, "-m", module, *arguments]
    os.execvpe(command[0], command, os.environ | {_MARK: "1"})


@dataclass
class Watch:
    """What was sent to other addresses than loopback's."""

    capture: Capture

    told: int = 0

    def called(self) -> list[str]:
        """Where packets went since this was last asked, once each."""
        time.sleep(_SETTLING_SECONDS)
        packets = self.capture.seen[self.told :]
        self.told += len(packets)
        return list(dict.fromkeys(map(destination, packets)))


def destination(packet: bytes) -> str:
    """Where an Ethernet frame goes, by its IP header; for a look-up of a name, the name."""
    if packet[12:14] == _IPV6:
        return f"[{socket.inet_ntop(socket.AF_INET6, packet[38:54])}]"
    if packet[12:14] != _IPV4:
        return packet[:14].hex()
    host, inner = socket.inet_ntop(socket.AF_INET, packet[30:34]), packet[14 + (packet[14] & 0x0F) * 4 :]
    if packet[23] not in (_TCP, _UDP):
        return host
    port = int.from_bytes(inner[2:4], "big")
    return f"{_asked_name(inner[8:])}, a look-up" if (packet[23], port) == (_UDP, 53) else f"{host}:{port}"


def _asked_name(query: bytes) -> str:
    """The name that a DNS query asks for (RFC 1035, section 4.1)."""
    labels, at = [], 12
    while at < len(query) and (length := query[at]):
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels)


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch what leaves; in the namespace only.

    Raises:
        RuntimeError: the watch does not see what is sent on purpose.
    """
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    lay_routes()
    capture = Capture(_INTERFACE)
    try:
        capture.wait_for_quiet()
        before = len(capture.seen)
        reaches_elsewhere()
        time.sleep(_SETTLING_SECONDS)
        if not any(b"control" in packet for packet in capture.seen[before:]):
            raise RuntimeError("a packet that was sent on purpose was not seen")
        yield Watch(capture, told=len(capture.seen))
    finally:
        capture.close()
