"""The native loops compile where there is a compiler, without a warning and without a fault in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seqlab.engine.recurrent.native import compiling
from seqlab.engine.recurrent.native.compiling import SETS, compile_loops, compiler, library_name
from seqlab.engine.recurrent.native.library import FOLDER, library

HERE = Path(__file__).parent

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")


@pytest.mark.slow
@needs_compiler
def test_every_instruction_set_compiles_without_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = compile_loops(tmp_path, more=("-Werror",))
    assert capfd.readouterr().err == ""
    assert [file.name for file in made] == [library_name(name) for name in SETS]
    assert sorted(tmp_path.iterdir()) == sorted(made)


@pytest.mark.slow
@needs_compiler
def test_no_batch_leaves_its_memory(tmp_path: Path) -> None:
    """Address and undefined-behaviour sanitizers look at every load and store."""
    best = library().instructions if library() else "portable"  # type: ignore[union-attr]
    flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g")
    command = compiler()
    assert command is not None
    found = subprocess.run(
        [*command, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    runtime = found.stdout.strip()
    if not Path(runtime).is_file() or not compile_loops(tmp_path, sets=(best,), more=flags):
        pytest.skip("the compiler brings no sanitizer")
    done = subprocess.run(
        [sys.executable, str(HERE / "sanitized.py"), "60", str(tmp_path)],
        env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == f"60 cases, {best}: no fault\n"


@pytest.mark.parametrize("name", ["CXX", "CC"])
def test_without_a_compiler_nothing_is_compiled(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv(name, "/nowhere/c++")
    assert compile_loops(tmp_path / "new") == []
    assert not (tmp_path / "new").exists()


def test_a_compiler_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = tmp_path / "c++"
    failing.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("CXX", str(failing))
    assert compile_loops(tmp_path / "new", sets=("portable",)) == []
    complaint = f"{library_name('portable')} is left out, the compiler failed:\nno space left"
    assert complaint in capfd.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []


def test_an_installation_compiles_before_seqlab_can_be_imported() -> None:
    """It must not need torch, or anything but Python."""
    code = (
        f"import runpy; runpy.run_path({compiling.__file__!r}); import sys; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


@pytest.mark.skipif(library() is None, reason="the native loops are not compiled here")
@pytest.mark.parametrize("name", [name for name in SETS if (FOLDER / f"loops_{name}.so").is_file()])
def test_every_set_that_this_cpu_has_computes_the_same(name: str) -> None:
    if name == "avx512" and torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("this CPU has no AVX-512")
    done = subprocess.run(
        [sys.executable, str(HERE / "sanitized.py"), "20"],
        env={**os.environ, "SEQLAB_NATIVE": name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"20 cases, {name}: no fault\n", done.stderr
