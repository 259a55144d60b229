"""Listen to what a server tells its browser while a prompt runs: progress, previews, errors.

A web socket client of the few parts that ComfyUI uses (RFC 6455: no extensions, the server does not mask).
"""

import base64
import json
import os
import socket
import struct
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from .server import Client

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Events:
    """Connect as a browser; iterate to get (type, data), previews as ("preview", bytes).

    Raises:   TimeoutError: the server said nothing for as many seconds
    """

    def __init__(self, client: Client, *, seconds: float = 120) -> None:
        self.client_id = uuid.uuid4().hex
        self._socket = socket.create_connection(("127.0.0.1", client.server.port), timeout=seconds)
        self._stream = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /ws?clientId={self.client_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while self._stream.readline().strip():
            pass  # the answer's header

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        while True:
            kind, payload = self._frame()
            if kind == CLOSE:
                return
            if kind == PING:
                self._socket.sendall(bytes([0x80 | PONG, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
            elif kind == TEXT:
                message = json.loads(payload)
                yield message["type"], message["data"]
            elif kind == BINARY:
                yield "preview", payload

    def until_the_end(self, prompt_id: str) -> list[tuple[str, Any]]:
        """Collect everything up to the end of a run."""
        told = []
        for kind, data in self:
            told.append((kind, data))
            ours = isinstance(data, dict) and data.get("prompt_id") == prompt_id
            if ours and kind in ("execution_success", "execution_error", "execution_interrupted"):
                return told
        return told

    def _frame(self) -> tuple[int, bytes]:
        payload, kind, finished = b"", 0, False
        while not finished:
            first, second = self._stream.read(2)
            finished, kind = bool(first & 0x80), first & 0x0F or kind
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._stream.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._stream.read(8))
            payload += self._stream.read(length)
        return kind, payload
