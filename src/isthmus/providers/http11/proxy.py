"""Through a proxy: a tunnel for https, and what a plain request to a proxy needs.

Source: RFC 9110, section 9.3.6 (CONNECT), section 7.1 (absolute form), section 11.7.1 (Proxy-Authorization).
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.providers.http11.framing import Header

_REPLY_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    authorization: Header | None

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Read `http://[user:password@]host:port`.

        Raises:
            ConfigError: it is not that. The address is not repeated, since it may hold a password.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme != "http" or not host:
            raise ConfigError("The proxy of an offer is not understood.", hint="Say http://host:port.")
        authorization: Header | None = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            authorization = (b"proxy-authorization", b"Basic " + base64.b64encode(pair))
        return cls(host, port or 80, authorization)

    async def tunnel(self, host: str, port: int) -> socket.socket:
        """A socket that the proxy has connected to `host:port`.

        Raises:
            OSError: the proxy cannot be reached.
            UpstreamUnreachable: the proxy refused.
        """
        loop = asyncio.get_running_loop()
        tunnel = await self._connected(loop)
        try:
            target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            request = f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n".encode("ascii")
            if self.authorization is not None:
                request += b"%s: %s\r\n" % self.authorization
            await loop.sock_sendall(tunnel, request + b"\r\n")
            reply = b""
            while b"\r\n\r\n" not in reply:
                data = await loop.sock_recv(tunnel, 4096)
                reply += data
                if not data or len(reply) > _REPLY_BYTES:
                    raise UpstreamUnreachable(f"The proxy {self.host}:{self.port} did not answer as a proxy does.")
            status = _STATUS.match(reply)
            if status is None or not status[1].startswith(b"2"):
                said = status[1].decode("ascii") if status is not None else "something that is not HTTP"
                raise UpstreamUnreachable(f"The proxy {self.host}:{self.port} refused the tunnel and answered {said}.")
            if not reply.endswith(b"\r\n\r\n"):  # in TLS the client speaks first: these bytes are not the server's
                raise UpstreamUnreachable(f"The proxy {self.host}:{self.port} put bytes of its own into the tunnel.")
        except BaseException:
            tunnel.close()
            raise
        return tunnel

    async def _connected(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A socket to the proxy itself, at the first of its addresses that answers."""
        failure: OSError | None = None
        for family, kind, number, _, address in await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            candidate = socket.socket(family, kind, number)
            try:
                candidate.setblocking(False)
                candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(candidate, address)
            except OSError as exc:
                candidate.close()
                failure = exc
            except BaseException:
                candidate.close()
                raise
            else:
                return candidate
        raise failure or OSError(None, "its name has no address")
