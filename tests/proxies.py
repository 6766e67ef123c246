"""A network between a client and its broker that a test can cut: a SOCKS5 proxy on loopback (RFC 1928)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16
_IPV4, _NAME = 1, 3


class Proxy:
    """While it is cut, nothing passes and nothing is refused: connections stay open, new ones are never answered."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._passing = threading.Event()
        self._passing.set()
        self._closing = False
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """For kafka-python's `proxy_url`."""
        host, port = self._listener.getsockname()
        return f"socks5://{host}:{port}"

    def cut(self) -> None:
        self._passing.clear()

    def heal(self) -> None:
        self._passing.set()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._passing.set()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            broker = self._connect(client)
            self._sockets.append(broker)
            self._start(self._pump, broker, client)
            self._pump(client, broker)

    def _connect(self, client: socket.socket) -> socket.socket:
        _, methods = self._read(client, 2)
        self._read(client, methods)
        client.sendall(b"\x05\x00")  # No authentication.
        *_, kind = self._read(client, 4)
        assert kind in (_IPV4, _NAME)
        host = socket.inet_ntoa(self._read(client, 4)) if kind == _IPV4 else self._read(client, *self._read(client, 1))
        (port,) = struct.unpack(">H", self._read(client, 2))
        broker = socket.create_connection((host, port))
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return broker

    def _read(self, source: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = source.recv(count - len(data))
            self._passing.wait()
            if not more:
                raise EOFError
            data += more
        return data

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._passing.wait()
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
