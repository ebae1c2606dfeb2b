from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Generator

import pytest

from seqlab.audio.quiet import complaint, quietly

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
