"""Commands that mend an installation, computed from what is installed and from what seqlab requires."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

from packaging.requirements import Requirement
from packaging.version import Version

__all__ = ["TORCH_BESIDE", "install_command", "partners", "requirement", "torchaudio_advice"]

WITHOUT_CUDA = "--index-url https://download.pytorch.org/whl/cpu"
"""Where pip finds torch without CUDA; that of PyPI brings gigabytes of it."""

TORCH_BESIDE: Mapping[str, tuple[str, ...]] = {
    "2.11.1": ("2.13", "2.14"),
    "2.11.0": ("2.11", "2.12", "2.13", "2.14"),
}
"""The torch series beside which each torchaudio imports, newest torchaudio first.

Tried on Linux x86-64 with the wheels of PyPI, which are built for CUDA 13: torch 2.11.0, 2.12.0, 2.12.1,
2.13.0, 2.14.0 and 2.14.1. torchaudio itself does not tell pip which torch it was built for.
"""


def requirement(distribution: str) -> Requirement:
    """Return what seqlab requires of a distribution; any version where that cannot be known."""
    try:
        lines = importlib.metadata.requires("seqlab") or []
    except importlib.metadata.PackageNotFoundError:
        lines = []
    found = (Requirement(line) for line in lines)
    plain = (one for one in found if one.marker is None or one.marker.evaluate({"extra": ""}))
    return next((one for one in plain if one.name == distribution), Requirement(distribution))


def install_command(distribution: str, installed: str, *, anew: bool = False) -> str:
    """Return the command that installs what seqlab requires of a distribution in place of what is installed.

    A torch without CUDA stays one. `anew` also replaces what it needs, and what is right by its version.
    """
    command = ["pip install", *(["--force-reinstall"] if anew else [])]
    if distribution == "torch" and installed.endswith("+cpu"):
        command.append(WITHOUT_CUDA)
    return " ".join([*command, f'"{requirement(distribution)}"'])


def partners(torch: str, *, cuda: bool) -> tuple[str, ...]:
    """Return the torchaudios known to import beside a torch, newest first; none beside one without CUDA."""
    if not cuda:  # the wheels of PyPI load libraries of CUDA
        return ()
    major, minor = Version(torch).release[:2]
    return tuple(version for version, series in TORCH_BESIDE.items() if f"{major}.{minor}" in series)


def torchaudio_advice(torch: str, torchaudio: str, *, cuda: bool) -> tuple[str, str]:
    """Return what is known of a pair that does not import, and the command that mends it.

    The command never names the torchaudio that is installed: that one has just failed.
    """
    known = partners(torch, cuda=cuda)
    beside = f"torch {torch}" if cuda else f"torch {torch}, which has no CUDA"
    others = [version for version in known if version != torchaudio.partition("+")[0]]  # +cu130 is no other
    if not others:
        return f"no other torchaudio is known to import beside {beside}", "pip uninstall --yes torchaudio"
    return (
        f"beside {beside} torchaudio {' and '.join(others)} is known to import",
        f"pip install torchaudio=={others[0]}",
    )
