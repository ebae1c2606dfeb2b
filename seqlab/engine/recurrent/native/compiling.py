"""Compiles the native loops, once for each instruction set. It needs no more than a C++ compiler.

python seqlab/engine/recurrent/native/compiling.py     build them in place, as an installation does
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["COMPILED", "SETS", "compile_loops", "compiler", "library_name"]

SOURCES = Path(__file__).with_name("src")

COMPILED = "compiled"
"""The folder beside this file that an installation compiles into."""

SETS: Mapping[str, Sequence[str]] = (
    {"avx512": ("-mavx512f", "-mfma"), "avx2": ("-mavx2", "-mfma"), "portable": ()}
    if platform.machine() in ("x86_64", "AMD64")
    else {"portable": ()}
)
"""Instruction sets by name, the best first, each with what tells a compiler of it."""

FLAGS = (
    "-O3",
    "-std=c++17",
    "-fPIC",
    "-shared",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-math-errno",
    "-ffp-contract=fast",
    "-Wall",
    "-Wextra",
)


def library_name(instructions: str) -> str:
    """Return the file name of the loops for an instruction set."""
    return f"loops_{instructions}_{platform.machine().lower()}.so"


def compiler() -> list[str] | None:
    """Return the command of the C++ compiler, None where there is none: `CXX`, `CC` or a usual name."""
    for name in ("CXX", "CC"):
        if name in os.environ:
            command = shlex.split(os.environ[name])
            return command if command and shutil.which(command[0]) else None
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    return [found] if found else None


def compile_loops(folder: Path, sets: Sequence[str] = tuple(SETS), more: Sequence[str] = ()) -> list[Path]:
    """Compile the loops into a folder and return the files; none where there is no compiler.

    `more` is for the compiler's command line. An instruction set for which the compiler fails is left out;
    standard error says why.
    """
    command = compiler()
    if command is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / library_name(name) for name in sets}
    source = str(SOURCES / "loops.cpp")
    running = {
        file: subprocess.Popen(
            [
                *command,
                *FLAGS,
                *SETS[name],
                *more,
                "-x",
                "c++",
                source,
                "-o",
                f"{file}.{os.getpid()}",
            ],
            stderr=subprocess.PIPE,
        )
        for name, file in files.items()
    }
    made = []
    for file, process in running.items():
        complaint = process.communicate()[1].decode(errors="replace")
        if process.returncode:
            print(f"seqlab: {file.name} is left out, the compiler failed:\n{complaint}", file=sys.stderr)  # noqa: T201
            continue
        Path(f"{file}.{os.getpid()}").replace(file)
        made.append(file)
    return made


if __name__ == "__main__":
    names = ", ".join(file.name for file in compile_loops(Path(__file__).with_name(COMPILED)))
    print(names or "nothing: there is no C++ compiler (c++, g++, clang++, or what CXX names), or it failed")  # noqa: T201
