from __future__ import annotations

import gzip
import hashlib
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_server import DataServer, Handler, Served
from guarded import Guarded

from seqlab.datasets import Download, fetching
from seqlab.datasets.fetching import ATTEMPTS, CHUNK, fetch
from seqlab.errors import DataError

BODY = bytes(range(256)) * 2000
PIECE = 2 * CHUNK

Fetch = Callable[..., Path]


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


@pytest.fixture
def get(folder: Path) -> Fetch:
    """Fetch `a.bin` of BODY, by default with its checksum."""

    def run(
        *urls: str, sha256: str | None = sha(BODY), progress: fetching.DownloadProgress = ignore, **more: Any
    ) -> Path:
        return fetch(Download(name="a.bin", urls=urls, sha256=sha256, **more), folder, progress)

    return run


def ignore(name: str, done: int, total: int | None) -> None:
    pass


def ranges(server: DataServer) -> list[str]:
    return [asked for _, asked in server.asked]


def test_what_is_fetched_is_the_file_and_nothing_else_stays(
    server: DataServer, get: Fetch, folder: Path
) -> None:
    seen: list[tuple[str, int, int | None]] = []
    path = get(server.serve("/a", BODY), progress=lambda *told: seen.append(told))
    assert path.read_bytes() == BODY
    assert [each.name for each in folder.iterdir()] == ["a.bin"]
    assert seen[0] == ("a.bin", 0, len(BODY))
    assert seen[-1] == ("a.bin", len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_what_is_there_is_not_fetched_again(server: DataServer, get: Fetch) -> None:
    url = server.serve("/a", BODY)
    get(url)
    get(url)
    assert len(server.asked) == 1


def test_a_file_that_was_changed_since_is_fetched_again(server: DataServer, get: Fetch, folder: Path) -> None:
    (folder / "a.bin").write_bytes(b"something else")
    assert get(server.serve("/a", BODY)).read_bytes() == BODY


def test_a_wrong_checksum_leaves_nothing(server: DataServer, get: Fetch, folder: Path) -> None:
    url = server.serve("/a", b"other")
    with pytest.raises(DataError) as caught:
        get(url)
    assert f"{url}: sha256 is {sha(b'other')}, expected {sha(BODY)}" in str(caught.value)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("etag", ['"one"', ""])
def test_a_cut_connection_is_resumed(server: DataServer, get: Fetch, etag: str) -> None:
    path = get(server.serve("/a", BODY, cuts=[10 * PIECE, PIECE], etag=etag))
    assert path.read_bytes() == BODY
    assert ranges(server) == ["", f"bytes={10 * PIECE}-", f"bytes={11 * PIECE}-"]


class Encoding(Handler):
    """Says of a packed file that gzip is its encoding."""

    name = "gzip"

    def end_headers(self) -> None:
        self.send_header("Content-Encoding", self.name)
        super().end_headers()


class OldEncoding(Encoding):
    name = "x-gzip"


@pytest.mark.parametrize("handler", [Encoding, OldEncoding])
@pytest.mark.parametrize("cuts", [[], [10 * PIECE, PIECE]])
def test_a_packed_file_stays_packed_whatever_the_server_calls_it(
    server: DataServer, get: Fetch, handler: type[Handler], cuts: list[int]
) -> None:
    packed = gzip.compress(random.Random(1).randbytes(300_000))
    server.RequestHandlerClass = handler
    path = get(server.serve("/a.tar.gz", packed, cuts=list(cuts)), sha256=sha(packed))
    assert path.read_bytes() == packed
    assert len(server.asked) == len(cuts) + 1


class Chunked(Handler):
    """Sends a file in chunks; one with `cuts` breaks off in the middle of a chunk."""

    end = b""

    def send_file(self, file: Served, first: int) -> None:
        body = file.body[first:]
        self.send_response(206 if first else 200)
        self.send_header("Transfer-Encoding", "chunked")
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(file.body) - 1}/{len(file.body)}")
        if self.end:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if file.cuts:
            part = body[: file.cuts.pop(0)]
            self.wfile.write(b"%x\r\n" % (len(part) + (0 if self.end else 1)) + part + self.end)
        else:
            self.wfile.write(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")


class EndedEarly(Chunked):
    """Ends its chunks in good order where it breaks off, and has told how long all of them are."""

    end = b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("handler", [Chunked, EndedEarly])
def test_a_cut_between_chunks_is_resumed(server: DataServer, get: Fetch, handler: type[Handler]) -> None:
    server.RequestHandlerClass = handler
    assert get(server.serve("/a", BODY, cuts=[10 * PIECE])).read_bytes() == BODY
    assert ranges(server) == ["", f"bytes={10 * PIECE}-"]


@pytest.mark.parametrize("name", ["a.bin.part", "a.bin.part.version"])
def test_a_link_in_the_place_of_what_has_arrived_is_not_written_through(
    name: str, server: DataServer, get: Fetch, folder: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (folder / name).symlink_to(mine)
    if name.endswith(".part"):
        with pytest.raises(OSError, match="it is a link, and no link is written through"):
            get(server.serve("/a", BODY, etag='"1"'))
    else:
        assert get(server.serve("/a", BODY, etag='"1"')).read_bytes() == BODY
    assert mine.read_text() == "mine"


def test_a_server_without_ranges_begins_again(server: DataServer, get: Fetch) -> None:
    assert get(server.serve("/a", BODY, cuts=[10 * PIECE], ranges=False)).read_bytes() == BODY
    assert len(server.asked) == 2


def test_without_checksum_and_version_nothing_is_resumed(
    server: DataServer, get: Fetch, folder: Path
) -> None:
    (folder / "a.bin.part").write_bytes(b"of another file")
    assert get(server.serve("/a", BODY), sha256=None).read_bytes() == BODY
    assert ranges(server) == [""]


def test_what_arrived_before_is_gone_on_with(server: DataServer, get: Fetch, folder: Path) -> None:
    url = server.serve("/a", BODY, cuts=[PIECE] * ATTEMPTS, etag='"one"')
    here = ATTEMPTS * PIECE
    with pytest.raises(DataError, match=rf"cut after .* bytes, {ATTEMPTS} times; {here:,} bytes are kept"):
        get(url, sha256=None)
    assert not (folder / "a.bin").exists()
    assert get(url, sha256=None).read_bytes() == BODY
    assert ranges(server)[-1] == f"bytes={here}-"


def test_a_file_that_changed_between_is_not_mixed(server: DataServer, get: Fetch, folder: Path) -> None:
    (folder / "a.bin.part").write_bytes(b"old" * 1000)
    (folder / "a.bin.part.version").write_text('"old"')
    assert get(server.serve("/a", BODY, etag='"new"'), sha256=None).read_bytes() == BODY


def test_a_beginning_of_another_file_is_found_out_by_the_checksum(
    server: DataServer, get: Fetch, folder: Path
) -> None:
    (folder / "a.bin.part").write_bytes(b"old" * 1000)
    assert get(server.serve("/a", BODY)).read_bytes() == BODY
    assert ranges(server) == ["bytes=3000-", ""]


def test_a_part_that_is_whole_is_taken(server: DataServer, get: Fetch, folder: Path) -> None:
    (folder / "a.bin.part").write_bytes(BODY)
    assert get(server.serve("/a", BODY)).read_bytes() == BODY
    assert ranges(server) == [f"bytes={len(BODY)}-"]


def test_a_part_that_is_too_long_is_begun_again(server: DataServer, get: Fetch, folder: Path) -> None:
    (folder / "a.bin.part").write_bytes(BODY + b"more")
    assert get(server.serve("/a", BODY)).read_bytes() == BODY


def test_a_passing_fault_of_the_server_passes(server: DataServer, get: Fetch) -> None:
    assert get(server.serve("/a", BODY, statuses=[503, 500])).read_bytes() == BODY


def test_the_next_url_is_asked_where_one_fails(server: DataServer, get: Fetch) -> None:
    missing, wrong = server.url("/missing"), server.serve("/wrong", b"wrong")
    assert get(missing, wrong, server.serve("/a", BODY)).read_bytes() == BODY


def test_a_missing_file_is_named_with_its_status(server: DataServer, get: Fetch, folder: Path) -> None:
    with pytest.raises(DataError, match=r"a\.bin cannot be downloaded: http.*/a: the server answers 404"):
        get(server.url("/a"))
    assert not list(folder.iterdir())


def test_a_missing_server_is_named(get: Fetch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=f"no connection to 127.0.0.1:{port}: connection refused"):
            get(f"http://127.0.0.1:{port}/a")


def test_a_server_that_falls_silent_is_given_up(
    server: DataServer, get: Fetch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", (0.2, 0.2))
    with pytest.raises(DataError, match=rf"127\.0\.0\.1:\d+ does not answer, {ATTEMPTS} times; .* are kept"):
        get(server.serve("/a", BODY, stalls=ATTEMPTS))
    assert not (folder / "a.bin").exists()


def test_a_disk_without_room_is_found_before_anything_is_written(
    server: DataServer, get: Fetch, folder: Path
) -> None:
    with pytest.raises(OSError, match=r"no room: .* bytes are to come"):
        get(server.serve("/a", BODY, length=1 << 60), max_bytes=1 << 61)
    assert not list(folder.iterdir())


def test_pooch_keeps_its_level_of_talk(
    server: DataServer, get: Fetch, capfd: pytest.CaptureFixture[str]
) -> None:
    import pooch

    before = pooch.get_logger().level
    get(server.serve("/a", BODY), sha256=None)
    assert pooch.get_logger().level == before
    assert capfd.readouterr() == ("", "")


LIMIT = 1 << 20
"""Bytes that the servers below are allowed to send; each would send without end."""

PEAK = 30
"""Most MiB that a download may take, whatever a server sends."""


class Endless(Handler):
    """Sends zeros until nobody listens; says of their length what `length` says."""

    status = 200
    headers_sent: tuple[tuple[str, str], ...] = ()

    def do_GET(self) -> None:  # noqa: N802
        self.send_response(self.status)
        for name, value in self.headers_sent:
            self.send_header(name, value)
        self.end_headers()
        try:
            for _ in range(1 << 10):  # 64 MiB
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass


def endless(status: int = 200, **headers: str) -> type[Endless]:
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return type("Sends", (Endless,), {"status": status, "headers_sent": sent})


MORE = f"sends more than {LIMIT:,} bytes, the most that is fetched of file"

SERVERS = {
    "no length": (endless(), MORE),
    "a length that is too much": (endless(Content_Length="99999999999"), MORE),
    "a length that is less than is sent": (endless(Content_Length="1000"), ""),
    "a length that is none": (endless(Content_Length="many"), "a Content-Length that is none: 'many'"),
    "a negative length": (endless(Content_Length="-5"), "a Content-Length that is none: '-5'"),
    "a length of many digits": (endless(Content_Length="9" * 5000), "a Content-Length that is none: '999"),
    "an encoding": (endless(Content_Encoding="gzip"), MORE),
    "elsewhere, and a body": (endless(302, Location="/again"), "sends elsewhere more than 5 times"),
    "elsewhere on disk": (endless(302, Location="file:///etc/passwd"), "which is not followed"),
    "elsewhere nowhere": (endless(302, Location="http://[::1"), "cannot be downloaded"),
    "a refusal, and a body": (endless(404), "the server answers 404"),
    "a part that was not asked for": (endless(206, Content_Range="bytes 7-"), "other bytes than asked for"),
    "a part of many digits": (endless(206, Content_Range=f"bytes {'9' * 5000}-"), "other bytes than asked"),
}


@pytest.mark.parametrize(("handler", "message"), SERVERS.values(), ids=SERVERS)
def test_a_server_cannot_send_without_end(
    server: DataServer,
    folder: Path,
    guarded: Guarded,
    record_property: Callable[[str, object], None],
    handler: type[Handler],
    message: str,
) -> None:
    server.RequestHandlerClass = handler
    outcome = guarded("fetch", server.url("/a"), folder, LIMIT)
    record_property("peak_mib", outcome.peak)
    assert outcome.error == ("DataError" if message else ""), outcome.message
    assert message in outcome.message
    assert outcome.peak < PEAK
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LIMIT


def test_a_redirect_is_followed_with_the_range(server: DataServer, get: Fetch) -> None:
    server.serve("/a", BODY, cuts=[10 * PIECE])

    class Elsewhere(Handler):
        def do_GET(self) -> None:  # noqa: N802
            if self.path == "/a":
                return super().do_GET()
            self.send_response(302)
            self.send_header("Location", "/a")
            return self.end_headers()

    server.RequestHandlerClass = Elsewhere
    assert get(server.url("/other")).read_bytes() == BODY
    assert ranges(server) == ["", f"bytes={10 * PIECE}-"]
