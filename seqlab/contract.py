"""What components must return, checked where they return it: ContractError says what is wrong.

Only what would show later as something obscure: an example without a field, a column of too few items, a
state that no package can keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.api import ALIGNMENTS, Answer, Example, FieldKind, Place
from seqlab.engine import Column
from seqlab.errors import ContractError
from seqlab.plugin import at_example
from seqlab.suggest import did_you_mean, one_of, shown

__all__ = [
    "CHECKS",
    "Values",
    "answer_fault",
    "attribute_fault",
    "check_answer",
    "check_example",
    "check_normal",
    "parts_fault",
]

Kinds: TypeAlias = Mapping[str, FieldKind[Any]]
"""The fields of a reader's examples, each with its kind."""

HEAD_METHODS = ("count", "loss", "answer")


class Values(list[Any]):
    """Values given to a component, with the examples that they are of.

    `at` is the number of the value that a loop over them has come to, None outside of one.
    """

    def __init__(self, values: Sequence[Any], examples: Sequence[Example]) -> None:
        super().__init__(values)
        self.examples = examples
        self.at: int | None = None

    def __iter__(self) -> Iterator[Any]:
        for number, value in enumerate(super().__iter__()):
            self.at = number
            yield value
        self.at = None

    def places(self) -> Iterator[str]:
        """Yield the place of the example that a fault concerns, or of all where it is not known."""
        concerned = self.examples if self.at is None else self.examples[self.at : self.at + 1]
        return (str(example.place) for example in concerned)


# --- examples --------------------------------------------------------------------------------------------


def check_example(found: Any, kinds: Kinds, *, labelled: bool) -> Example:
    """Return an example with all fields of a reader, each of its kind; without labels, some may be absent."""
    if not isinstance(found, Example):
        raise ContractError(f"yielded {shown(found)} where an Example is expected")
    if not isinstance(found.place, Place):
        raise ContractError(f"yielded an Example whose place is {shown(found.place)}, not a Place")
    if not isinstance(found.fields, Mapping):
        raise ContractError(f"yielded an Example whose fields are {shown(found.fields)}, not a mapping")
    for name, kind in kinds.items():
        if name not in found.fields and labelled:
            there = ", ".join(map(str, found.fields)) or "none"
            raise ContractError(f"yielded an Example without the field {name!r}; its fields are: {there}")
        if name not in found.fields:
            continue
        with at_example(found.place):
            reason = kind.fault(found.fields[name])
        if reason:
            raise ContractError(f"yielded in the field {name!r} {reason}")
        if reason := parts_fault(found.fields[name], kind, found.fields, kinds):
            raise ContractError(f"yielded in the field {name!r} {reason}")
    return found


def check_answer(found: Any, kind: FieldKind[Any], example: Example, kinds: Kinds) -> Answer:
    """Return what a head answered to an example, where it and its alternatives are of the target's kind."""
    with at_example(example.place):
        reason = answer_fault(found, kind, example, kinds)
    if reason:
        raise ContractError(f"returned {reason}", at=str(example.place))
    answer: Answer = found
    return answer


def answer_fault(found: Any, kind: FieldKind[Any], example: Example, kinds: Kinds) -> str:
    """Return what is wrong with what a head answered to an example, and with its alternatives."""
    if not isinstance(found, Answer):
        return f"{shown(found)} where an Answer is expected"
    if reason := kind.answer_fault(found.value) or parts_fault(found.value, kind, example.fields, kinds):
        return f"an Answer whose value is {reason}"
    if not isinstance(found.details, Mapping):
        return f"an Answer whose details are {shown(found.details)}, not a mapping"
    if not isinstance(found.alternatives, list | tuple):
        return f"an Answer whose alternatives are {shown(found.alternatives)}, not a tuple"
    faults = (answer_fault(each, kind, example, kinds) for each in found.alternatives)
    return next((f"an Answer with, among its alternatives, {fault}" for fault in faults if fault), "")


def parts_fault(value: Any, kind: FieldKind[Any], fields: Mapping[str, Any], kinds: Kinds) -> str:
    """Return what is wrong with the number of a value's parts, where the kind says what it stands along."""
    others = [name for name, other in kinds.items() if other.name == kind.along]
    if kind.along is None or len(others) != 1 or others[0] not in fields:
        return ""
    count = len(fields[others[0]])
    return "" if len(value) == count else f"{len(value)} {kind.name} for {count} {kind.along}"


# --- what methods return ---------------------------------------------------------------------------------


def check_normal(found: Any, example: Example) -> Example:
    """Return an example in normal form: the fields that it had, lists as long as they were."""
    if not isinstance(found, Example):
        raise ContractError(f"returned {shown(found)} where an Example is expected")
    for name, value in example.fields.items():
        if name not in found.fields:
            raise ContractError(f"returned an Example without the field {name!r}")
        if isinstance(value, list | tuple) and len(found.fields[name]) != len(value):
            count = len(found.fields[name])
            raise ContractError(f"returned {count} items in the field {name!r}, which had {len(value)}")
    return found


def _column(found: Any, values: Sequence[Any]) -> Column:
    """Return a column of one item for each value, as batches can be cut from it."""
    if not isinstance(found, Column):
        raise ContractError(f"returned {shown(found)} where a Column is expected")
    _check_lengths(found, len(values))
    if found.table is not None:
        _check_table(found.values, found.table)
    if not found.values.is_floating_point():
        return found
    rows = found.values.flatten(1).isfinite().all(1) if found.values.dim() > 1 else found.values.isfinite()
    if not rows.all():
        item = int(torch.repeat_interleave(found.lengths)[int((~rows).nonzero()[0])])
        if isinstance(values, Values):
            values.at = item
        raise ContractError("returned numbers that are not finite")
    return found


def _check_lengths(found: Column, count: int) -> None:
    for name, tensor in (("values", found.values), ("lengths", found.lengths)):
        if not isinstance(tensor, Tensor) or tensor.device.type != "cpu":
            where = f" on {tensor.device}" if isinstance(tensor, Tensor) else ""
            wanted = "a tensor on the CPU is expected"
            raise ContractError(f"returned a Column whose {name} are {shown(tensor)}{where}; {wanted}")
    lengths = found.lengths
    if lengths.dtype != torch.int64 or lengths.dim() != 1 or (len(lengths) and int(lengths.min()) < 0):
        wanted = "int64 of one dimension, none below 0, is expected"
        raise ContractError(f"returned a Column whose lengths are {shown(lengths)}; {wanted}")
    if len(lengths) != count:
        raise ContractError(f"returned a Column of {len(lengths)} items for {count} values")


def _check_table(values: Tensor, table: Any) -> None:
    if not isinstance(table, Column) or table.table is not None:
        wanted = "a Column without a table of its own is expected"
        raise ContractError(f"returned a Column whose table is {shown(table)}; {wanted}")
    _check_lengths(table, len(table.lengths))
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < len(table.lengths):
        span = f"from {int(values.min())} to {int(values.max())}"
        raise ContractError(
            f"returned a Column with values {span}, which point into a table of {len(table.lengths)} items"
        )


def _target(found: Any, values: Sequence[Any]) -> Column:
    column = _column(found, values)
    if column.table is not None:
        raise ContractError("returned a Column with a table; targets have none")
    return column


def _featurizer_module(found: Any, *_: object) -> nn.Module:
    module = _module(found)
    if reason := _size_fault(getattr(module, "output_size", None)):
        raise ContractError(f"returned {type(module).__name__} with output_size {reason}")
    return module


def _head_module(found: Any, *_: object) -> nn.Module:
    module = _module(found)
    if lacking := [name for name in HEAD_METHODS if not callable(getattr(module, name, None))]:
        raise ContractError(f"returned {type(module).__name__} without {', '.join(lacking)}")
    return module


def _module(found: Any) -> nn.Module:
    if not isinstance(found, nn.Module):
        raise ContractError(f"returned {shown(found)} where a torch module is expected")
    return found


def _numbers(found: Any, values: Sequence[Any]) -> Sequence[int]:
    """Return one whole number for each value."""
    if isinstance(found, str) or not isinstance(found, Sequence) or len(found) != len(values):
        raise ContractError(f"returned {shown(found)} where {len(values)} integers are expected")
    if other := [each for each in found if not isinstance(each, Integral)]:
        raise ContractError(f"returned {shown(other[0])} where integers are expected")
    return found


def _figures(found: Any, *_: object) -> dict[str, float]:
    """Return named figures; one that is not a number could neither be compared nor written as JSON."""
    if not isinstance(found, Mapping):
        raise ContractError(f"returned {shown(found)} where a dict of names and floats is expected")
    for name, figure in found.items():
        if not isinstance(name, str):
            raise ContractError(f"returned a figure named {shown(name)}; a string is expected")
        if isinstance(figure, bool) or not isinstance(figure, Real):
            raise ContractError(f"returned as {name!r} {shown(figure)} where a float is expected")
        if math.isnan(figure):
            raise ContractError(f"returned as {name!r} nan; leave out a figure that cannot be computed")
    return {name: float(figure) for name, figure in found.items()}


def _text(found: Any, *_: object) -> str:
    if not isinstance(found, str):
        raise ContractError(f"returned {shown(found)} where a string is expected")
    return found


def _plain(found: Any, *_: object) -> dict[str, Any]:
    """Return a state that comes back from JSON as it was."""
    if not isinstance(found, dict):
        raise ContractError(f"returned {shown(found)} where a dict of plain JSON data is expected")
    for path, value in _not_plain(found, ""):
        raise ContractError(f"returned {shown(value)} as {path}; only plain JSON data can be kept")
    return found


def _not_plain(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what JSON cannot hold, or would give back as something else, with its path."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(key, str):
                yield from _not_plain(each, f"{path}[{key!r}]")
            else:
                yield f"a key of {path or 'the state'}", key
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _not_plain(each, f"{path}[{number}]")
    elif not (value is None or isinstance(value, str | bool | int | float)):
        yield path, value


Check: TypeAlias = Callable[..., Any]
"""From a method's result and the facts that it was called with to the result, or a ContractError."""

CHECKS: Mapping[tuple[str, str], Check] = {
    ("reader", "header"): _text,
    ("reader", "write"): _text,
    ("featurizer", "state"): _plain,
    ("featurizer", "encode"): _column,
    ("featurizer", "module"): _featurizer_module,
    ("head", "state"): _plain,
    ("head", "encode"): _target,
    ("head", "module"): _head_module,
    ("head", "states_needed"): _numbers,
    ("metric", "state"): _plain,
    ("metric", "compute"): _figures,
    ("metric", "listing"): _text,
    ("observer", "state"): _plain,
}
"""What is checked of results, by kind and method; examples and answers need to know the reader's fields."""


# --- what components are built with ----------------------------------------------------------------------


def attribute_fault(kind: str, component: Any) -> str:
    """Return which attribute of a new component is not what it must be, and why; empty where all are."""
    for name, fault in ATTRIBUTES.get(kind, {}).items():
        if reason := fault(getattr(component, name)):
            return f"was built with {name} {reason}"
    if kind == "encoder" and not isinstance(component, nn.Module):
        return f"has a builder that returned {shown(component)} where a torch module is expected"
    return ""


def _name_fault(value: Any) -> str:
    return "" if isinstance(value, str) else f"{shown(value)} where a string is expected"


def _names_fault(value: Any) -> str:
    fits = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return "" if fits else f"{shown(value)} where a tuple of strings is expected"


def _flag_fault(value: Any) -> str:
    return "" if isinstance(value, bool) else f"{shown(value)} where True or False is expected"


def _size_fault(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return "" if fits else f"{shown(value)} where an integer of at least 1 is expected"


def _fields_fault(value: Any) -> str:
    fits = isinstance(value, Mapping) and all(
        isinstance(each, str) for pair in value.items() for each in pair
    )
    return "" if fits else f"{shown(value)} where a mapping of names and kinds is expected"


def _alignment_fault(value: Any) -> str:
    if value in ALIGNMENTS:
        return ""
    return f"{shown(value)}{did_you_mean(str(value), ALIGNMENTS)}; {one_of(ALIGNMENTS)}"


ATTRIBUTES: Mapping[str, Mapping[str, Callable[[Any], str]]] = {
    "reader": {"suffixes": _names_fault, "fields": _fields_fault},
    "featurizer": {"field": _name_fault},
    "augmenter": {"keeps_length": _flag_fault},
    "encoder": {"output_size": _size_fault, "carries_state": _flag_fault},
    "head": {"target": _name_fault, "alignment": _alignment_fault, "default_metrics": _names_fault},
    "metric": {"higher_is_better": _flag_fault},
}
"""What is wrong with an attribute of each kind, as a function of its value."""
