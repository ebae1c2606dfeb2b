"""The loops use torch's threads and no others, in threads and in forks, and can be switched off."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seqlab.engine.recurrent.native.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="the native loops are not compiled here")

PREPARE = """
import os, torch
from pathlib import Path
from seqlab.engine import RecurrentSpec, RecurrentStack, Sequences
torch.set_num_threads(2)
torch.manual_seed(1)
stack = RecurrentStack(RecurrentSpec(cell="lstm", input_size=64, hidden_size=256, kernel="auto"))
rows = Sequences.from_flat(torch.randn(60, 64), [6] * 10)  # so few that torch itself uses one thread

def run():
    with torch.no_grad():
        return stack(rows)[0].data

def runtimes():
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "omp" in Path(line.split()[-1]).name}
"""


def ran(code: str, **surroundings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + code],
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_second_pool_of_threads_comes_with_them() -> None:
    code = """
try:
    import sentencepiece  # which brings a runtime of its own
except ImportError:
    pass
torch.mm(torch.randn(900, 900), torch.randn(900, 900)).sigmoid()
before, threads = runtimes(), len(os.listdir("/proc/self/task"))
run()
print(runtimes() == before, len(os.listdir("/proc/self/task")) - threads)
"""
    assert ran(code) == "True 0\n"


def test_a_fork_goes_on_with_one_thread() -> None:
    code = """
torch.mm(torch.randn(900, 900), torch.randn(900, 900)).sigmoid()  # has torch start its threads
child = os.fork()
if not child:
    os._exit(0 if run().isfinite().all() else 1)
print(os.waitpid(child, 0)[1])
"""
    assert ran(code) == "0\n"


def test_threads_that_predict_at_once_do_not_meet() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
expected = run()
with ThreadPoolExecutor(4) as pool:
    found = list(pool.map(lambda _: run(), range(40)))
print(all(torch.equal(each, expected) for each in found))
"""
    assert ran(code) == "True\n"


def test_they_can_be_switched_off() -> None:
    code = """
from seqlab.engine.recurrent.kernels import choose_kernel
with torch.no_grad():
    print(choose_kernel(stack.spec, rows))
run()
"""
    assert ran(code) == "native\n"
    assert ran(code, SEQLAB_NATIVE="off") == "torch\n"
