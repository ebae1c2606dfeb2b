"""Errors of plugin code and of seqlab's own: which of them are told with a name, and what passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seqlab.errors import ContractError, DataError, Place, PluginError, SeqlabError
from seqlab.plugin import Part, blaming
from seqlab.plugin.calling import lacks_memory, memory_asked, raised

STRANGE = Part("encoder", "mine", "stranger")
OWN = Part("encoder", "bilstm", "seqlab")


def examples() -> list[str]:
    return ["a.txt:1", "a.txt:2", "a.txt:1"]


def test_what_a_plugin_raises_is_told_with_part_method_line_and_examples() -> None:
    with pytest.raises(PluginError) as caught, STRANGE.calling("forward", examples):
        raise KeyError("gone")
    line = caught.value.__cause__.__traceback__.tb_next.tb_lineno  # type: ignore[union-attr]
    assert str(caught.value) == (
        f"plugin 'stranger': encoder 'mine': forward raised KeyError: 'gone' ({__file__}:{line});"
        " at a.txt:1, a.txt:2"
    )
    assert (caught.value.plugin, caught.value.exit_code) == ("stranger", 3)


def test_a_wrong_result_is_told_without_a_line() -> None:
    with pytest.raises(PluginError) as caught, STRANGE.calling("forward"):
        raise ContractError("returned None")
    assert str(caught.value) == "plugin 'stranger': encoder 'mine': forward returned None"


def test_a_plugin_cannot_end_the_process() -> None:
    with pytest.raises(PluginError, match="forward raised SystemExit: 0"), STRANGE.calling("forward"):
        raise SystemExit(0)


@pytest.mark.parametrize(
    "error",
    [
        SeqlabError("enough"),
        DataError("damaged", place=Place("a.txt", 3)),
        KeyboardInterrupt(),
        GeneratorExit(),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
    ids=repr,
)
def test_what_is_no_fault_of_the_plugin_passes_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, STRANGE.calling("forward", examples):
        raise error
    assert caught.value is error
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("shape", [2**70, (2**62, 2**62)])
def test_sizes_beyond_64_bits_are_the_plugins_but_for_those_of_its_settings(shape: Any) -> None:
    named = pytest.raises(PluginError, match=r"^plugin 'stranger': encoder 'mine': forward raised ")
    with named, STRANGE.calling("forward"):
        torch.empty(shape)
    with pytest.raises((RuntimeError, TypeError)) as caught:
        torch.empty(shape)
    assert lacks_memory(caught.value, building=True)
    assert not lacks_memory(caught.value)


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 67840 bytes.", "67,840 bytes"),
        ("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has", "20.00 GiB"),
        ("CUDA error: out of memory", ""),
    ],
)
def test_what_torch_tried_to_allocate_is_read_from_its_message(message: str, asked: str) -> None:
    assert memory_asked(RuntimeError(message)) == asked


def test_a_mistake_of_seqlab_keeps_its_traceback_and_gets_a_note() -> None:
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as caught, OWN.calling("forward", examples):
        raise error
    assert caught.value is error
    assert error.__notes__ == ["encoder 'bilstm': forward; at a.txt:1, a.txt:2"]


def compiled(package: str, body: str) -> Callable[..., None]:
    names: dict[str, object] = {"__name__": f"{package}.module"}
    exec(compile(f"def call(inner=None):\n    {body}", f"{package}.py", "exec"), names)
    return names["call"]  # type: ignore[return-value]


def test_the_innermost_line_of_the_package_is_told_not_that_of_a_library() -> None:
    library, plugin = compiled("library", "raise ValueError('deep')"), compiled("mine", "inner()")
    with pytest.raises(ValueError, match="deep") as caught:
        plugin(library)
    assert raised(caught.value) == "ValueError: deep (library.py:2)"
    assert raised(caught.value, "mine") == "ValueError: deep (mine.py:2)"
    assert raised(caught.value, "other") == "ValueError: deep (library.py:2)"


def test_blaming_names_what_the_caller_says() -> None:
    def fault(reason: str) -> PluginError:
        return PluginError(f"the hook {reason}", plugin="p")

    with pytest.raises(PluginError, match=r"^plugin 'p': the hook raised KeyError: 1 \("), blaming(fault):
        raise KeyError(1)
    with pytest.raises(SeqlabError, match=r"^enough$"), blaming(fault):
        raise SeqlabError("enough")
    with pytest.raises(PluginError, match="raised SeqlabError: enough"), blaming(fault, passing=()):
        raise SeqlabError("enough")
