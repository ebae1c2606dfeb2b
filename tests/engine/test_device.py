from __future__ import annotations

from contextlib import suppress

import pytest
import torch

from seqlab.engine.device import deterministic, peak_memory_mb, pick_device, threads
from seqlab.errors import SeqlabError

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a CUDA device")


@NO_CUDA
def test_without_cuda_auto_is_the_cpu_and_cuda_an_error() -> None:
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    message = "^device cuda: this machine has no usable CUDA device; use --device cpu or auto$"
    with pytest.raises(SeqlabError, match=message):
        pick_device("cuda")


@pytest.mark.parametrize("name", ["banana", "cuda:0", "CPU", ""])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^unknown device '{name}'.*auto, cpu, cuda"):
        pick_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_with_cuda_auto_takes_it_and_cpu_does_not() -> None:
    assert pick_device("auto").type == pick_device("cuda").type == "cuda"
    assert pick_device("cpu").type == "cpu"


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with suppress(RuntimeError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError
    assert torch.get_num_threads() == before
    with threads(None):
        assert torch.get_num_threads() == before


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(("strict", "warn_only"), [(False, False), (True, False), (True, True)])
def test_the_hosts_deterministic_mode_is_given_back(*, enabled: bool, strict: bool, warn_only: bool) -> None:
    torch.use_deterministic_algorithms(strict, warn_only=warn_only)
    try:
        with deterministic(enabled=enabled):
            assert torch.are_deterministic_algorithms_enabled() == (enabled or strict)
            assert torch.is_deterministic_algorithms_warn_only_enabled() == (warn_only and not enabled)
        assert torch.are_deterministic_algorithms_enabled() == strict
        assert torch.is_deterministic_algorithms_warn_only_enabled() == warn_only
    finally:
        torch.use_deterministic_algorithms(False)


def test_peak_memory_is_in_megabytes_and_never_falls() -> None:
    before = peak_memory_mb()
    grown = torch.ones(64, 1024, 1024)
    assert grown.sum() == grown.numel()
    # 256 MB were just touched; a unit that is wrong would be off by a factor of 1024.
    assert 256 <= peak_memory_mb() < 100_000
    assert peak_memory_mb() >= before
