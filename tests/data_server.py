"""A web server on this machine that serves files well and badly, and remembers what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """One file: its content and how it is served.

    `cuts` are bytes after which the answers break off, one answer each; `statuses` are sent instead of the
    file, one answer each; `stalls` answers that never go on after half of the bytes; `length` is a lie.
    """

    body: bytes
    ranges: bool = True
    etag: str = ""
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    stalls: int = 0
    length: int | None = None


class DataServer(ThreadingHTTPServer):
    """Serves `files` by path; `asked` holds path and Range of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Served] = {}
        self.asked: list[tuple[str, str]] = []
        self.ended = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def serve(self, path: str, body: bytes, **how: Any) -> str:
        """Serve a file and return its URL."""
        self.files[path] = Served(body, **how)
        return self.url(path)


class Handler(BaseHTTPRequestHandler):
    server: DataServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append((self.path, asked))
        file = self.server.files.get(self.path)
        if file is None:
            return self.send_error(404)
        if file.statuses:
            return self.send_error(file.statuses.pop(0))
        first = self.first_byte(file, asked)
        if first > 0 and first >= len(file.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(file.body)}")
            return self.end_headers()
        return self.send_file(file, first)

    def first_byte(self, file: Served, asked: str) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        same = self.headers.get("If-Range", file.etag) == file.etag
        return int(match[1]) if match and file.ranges and same else 0

    def send_file(self, file: Served, first: int) -> None:
        body = file.body[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(file.length or len(body)))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(file.body) - 1}/{len(file.body)}")
        if file.etag:
            self.send_header("ETag", file.etag)
        self.end_headers()
        if file.stalls:
            file.stalls -= 1
            self.wfile.write(body[: len(body) // 2])
            self.server.ended.wait(60)
            return
        self.wfile.write(body[: file.cuts.pop(0)] if file.cuts else body)

    def log_message(self, *args: Any) -> None:
        """Stay silent."""


@contextmanager
def serving() -> Iterator[DataServer]:
    """Run a server for as long as the body."""
    with DataServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
