from __future__ import annotations

import re

import pytest

from seqlab.cli.remedies import TORCH_BESIDE, install_command, partners, requirement, torchaudio_advice

UNINSTALL = "pip uninstall --yes torchaudio"


@pytest.mark.parametrize(
    ("torch", "cuda", "known"),
    [
        ("2.11.0", True, ("2.11.0",)),
        ("2.12.1+cu130", True, ("2.11.0",)),
        ("2.13.0", True, ("2.11.1", "2.11.0")),
        ("2.14.1", True, ("2.11.1", "2.11.0")),
        ("2.14.0.dev20261101+cu130", True, ("2.11.1", "2.11.0")),
        ("2.13.0+cpu", False, ()),
        ("2.15.0", True, ()),
        ("2.1.0", True, ()),
    ],
)
def test_partners_are_those_that_were_seen_to_import(torch: str, cuda: bool, known: tuple[str, ...]) -> None:
    assert partners(torch, cuda=cuda) == known


@pytest.mark.parametrize(
    ("torch", "torchaudio", "remedy"),
    [
        ("2.12.1", "2.11.1", "pip install torchaudio==2.11.0"),
        ("2.14.1", "2.10.0", "pip install torchaudio==2.11.1"),
        ("2.14.1", "2.11.1", "pip install torchaudio==2.11.0"),
        ("2.12.1", "2.11.0", UNINSTALL),
        ("2.12.1+cu130", "2.11.0+cu130", UNINSTALL),
        ("2.14.1+cu130", "2.11.1+cu130", "pip install torchaudio==2.11.0"),
        ("2.15.0", "2.11.1", UNINSTALL),
    ],
)
def test_the_remedy_follows_from_what_is_installed(torch: str, torchaudio: str, remedy: str) -> None:
    assert torchaudio_advice(torch, torchaudio, cuda=True)[1] == remedy


def test_a_torch_without_cuda_needs_no_torchaudio() -> None:
    assert torchaudio_advice("2.13.0+cpu", "2.11.1", cuda=False) == (
        "no other torchaudio is known to import beside torch 2.13.0+cpu, which has no CUDA",
        UNINSTALL,
    )


@pytest.mark.parametrize("torch", [f"{series}.0" for every in TORCH_BESIDE.values() for series in every])
@pytest.mark.parametrize("torchaudio", [*TORCH_BESIDE, "2.10.0", ""])
def test_the_remedy_is_never_what_is_installed(torch: str, torchaudio: str) -> None:
    known, remedy = torchaudio_advice(torch, torchaudio, cuda=True)
    if named := re.fullmatch(r"pip install torchaudio==(.+)", remedy):
        assert named[1] != torchaudio
        assert named[1] in known
    else:
        assert remedy == UNINSTALL


CPU = "--index-url https://download.pytorch.org/whl/cpu"


@pytest.mark.parametrize(
    ("distribution", "installed", "options"),
    [
        ("torch", "2.13.0+cpu", f" {CPU}"),
        ("torch", "2.13.0+cu130", ""),
        ("torch", "2.13.0", ""),
        ("torch", "", ""),
        ("soundfile", "0.13.0+cpu", ""),
    ],
)
def test_a_torch_without_cuda_is_mended_by_one_without_cuda(
    distribution: str, installed: str, options: str
) -> None:
    wanted = f'"{requirement(distribution)}"'
    assert install_command(distribution, installed) == f"pip install{options} {wanted}"
    anew = install_command(distribution, installed, anew=True)
    assert anew == f"pip install --force-reinstall{options} {wanted}"
