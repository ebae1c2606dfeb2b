from __future__ import annotations

from typing import cast

import pytest
import torch

from seqlab.engine.precision import CPU_PROBES, arithmetic, computes_bf16, resolve
from seqlab.settings import Precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def fake_cpu(monkeypatch: pytest.MonkeyPatch, *found: bool | None) -> None:
    """Let each probe of the CPU answer this; None takes it away."""
    for name, answer in zip(CPU_PROBES, found, strict=True):
        if answer is None:
            monkeypatch.delattr(torch.cpu, name, raising=False)
        else:
            monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((True, False), "bf16"),
        ((False, True), "bf16"),
        ((None, True), "bf16"),
        ((False, False), "fp32"),
        ((None, None), "fp32"),
    ],
)
def test_auto_on_a_cpu_is_bf16_where_one_of_the_instruction_sets_is_there(
    found: tuple[bool | None, bool | None], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cpu(monkeypatch, *found)
    assert resolve("auto", CPU) == expected


@pytest.mark.parametrize("native", [True, False])
def test_auto_on_a_gpu_asks_the_gpu_and_takes_no_emulation(
    monkeypatch: pytest.MonkeyPatch, *, native: bool
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    fake_cpu(monkeypatch, not native, not native)
    assert resolve("auto", CUDA) == ("bf16" if native else "fp32")


def test_other_devices_have_no_bf16_that_is_known_to_be_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cpu(monkeypatch, True, True)
    assert not computes_bf16(torch.device("meta"))


@pytest.mark.parametrize("device", [CPU, CUDA])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_asked_for_is_not_questioned(
    precision: Precision, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cpu(monkeypatch, precision == "fp32", precision == "fp32")
    assert resolve(precision, device) == precision


def test_another_word_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"^precision must be one of: auto, fp32, bf16; got 'fp16'$"):
        resolve(cast("Precision", "fp16"), CPU)


def test_bf16_computes_products_in_bf16_and_leaves_weights_alone() -> None:
    layer = torch.nn.Linear(3, 2)
    with arithmetic("bf16", CPU):
        assert layer(torch.ones(1, 3)).dtype == torch.bfloat16
    assert layer.weight.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_fp32_changes_nothing() -> None:
    with arithmetic("fp32", CPU):
        assert torch.nn.Linear(3, 2)(torch.ones(1, 3)).dtype == torch.float32


def test_fp32_is_fp32_also_where_the_host_has_switched_to_bf16() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with arithmetic("fp32", CPU):
            assert torch.nn.Linear(3, 2)(torch.ones(1, 3)).dtype == torch.float32
        assert torch.is_autocast_enabled("cpu")
