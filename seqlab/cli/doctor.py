"""`seqlab doctor`: what of the installation works, and the one command that mends what does not."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqlab.cli.options import pass_quiet_lab, plugin_option
from seqlab.cli.output import headed, say
from seqlab.cli.remedies import install_command, requirement, torchaudio_advice
from seqlab.distributions import installed_version

if TYPE_CHECKING:
    from seqlab.errors import PluginError
    from seqlab.lab import Lab

__all__ = [
    "Finding",
    "check_cpu",
    "check_cpu_features",
    "check_data",
    "check_import",
    "check_plugins",
    "check_python",
    "check_torch",
    "check_version",
    "doctor",
]

REQUIRED = ("numpy", "pluggy", "pydantic", "safetensors", "seqlab", "soundfile", "soxr", "torch")

OPTIONAL = ("librosa", "torchaudio")
"""Libraries that featurizers of sound use only where a recipe names them; torch computes the same without."""

PROBES = {
    "torchaudio": "import torchaudio.transforms",
    # librosa loads its parts lazily: touching these makes it import numba, where installations break.
    "librosa": "import librosa; librosa.stft; librosa.filters.mel",
    "soundfile": "import soundfile",
}
"""What is tried for each audio package, in a process of its own."""

TORCH_BUILD = "import torch; print(torch.__version__, torch.version.cuda is not None)"

SOURCES = str(Path(__file__).parents[2])
"""Where this seqlab stands, for probes that ask it: it need not be installed."""

TORCH_PROBE = """
import json, sys, torch
devices, why = [], ""
if torch.version.cuda is None:
    why = "this torch is built without CUDA"
else:
    try:
        torch.cuda.init()
        properties = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        devices = [f"{one.name} ({one.total_memory / 2**30:.0f} GiB)" for one in properties]
    except Exception as error:
        why = str(error).partition("\\n")[0]
try:
    sys.path.append(sys.argv[2])
    from seqlab.engine.precision import resolve
    kinds = ["cpu", "cuda"][: 2 if devices else 1]
    auto = ", ".join(f"{resolve('auto', torch.device(kind))} on {kind}" for kind in kinds)
    from seqlab.engine.recurrent.native.library import library
    loops = library()
    threads = "with torch's threads" if loops and loops.runtime else "one thread"
    native = loops and f"{loops.instructions}, {threads}"
except Exception as error:
    auto = native = f"unknown: {type(error).__name__}: {error}"
facts = {"threads": torch.get_num_threads(), "devices": devices, "why": why, "auto": auto, "native": native}
print(json.dumps(facts))
"""

HARNESS = """
import sys
try:
    exec(sys.argv[1])
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
"""Runs a probe. Broken installations raise ImportError, OSError or RuntimeError, hang, or die of a signal."""

PROBE_SECONDS = 300
"""An import that takes longer hangs; librosa's first one compiles and took a minute on a busy machine."""

CPU_FLAGS = {
    "AVX2": "avx2",
    "AVX-512F": "avx512f",
    "AVX512-BF16": "avx512_bf16",
    "AMX-BF16": "amx_bf16",
    "AMX-INT8": "amx_int8",
}
"""CPU features that decide the speed of matrix products, with their names in /proc/cpuinfo."""

CPUINFO = Path("/proc/cpuinfo")

WITHOUT_LOOPS = (
    "none, so recurrent layers take slower kernels; install a C++ compiler (g++), then seqlab anew; do"
    " not set SEQLAB_NATIVE=off"
)
"""What is told where they were not compiled."""


@dataclass(frozen=True)
class Finding:
    """What one check found; `remedy` is the command that mends it, empty where all is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
@pass_quiet_lab
def doctor(lab: Lab, *, as_json: bool) -> int:
    """Check the installation: versions, devices, audio packages, data folder, plugins.

    Exits with 1 where something that seqlab needs is broken.
    """
    findings = examine(lab.plugins.failures)
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        print_findings(findings)
    return 0 if all(finding.ok for finding in findings) else 1


def examine(failures: Iterable[PluginError]) -> list[Finding]:
    """Run every check, those that import something at the same time as each other."""
    checks: list[Callable[[], Finding]] = [
        check_python,
        *(partial(check_version, name) for name in (*REQUIRED, *OPTIONAL)),
        check_cpu,
        check_cpu_features,
        check_torch,
        *(partial(check_import, name) for name in PROBES),
        check_data,
        partial(check_plugins, tuple(failures)),
    ]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda check: check(), checks))


def print_findings(findings: Iterable[Finding]) -> None:
    """Print one line per finding, with the remedy below what is broken."""
    findings = list(findings)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, colour = ("ok    ", "green") if finding.ok else ("BROKEN", "red")
        say(headed(mark, f" {finding.name:<{width}}  {finding.detail}", fg=colour))
        if finding.remedy:
            say(f"       {'':<{width}}  mend it with: {finding.remedy}")


def check_python() -> Finding:
    """Say which Python runs; seqlab could not have started on one that is too old."""
    return Finding("python", True, f"{platform.python_version()} ({sys.executable})")


def check_version(distribution: str) -> Finding:
    """Compare the installed version of a distribution with what seqlab requires of it."""
    version, wanted = installed_version(distribution), requirement(distribution)
    if version and wanted.specifier.contains(version, prereleases=True):
        return Finding(distribution, True, version)
    if version:
        detail = f"{version}; seqlab requires {wanted.specifier}"
        return Finding(distribution, False, detail, install_command(distribution, version))
    if distribution == "seqlab":  # run from its sources, which works
        return Finding(distribution, True, "not installed, run from its sources")
    if distribution in OPTIONAL:
        return Finding(distribution, True, f"not installed; only backend: {distribution} asks for it")
    return Finding(distribution, False, "not installed", install_command(distribution, version))


def check_cpu() -> Finding:
    """Name the processor, its cores, those that this process may use, and the memory."""
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = cpu_fact("model name") or platform.processor() or platform.machine()
    return Finding("cpu", True, f"{name}, {cores} cores ({usable} usable), {memory:.0f} GiB memory")


def check_cpu_features() -> Finding:
    """List which of the CPU features that matter for speed are there."""
    flags = cpu_fact("flags").split()
    shown = (f"{name} {'yes' if flag in flags else 'no'}" for name, flag in CPU_FLAGS.items())
    return Finding("cpu features", True, ", ".join(shown) if flags else "unknown")


def cpu_fact(key: str) -> str:
    """Return a value of the first processor in /proc/cpuinfo, empty where there is no such file or key."""
    if not CPUINFO.is_file():
        return ""
    lines = (line.partition(":") for line in CPUINFO.read_text(encoding="utf-8").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def check_torch() -> Finding:
    """Import torch, count its threads, list CUDA devices or say why there are none, decide on `auto`."""
    output, fault = probe(TORCH_PROBE)
    if fault:
        return Finding("torch import", False, fault, reinstall("torch"))
    facts: dict[str, Any] = json.loads(output)
    cuda = ", ".join(facts["devices"]) or f"none: {facts['why'] or 'no device is visible'}"
    detail = f"works, {facts['threads']} threads; CUDA devices: {cuda}; precision auto: {facts['auto']}"
    return Finding("torch import", True, f"{detail}; native loops: {facts['native'] or WITHOUT_LOOPS}")


def check_import(package: str) -> Finding:
    """Try to import an audio package."""
    name = f"{package} import"
    fault = probe(PROBES[package])[1]
    if not fault:
        return Finding(name, True, "works")
    if package in OPTIONAL and fault == f"ModuleNotFoundError: No module named '{package}'":
        return Finding(name, True, "not installed")
    if package == "torchaudio":
        known, remedy = advice_on_torchaudio()
        return Finding(name, False, f"{fault}; {known}", remedy)
    return Finding(name, False, fault, reinstall(package))


def advice_on_torchaudio() -> tuple[str, str]:
    """Return what is known of the installed torch and torchaudio, and the command that mends the pair."""
    output, fault = probe(TORCH_BUILD)
    if fault:
        return "torch does not import either", reinstall("torch")
    version, cuda = output.split()
    return torchaudio_advice(version, installed_version("torchaudio"), cuda=cuda == "True")


def reinstall(distribution: str) -> str:
    """Return the command that installs a distribution anew, with all that it needs."""
    return install_command(distribution, installed_version(distribution), anew=True)


def check_data() -> Finding:
    """Say whether SEQLAB_DATA, the folder that recipes for real data name, is set and there."""
    folder = os.environ.get("SEQLAB_DATA", "")
    if not folder:
        return Finding("SEQLAB_DATA", True, "not set; only recipes for real data need it")
    if not Path(folder).is_dir():
        return Finding("SEQLAB_DATA", False, f"{folder} is no folder", "export SEQLAB_DATA=FOLDER")
    return Finding("SEQLAB_DATA", True, f"{folder} exists")


def check_plugins(failures: tuple[PluginError, ...]) -> Finding:
    """Name the plugins that failed and are left out."""
    if not failures:
        return Finding("plugins", True, "none failed")
    names = ",".join(sorted({error.plugin for error in failures}))
    detail = "; ".join(str(error) for error in failures)
    return Finding("plugins", False, detail, f"export SEQLAB_DISABLE_PLUGINS={names}")


def probe(code: str) -> tuple[str, str]:
    """Run Python code in a process of its own, where a crash stays; return (output, what went wrong)."""
    # -P: a file of the working directory must not pass for an installed package.
    command = [sys.executable, "-P", "-W", "ignore", "-c", HARNESS, code, SOURCES]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "", f"importing it takes more than {PROBE_SECONDS} s"
    if done.returncode < 0:
        return "", f"importing it dies of {signal.Signals(-done.returncode).name}"
    if done.returncode:
        fault = " ".join(done.stderr.split())
        return "", fault or f"importing it ends Python with exit code {done.returncode}"
    return done.stdout, ""
