"""One file over HTTP, by pooch: checked, resumed after a cut, and never half there under its name.

pooch checks what was fetched and moves it to its name; the transfer itself is ours, since pooch's own begins
again from the first byte. What has arrived stands in `NAME.part`, and in `NAME.part.version` what the server
says by which it knows the content again (RFC 9110, sections 13.1.5 and 14.2).
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import pooch  # type: ignore[import-untyped]
import requests
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from seqlab.datasets.checksums import file_sha256
from seqlab.datasets.entry import Download
from seqlab.errors import DataError
from seqlab.openfile import open_to_append

__all__ = ["DownloadProgress", "fetch"]

ATTEMPTS = 4
"""How often a transfer is begun or gone on with before it counts as failed."""

WAIT = 1.0
"""Seconds before the second attempt; the third waits twice as long, and so on."""

TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""

REDIRECTS = 5
"""How often a server may send elsewhere."""

CHUNK = 1 << 13
"""Bytes written, and counted, at a time; up to so many are lost where a connection is cut."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""What may be gone at the next attempt."""


class DownloadProgress(Protocol):
    """Told how far the download of a file is."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """See that `done` of `total` bytes are here; `total` is None where the server does not say."""
        ...


class _TransferError(Exception):
    """Why one URL did not deliver; another may."""


class _CutError(Exception):
    """Why a transfer ended too early; it is worth going on."""


@dataclass(frozen=True)
class _Part:
    """A file on its way: what has arrived so far, and what the server calls this version of it."""

    path: Path

    @property
    def version_file(self) -> Path:
        return self.path.with_name(self.path.name + ".version")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str:
        return self.version_file.read_text("latin-1") if self.version_file.exists() else ""

    def forget(self) -> None:
        """Begin again from nothing."""
        self.path.unlink(missing_ok=True)
        self.version_file.unlink(missing_ok=True)


def fetch(download: Download, folder: Path, progress: DownloadProgress) -> Path:
    """Return the file of a download in `folder`, fetched from the first URL that delivers it.

    A file that is there already is checked, not fetched. DataError where no URL delivers what has the right
    checksum, OSError where it cannot be written; nothing stands under the file's name then.
    """
    refusals = []
    for url in download.urls:
        transfer = _Transfer(url, download, _Part(folder / f"{download.name}.part"), progress)
        try:
            with _quiet():
                path = pooch.retrieve(
                    url, download.sha256, download.name, folder, downloader=transfer.to_file
                )
            return Path(path)
        except _TransferError as error:
            refusals.append(str(error))
    raise DataError(f"{download.name} cannot be downloaded: {'; '.join(refusals)}")


def _travelling(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it travels; what cuts it short is an error of requests.

    requests would unpack what has a `Content-Encoding` of gzip, as many servers say of a `.tar.gz` itself.
    """
    try:
        yield from response.raw.stream(CHUNK, decode_content=False)
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except HTTPError as error:
        raise requests.ConnectionError(error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pooch from telling what it does: messages are the caller's."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Session(requests.Session):
    """Sees no redirects: requests would read the body of one into memory, even where it follows none."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """See no redirect in an answer."""


@dataclass(frozen=True)
class _Transfer:
    """The transfer of one file from one URL."""

    url: str
    download: Download
    part: _Part
    progress: DownloadProgress

    def to_file(self, url: str, target: str, pooch: Any) -> None:
        """Bring the file to `target`: the form in which pooch calls a downloader."""
        resumed = self._complete()
        if self._wrong() and resumed:
            # What was gone on with may have been begun with another version: once more, from the first byte.
            self.part.forget()
            self._complete()
        if wrong := self._wrong():
            self.part.forget()
            raise _TransferError(f"{self.url}: {wrong}; the file has changed since it was entered")
        self.part.version_file.unlink(missing_ok=True)
        self.part.path.replace(target)

    def _wrong(self) -> str:
        expected = self.download.sha256
        found = file_sha256(self.part.path) if expected else None
        return "" if found == expected else f"sha256 is {found}, expected {expected}"

    def _complete(self) -> bool:
        """Go on until all bytes are here; return whether the first of them were here before."""
        if not (self.part.version or self.download.sha256):
            self.part.forget()  # nobody could say whether the rest belongs to it
        resumed = self.part.size > 0
        for attempt in range(ATTEMPTS):
            time.sleep(WAIT * attempt)
            try:
                self._go_on()
                return resumed
            except (_CutError, *PASSING) as error:
                reason = str(error) if isinstance(error, _CutError) else self._why(error)
            except requests.RequestException as error:
                raise _TransferError(f"{self.url}: {error}") from error
        here = f"; {self.part.size:,} bytes are kept, run it again to go on" if self.part.size else ""
        raise _TransferError(f"{self.url}: {reason}, {ATTEMPTS} times{here}")

    def _why(self, error: Exception) -> str:
        """Return what a failed connection comes down to, which requests wraps several times."""
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return f"the connection was cut after {self.part.size:,} bytes"
        if isinstance(error, requests.Timeout):
            return f"{urlsplit(self.url).netloc} does not answer"
        inner: BaseException | None = error
        reason = type(error).__name__
        while inner is not None:
            if isinstance(inner, OSError) and inner.strerror:
                reason = inner.strerror.lower()
            inner = inner.__cause__ or inner.__context__
        return f"no connection to {urlsplit(self.url).netloc}: {reason}"

    def _go_on(self) -> None:
        # Ranges count the bytes of what is sent, and that must be the file itself.
        headers = {"Accept-Encoding": "identity"}
        if self.part.size:
            headers["Range"] = f"bytes={self.part.size}-"
            if self.part.version:
                headers["If-Range"] = self.part.version
        with self._answer(headers) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self._beyond_the_end(response)
            elif response.status_code >= 500:
                raise _CutError(f"the server answers {response.status_code} {response.reason}")
            elif response.status_code not in (requests.codes.ok, requests.codes.partial_content):
                reason = f"the server answers {response.status_code} {response.reason}"
                raise _TransferError(f"{self.url}: {reason}")
            else:
                self._receive(response)

    @contextmanager
    def _answer(self, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Ask for the file, and again where the server sends elsewhere."""
        url = self.url
        for _ in range(REDIRECTS + 1):
            with (
                _Session() as session,
                session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response,
            ):
                if not response.is_redirect:
                    yield response
                    return
                before, url = url, self._elsewhere(url, response.headers["Location"])
            if urlsplit(url).scheme not in ("https", urlsplit(before).scheme):
                raise _TransferError(f"{self.url}: the server sends to {url!r}, which is not followed")
        raise _TransferError(f"{self.url}: the server sends elsewhere more than {REDIRECTS} times")

    def _elsewhere(self, url: str, location: str) -> str:
        try:
            return urljoin(url, location)
        except ValueError as error:
            raise _TransferError(f"{self.url}: the server sends to {location[:60]!r}: {error}") from error

    def _beyond_the_end(self, response: requests.Response) -> None:
        """Be content where the part is the whole file already; otherwise begin again."""
        if response.headers.get("Content-Range") != f"bytes */{self.part.size}":
            self.part.forget()
            raise _CutError("the server has no such bytes")

    def _receive(self, response: requests.Response) -> None:
        start = self._start(response)
        total = self._total(response, start)
        self._need_room(total, start)
        try:
            self._remember_version(response)
            with open_to_append(self.part.path) as file:
                file.truncate(start)
                file.seek(start)
                self.progress(self.download.name, start, total)
                for chunk in _travelling(response):
                    if file.tell() + len(chunk) > self.download.most_bytes:
                        raise self._too_large()
                    file.write(chunk)
                    self.progress(self.download.name, file.tell(), total)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if isinstance(error, requests.RequestException):
                raise
            if error.errno in FULL:  # what is left of it would keep the disk full
                self.part.forget()
            raise OSError(error.errno, error.strerror, str(self.part.path)) from error
        # Not every version of urllib3 notices, nor where the body comes in chunks.
        if total is not None and self.part.size != total:
            raise _CutError(f"the connection was cut after {self.part.size:,} of {total:,} bytes")

    def _total(self, response: requests.Response, start: int) -> int | None:
        """Return how many bytes the file will have, None where the server does not say."""
        length = response.headers.get("Content-Length")
        if length is None:
            return None
        if not re.fullmatch("[0-9]{1,20}", length):
            shown = repr(length[:60])
            raise _TransferError(f"{self.url}: the server sends a Content-Length that is none: {shown}")
        total = start + int(length)
        if total > self.download.most_bytes:
            raise self._too_large()
        return total

    def _too_large(self) -> _TransferError:
        self.part.forget()
        most = f"{self.download.most_bytes:,} bytes, the most that is fetched of {self.download.name}"
        return _TransferError(f"{self.url}: the server sends more than {most}")

    def _start(self, response: requests.Response) -> int:
        """Return at which byte the answer begins: where the part ends, or at the first."""
        if response.status_code == requests.codes.ok:
            return 0
        found = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != self.part.size:
            self.part.forget()
            raise _CutError("the server sends other bytes than asked for")
        return self.part.size

    def _remember_version(self, response: requests.Response) -> None:
        tag = response.headers.get("ETag", "")
        version = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
        if response.status_code == requests.codes.ok:
            self.part.version_file.unlink(missing_ok=True)
            if version:
                self.part.version_file.write_text(version, "latin-1")

    def _need_room(self, total: int | None, start: int) -> None:
        missing = 0 if total is None else total - start
        free = shutil.disk_usage(self.part.path.parent).free
        if missing > free:
            message = f"{missing:,} bytes are to come and {free:,} are free"
            raise OSError(errno.ENOSPC, f"no room: {message}", str(self.part.path))
