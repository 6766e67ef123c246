"""An HTTP receiver on loopback that answers each request as its script says: correctly, badly, or never.

A behaviour is a function of the open connection, called once the whole request has been read. Behaviours that would go
on for ever end when the peer has gone or the receiver is closed, so a test that gets past one has proved a limit.
"""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

Behaviour = Callable[["Exchange"], None]

WAIT_S = 60.0


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """The connection on which an answer to `received` is due; `closing` is set when the test is over."""

    connection: socket.socket
    closing: threading.Event
    received: Received

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self, data: bytes) -> None:
        """One byte every 10 ms."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self.closing.wait(0.01):
                return

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """A correct answer; `retry_after="60"` becomes `retry-after: 60`."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return lambda exchange: exchange.send(head + body)


def hangs(exchange: Exchange) -> None:
    """Never answers."""
    exchange.closing.wait()


def resets(exchange: Exchange) -> None:
    """Reads the request, acts on it for all the sender knows, and resets the connection."""
    exchange.reset()


def resets_within_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-le")
    exchange.reset()


def resets_within_body(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 1000\r\n\r\nacc")
    exchange.reset()


def closes_within_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-le")


def drips_headers(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 1_000_000)


def drips_body(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 503 Busy\r\ncontent-length: 1000000\r\n\r\n")
    exchange.drip(b"a" * 1_000_000)


def never_ends_its_body(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n")
    while not exchange.closing.is_set():
        exchange.send(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")


def floods_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while not exchange.closing.is_set():
        exchange.send(b"".join(b"x-%d: %s\r\n" % (number, b"a" * 100) for number in range(100)))


def floods_interim_answers(exchange: Exchange) -> None:
    while not exchange.closing.is_set():
        exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def speaks_another_protocol(exchange: Exchange) -> None:
    exchange.send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


class Receiver:
    """Answers the n-th request with the n-th behaviour of the script, and the last behaviour from then on."""

    def __init__(self, *script: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._requests: list[Received] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?token=in-the-query"

    @property
    def requests(self) -> list[Received]:
        with self._changed:
            return list(self._requests)

    def wait_for_requests(self, count: int) -> list[Received]:
        """The requests, once there are `count` of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._requests) >= count, WAIT_S), "no request arrived"
            return list(self._requests)

    def __enter__(self) -> Receiver:
        self._spawn(self._listen)
        return self

    def hang_up(self) -> None:
        """End every behaviour that would go on for ever."""
        self._closing.set()

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "a behaviour outlived its test"

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while not self._closing.is_set():
                connection, _ = self._listener.accept()
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), self._secured(connection) as connection:
            connection.settimeout(WAIT_S)
            received = read_request(connection)
            if received is None:
                return
            with self._changed:
                behaviour = self._script[min(len(self._requests), len(self._script) - 1)]
                self._requests.append(received)
                self._changed.notify_all()
            behaviour(Exchange(connection, self._closing, received))

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection


def read_request(connection: socket.socket) -> Received | None:
    """One whole request, None where the peer sent none."""
    with connection.makefile("rb") as stream:
        line = stream.readline().decode("latin-1").split()
        if not line:
            return None
        headers: dict[str, str] = {}
        while name_value := stream.readline().decode("latin-1").strip():
            name, _, value = name_value.partition(":")
            headers[name.lower()] = value.strip()
        return Received(line[0], line[1], headers, stream.read(int(headers.get("content-length", "0"))))


def certified(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS as `localhost`, and the certificate that whoever trusts it has to know. Needs openssl."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    extensions = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *extensions], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
