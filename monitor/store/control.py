"""How commands talk to the running daemon: one JSON line there, one back, over a unix socket that only its owner opens.

{"op": "publish"}                      -> {"ok": true, "rows": 42}
{"op": "record_query", "row": {...}}   -> {"ok": true}
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

SOCKET = "control.sock"
MAX_LINE = 256 * 1024
_PATIENCE = 5.0  # seconds that one peer may take


class Controlled(Protocol):
    def publish(self) -> int: ...
    def record_query(self, row: Mapping[str, Any]) -> None: ...


class ControlServer:
    """Answers in a thread of its own between `start` and `stop`; the store's lock is held, so a socket left over is ours."""

    def __init__(self, store: Controlled, state_dir: Path) -> None:
        self._store = store
        self._state_dir = state_dir
        self._path = state_dir / SOCKET
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._listener: socket.socket | None = None

    def start(self) -> None:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(self._state_dir) as address:
            before = os.umask(0o177)
            try:
                listener.bind(address)
            finally:
                os.umask(before)
        listener.listen(16)
        listener.settimeout(0.2)
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self._listener is not None:
            self._listener.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        assert self._listener is not None
        while not self._stopping.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with peer, suppress(OSError):
                peer.settimeout(_PATIENCE)
                peer.sendall(_line(self._answer(_receive(peer), _uid(peer))))

    def _answer(self, line: bytes, uid: int) -> dict[str, Any]:
        try:
            request = json.loads(line)
            match request["op"]:
                case "publish":
                    return {"ok": True, "rows": self._store.publish()}
                case "record_query":
                    row = dict(request["row"])
                    row["asked_at"] = datetime.fromisoformat(row["asked_at"])
                    self._store.record_query({**row, "uid": uid})
                    return {"ok": True}
                case _:
                    return {"ok": False, "error": "unknown_op"}
        except Exception as error:  # noqa: BLE001 - whatever is asked, the daemon goes on
            return {"ok": False, "error": type(error).__name__}


def ask(state_dir: Path, request: Mapping[str, Any], timeout: float) -> dict[str, Any] | None:
    """The daemon's answer; None where there is no daemon. Raises TimeoutError where it does not answer in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(timeout)
        try:
            with _address(state_dir) as address:
                peer.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        try:
            peer.sendall(_line(request))
            answer = json.loads(_receive(peer))
        except (ConnectionError, ValueError) as error:
            raise TimeoutError from error
    return answer if isinstance(answer, dict) else None


@contextmanager
def _address(state_dir: Path) -> Iterator[str]:
    """A name of the socket short enough for the kernel (108 bytes), however deep the folder lies."""
    descriptor = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def _receive(peer: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < MAX_LINE:
        part = peer.recv(65536)
        if not part:
            break
        data += part
    return data


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _uid(peer: socket.socket) -> int:
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)
