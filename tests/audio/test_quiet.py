from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqlab.audio.quiet import complaint, own_descriptor, quietly

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has descriptors of a thread's own"
)


def printing() -> Generator[str, None, None]:
    """Print as C code does, to descriptor 2."""
    libc = ctypes.CDLL(None)
    for word in (b"note", b"[layer3.c:1] error: all is lost", b"error: and more"):
        yield complaint()
        libc.write(2, word + b"\n", len(word) + 1)
    yield complaint()


def test_the_first_error_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(quietly(printing)) == ["", "", "all is lost", "all is lost"]
    assert capfd.readouterr().err == ""


def test_elsewhere_nothing_is_caught() -> None:
    assert complaint() == ""


def test_other_threads_keep_their_standard_error() -> None:
    script = (
        "import os, sys\nsys.path.insert(0, sys.argv[1])\nfrom test_quiet import printing\n"
        "from seqlab.audio.quiet import quietly\n"
        "for _ in quietly(printing):\n    os.write(2, b'mine ')\n"
    )
    folder = os.path.dirname(__file__)  # noqa: PTH120 - a string is wanted
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, check=True)
    assert done.stderr == b"mine " * 4


def test_a_thread_that_waits_keeps_no_pipe_open() -> None:
    reading, writing = os.pipe()
    steps = quietly(printing)
    next(steps)
    os.close(writing)
    assert os.read(reading, 1) == b""  # it would wait for ever while another one may write
    os.close(reading)
    steps.close()  # type: ignore[attr-defined]


def test_errors_and_an_early_end_pass_through() -> None:
    closed = []

    def failing() -> Generator[int, None, None]:
        try:
            yield 1
            raise ValueError("the second step")
        finally:
            closed.append(True)

    steps = quietly(failing)
    assert next(steps) == 1
    with pytest.raises(ValueError, match="the second step"):
        next(steps)
    early = quietly(failing)
    next(early)
    early.close()  # type: ignore[attr-defined]
    assert closed == [True, True]


def test_what_closes_the_numbers_of_other_threads_hits_no_file_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"own")

    def steps() -> Generator[bytes, None, None]:
        assert os.readlink("/proc/thread-self/fd/2").startswith("/memfd:")  # noqa: PTH115 - as it stands
        with own_descriptor((tmp_path / "own").open("rb")) as stream:
            for number in range(3, 256):
                with contextlib.suppress(OSError):
                    os.close(number)
            yield stream.read()

    assert list(quietly(steps)) == [b"own"]


def test_sound_that_is_left_open_ends_with_the_interpreter_in_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", np.zeros(160_000), 16_000, format="MP3")
    script = (
        "import sys\nfrom seqlab.audio import Source\nimport seqlab.audio.decoding as decoding\n"
        "decoding.BLOCK = 1000\nblocks = Source(sys.argv[1]).blocks(0, 160_000)\nnext(blocks)\n"
    )
    command = [sys.executable, "-c", script, tmp_path / "a.mp3"]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""
