"""What pydantic finds, in the words of recipes: the key, its place, what is allowed and what was given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from seqlab.errors import Place, Problem
from seqlab.recipe.scalars import plain_scalar
from seqlab.recipe.tree import KeyPath, Node, cut, dotted
from seqlab.suggest import did_you_mean

__all__ = ["follow", "key_problems", "settings_problems", "show", "unlike"]

MAX_KEYS = 20
"""Most unknown keys of one mapping that are told one by one."""

MAX_FINDINGS = 100
"""Most values of one component that are told one by one."""

TYPES = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "frozen_set": "a list",
    "int": "an integer",
    "int_from_float": "an integer",
    "iterable": "a list",
    "list": "a list",
    "mapping": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "none_required": "null",
    "path": "a path",
    "set": "a list",
    "string": "a string",
    "tuple": "a list",
}
"""What is expected, by pydantic's name of the error without its `_type` or `_parsing`."""

BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
"""pydantic's name of a bound, the key of its value, and the words for it."""

SIZES = {
    "string_too_long": ("max_length", "at most", "character"),
    "string_too_short": ("min_length", "at least", "character"),
    "too_long": ("max_length", "at most", "item"),
    "too_short": ("min_length", "at least", "item"),
}
"""pydantic's name of a bound on a length, the key of its value, the words for it and the unit."""


def show(value: Any) -> str:
    """Write a value as a recipe would, in short."""
    if isinstance(value, str):
        return repr(cut(value))
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ("-.inf" if value < 0 else ".inf")
    if isinstance(value, Mapping):
        return "a mapping"
    return cut(str(value)) if isinstance(value, int | float) else "a list"


def unlike(wanted: str, value: Any) -> str:
    """Return `expected an integer, got 'abc'` with the remedy where a scalar is merely quoted or not."""
    return f"expected {wanted}, got {show(value)}{_remedy(wanted, value)}"


def _remedy(wanted: str, value: Any) -> str:
    if not isinstance(value, str):
        return "; quote it" if "a string" in wanted and isinstance(value, int | float) else ""
    meant = plain_scalar(value)
    if ("integer" in wanted or "number" in wanted) and not isinstance(meant, bool):
        return "; remove the quotes" if isinstance(meant, int | float) else _without_underscores(value)
    return "; remove the quotes" if isinstance(meant, bool) and "true or false" in wanted else ""


def _without_underscores(text: str) -> str:
    bare = text.replace("_", "")
    return f"; write {bare}" if bare != text and isinstance(plain_scalar(bare), int | float) else ""


def key_problems(node: Node, path: KeyPath, allowed: Iterable[str], required: Iterable[str]) -> list[Problem]:
    """Return the unknown and the missing keys of a mapping.

    A key that is missing because it is misspelt is one mistake and gives one problem.
    """
    assert isinstance(node.content, dict)
    allowed = list(allowed)
    strange = [key for key in node.content if key not in allowed]
    unknown = {key: did_you_mean(key, allowed) for key in strange[:MAX_KEYS]}
    problems = [
        Problem(node.content[key].key, dotted(path), _unknown_key(key, hint, allowed))
        for key, hint in unknown.items()
    ]
    if more := strange[MAX_KEYS:]:
        problems.append(Problem(node.content[more[0]].key, dotted(path), f"{len(more):,} more unknown keys"))
    missing = [key for key in required if key not in node.content and not _meant(key, unknown.values())]
    return problems + [Problem(node.place, dotted(path), f"missing required key {key!r}") for key in missing]


def _unknown_key(key: str, hint: str, allowed: Sequence[str]) -> str:
    keys = f"; allowed keys: {', '.join(sorted(allowed))}" if allowed else "; no keys are allowed here"
    return f"unknown key {show(key)}{hint or keys}"


def _meant(key: str, hints: Iterable[str]) -> bool:
    return any(hint.endswith(f"{key!r}?") for hint in hints)


# --- pydantic's errors -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Finding:
    """One value that does not fit; `branch` says that it could have been something else (a union)."""

    path: KeyPath
    place: Place
    wanted: str
    got: str
    branch: bool

    @property
    def problem(self) -> Problem:
        # A list of allowed values is set off by a semicolon, since it holds commas itself.
        comma = "; " if self.got and "one of:" in self.wanted else ", " if self.got else ""
        return Problem(self.place, dotted(self.path), f"{self.wanted}{comma}{self.got}")


def settings_problems(
    error: ValidationError, model: type[BaseModel], node: Node, path: KeyPath
) -> list[Problem]:
    """Translate pydantic's errors on the mapping `node`, which stands at `path` and should fit `model`."""
    found = error.errors(include_url=False)
    details = _true_ones(found[:MAX_FINDINGS])
    more = f"{len(found) - MAX_FINDINGS:,} more mistakes" if len(found) > MAX_FINDINGS else ""
    problems = [Problem(node.place, dotted(path), more)] if more else []
    for container in dict.fromkeys(detail["loc"][:-1] for detail in details if _about_keys(detail)):
        problems += _keys_at(model, node, path, (container, details))
    findings = [_finding(detail, model, node, path) for detail in details if not _about_keys(detail)]
    entered = {(*path, *follow(node, detail["loc"][:-1])[1]) for detail in details if _about_keys(detail)}
    return problems + [finding.problem for finding in _joined(findings, entered)]


def _true_ones(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where it only has items that are wrong.

    pydantic counts the right ones, and tells of the others besides.
    """

    def is_long_enough(detail: ErrorDetails) -> bool:
        if detail["type"] != "too_short" or len(detail["input"]) < detail["ctx"]["min_length"]:
            return False
        loc = detail["loc"]
        return any(other is not detail and other["loc"][: len(loc)] == loc for other in details)

    return [detail for detail in details if not is_long_enough(detail)]


def follow(node: Node, loc: Sequence[str | int]) -> tuple[Node, KeyPath, bool]:
    """Go down as far as `loc` leads; return the node, its path, and whether parts led nowhere.

    Parts that lead nowhere are pydantic's labels for the branches of a union, or keys that do not exist.
    """
    path: KeyPath = ()
    lost = False
    for part in loc:
        if isinstance(node.content, dict) and isinstance(part, str) and part in node.content:
            node, path = node.content[part], (*path, part)
        elif isinstance(node.content, tuple) and str(part).isdecimal() and int(part) < len(node.content):
            node, path = node.content[int(part)], (*path, int(part))
        else:
            lost = True
    return node, path, lost


def _about_keys(detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden" or (
        detail["type"] == "missing" and isinstance(detail["loc"][-1], str)
    )


def _keys_at(
    model: type[BaseModel],
    node: Node,
    path: KeyPath,
    found: tuple[tuple[str | int, ...], Sequence[ErrorDetails]],
) -> list[Problem]:
    """Return the problems with the keys of one mapping, at pydantic's location `found[0]`."""
    container, details = found
    mapping, below, _ = follow(node, container)
    here = [detail for detail in details if detail["loc"][:-1] == container and _about_keys(detail)]
    extra = [str(detail["loc"][-1]) for detail in here if detail["type"] == "extra_forbidden"]
    missing = [str(detail["loc"][-1]) for detail in here if detail["type"] == "missing"]
    assert isinstance(mapping.content, dict)
    allowed = _known_keys(model, container)
    odd = Node({key: mapping.content[key] for key in extra}, mapping.place, mapping.key)
    return key_problems(odd, (*path, *below), allowed, missing)


def _known_keys(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the keys of the model that pydantic checked at `loc`, which may name branches of unions."""
    return list(dict.fromkeys(key for found in _models_at(model, loc) for key in found.model_fields))


def _models_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the models that pydantic may have checked at `loc`."""
    models = [model]
    for part in loc:
        fields = [found.model_fields[str(part)] for found in models if str(part) in found.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
        else:
            models = [found for found in models if str(part) in _labels(found)] or models
    return models


def _exact_size(model: type[BaseModel], detail: ErrorDetails) -> int:
    """Return the size of the list that pydantic speaks of where only one is allowed, else 0."""
    loc = detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"]
    sizes = {len(get_args(each)) for each in _annotations_at(model, loc) if _has_fixed_size(each)}
    least, most = len(detail["input"]) + 1, detail.get("ctx", {}).get("max_length")
    return next((size for size in sorted(sizes) if (size == most if most else size >= least)), 0)


def _annotations_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[Any]:
    """Return the types that pydantic may have checked at `loc`, unions taken apart."""
    found: list[Any] = [model]
    for part in loc:
        inner = [
            each for annotation in found for inside in _inside(annotation, part) for each in _flat(inside)
        ]
        # A part that leads nowhere is pydantic's label for a branch of a union, and any string may be one.
        found = inner + (found if (isinstance(part, str) and len(found) > 1) or not inner else [])
    return found


def _flat(annotation: Any) -> list[Any]:
    """Return the branches of a union, and the type that is annotated."""
    if get_origin(annotation) is Annotated:
        return _flat(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for branch in get_args(annotation) for each in _flat(branch)]
    return [annotation]


def _inside(annotation: Any, part: str | int) -> list[Any]:
    """Return the type of what a mapping, a list or a model holds under a key or an index."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return [] if field is None else [field.annotation]
    arguments = get_args(annotation)
    if _has_fixed_size(annotation):
        return [arguments[part]] if isinstance(part, int) and part < len(arguments) else []
    mapping = len(arguments) == 2 and Ellipsis not in arguments
    if not arguments or mapping != isinstance(part, str):
        return []
    return [arguments[1] if mapping else arguments[0]]


def _has_fixed_size(annotation: Any) -> bool:
    return get_origin(annotation) is tuple and Ellipsis not in get_args(annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _labels(model: type[BaseModel]) -> set[str]:
    """Return by what pydantic names this branch of a union: the class, or the value of its tag."""
    tags = {str(tag) for field in model.model_fields.values() for tag in get_args(field.annotation)}
    return {model.__name__} | tags


def _finding(detail: ErrorDetails, model: type[BaseModel], node: Node, path: KeyPath) -> _Finding:
    value, below, lost = follow(node, detail["loc"])
    if detail["type"] in ("missing", "too_long") and (size := _exact_size(model, detail)):
        # A list of a fixed size lacks items one by one: one finding, with the list itself.
        wanted, got, lost = f"must have exactly {_count(size, 'item')}", f"got {len(detail['input'])}", False
    else:
        wanted, got = _words(detail)
    if detail["type"].startswith("union_tag_invalid") and isinstance(value.content, dict):
        tag = str(detail["ctx"]["discriminator"]).strip("'")
        value, below = value.content[tag], (*below, tag)
    return _Finding((*path, *below), value.place, wanted, got, lost)


def _words(detail: ErrorDetails) -> tuple[str, str]:
    """Return what the value must be, and `got ...` where that says more."""
    kind, context, got = detail["type"], detail.get("ctx", {}), f"got {show(detail['input'])}"
    wanted = TYPES.get(re.sub("_(type|parsing)$", "", kind))
    if wanted:
        text = unlike(wanted, detail["input"])
        return text[: text.index(", got ")], text[text.index("got ") :]
    if kind in SPECIAL_WORDS:
        return SPECIAL_WORDS[kind](detail, got)
    if kind in BOUNDS:
        key, words = BOUNDS[kind]
        return f"must be {words} {_number(context[key])}", got
    if kind in SIZES:
        key, words, unit = SIZES[kind]
        length = context.get("actual_length") or len(detail["input"])
        return f"must have {words} {_count(context[key], unit)}", f"got {length}"
    message = detail["msg"].rstrip(".")
    return message[:1].lower() + message[1:], got


def _raised(detail: ErrorDetails, got: str) -> tuple[str, str]:
    return str(detail["ctx"]["error"]), ""  # a validator's own words say what they have to


def _choices(detail: ErrorDetails, got: str) -> tuple[str, str]:
    context = detail["ctx"]
    listed = context.get("expected") or context["expected_tags"]
    names = [name.strip("'") for name in re.split(", | or ", str(listed))]
    chosen = f"got {show(context['tag'])}" if "tag" in context else got
    return f"must be one of: {', '.join(names)}", chosen


SPECIAL_WORDS: Mapping[str, Callable[[ErrorDetails, str], tuple[str, str]]] = {
    "assertion_error": _raised,
    "enum": _choices,
    "finite_number": lambda detail, got: ("must be a finite number", got),
    "int_parsing_size": lambda detail, got: ("is too large an integer", got),
    "literal_error": _choices,
    "string_pattern_mismatch": lambda detail, got: (
        f"must match the regular expression {detail['ctx']['pattern']}",
        got,
    ),
    "union_tag_invalid": _choices,
    "union_tag_not_found": lambda detail, got: (f"missing required key {detail['ctx']['discriminator']}", ""),
    "value_error": _raised,
}
"""How errors are told that are neither about a type, a bound nor a length."""


def _number(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _joined(findings: Sequence[_Finding], entered: set[KeyPath]) -> list[_Finding]:
    """Make one finding of those on one value: the branches of a union that it fits none of.

    Where a branch looked inside the value, what it found there says more than that others expected
    something else altogether; `entered` holds the mappings whose keys were found wrong.
    """
    inner = entered | {finding.path[:end] for finding in findings for end in range(len(finding.path))}
    groups: dict[KeyPath, list[_Finding]] = {}
    for finding in findings:
        if not (finding.branch and finding.path in inner):
            groups.setdefault(finding.path, []).append(finding)
    return [_one(group) for group in groups.values()]


def _one(group: Sequence[_Finding]) -> _Finding:
    # A list of choices stands last, where nothing can be taken for one of them.
    each = dict.fromkeys(finding.wanted for finding in group)
    wanted = sorted(each, key=lambda text: text.startswith("must be one of:"))
    further = [text.removeprefix("expected ").removeprefix("must be ") for text in wanted[1:]]
    words = " or ".join([wanted[0], *further])
    first = group[0]
    got = max((finding.got for finding in group), key=len)
    return _Finding(first.path, first.place, words, got, first.branch)
