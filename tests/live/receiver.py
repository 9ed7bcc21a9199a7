"""A webhook receiver on loopback that keeps what it was sent and when."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Receiver:
    secret: bytes
    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)  # seconds since the epoch
    keys: list[str] = field(default_factory=list)
    bad_signatures: int = 0
    answer: int = 200

    def stories(self) -> set[str]:
        return {message["story"]["id"] for message in self.messages if message.get("story")}

    def rules(self) -> set[str]:
        told = {message["rule"] for message in self.messages if "rule" in message}
        for message in self.messages:
            told |= {finding["rule"] for finding in (message.get("story") or {}).get("findings", ())}
        return told


@contextmanager
def receiver(secret: bytes = b"not a secret, a test") -> Iterator[Receiver]:
    box = Receiver(secret)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stamp = self.headers.get("X-Hiswatch-Timestamp", "")
            wanted = "sha256=" + hmac.new(box.secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            if not hmac.compare_digest(wanted, self.headers.get("X-Hiswatch-Signature", "")):
                box.bad_signatures += 1
            elif box.answer == 200:
                box.arrived.append(time.time())
                box.keys.append(self.headers.get("Idempotency-Key", ""))
                box.messages.append(json.loads(body))
            self.send_response(box.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    box.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
