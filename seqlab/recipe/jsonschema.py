"""A JSON Schema (draft 2020-12) of recipes, for completion and checks in editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, get_args

from seqlab.recipe.schema import DATASET_TEXT, ON_ERROR_TEXT, RECIPE_KEYS, REQUIRED_KEYS, OnError
from seqlab.settings import Config, TrainSettings

__all__ = ["Components", "recipe_json_schema"]

Components: TypeAlias = Mapping[str, Mapping[str, tuple[type[Config], str]]]
"""Kind of component to component name to (class of its settings, summary)."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema: TypeAlias = dict[str, Any]

WHOLE: Schema = {
    "required": list(REQUIRED_KEYS),
    "properties": {"data": {"anyOf": [{"required": ["dataset"]}, {"required": ["reader", "train"]}]}},
}
"""What a recipe must hold that extends no other."""


def recipe_json_schema(components: Components, datasets: Iterable[str] = ()) -> Schema:
    """Return the schema of recipes that use these components and data sets.

    It says what can be said of one file: a recipe that extends another may leave out what its base holds.
    """
    definitions: dict[str, Schema] = {}
    for kind, named in components.items():
        for name, (config, summary) in named.items():
            definitions |= _component(f"{kind}.{name}", name, config, summary)
    definitions |= _hoisted("train", TrainSettings)
    properties = _properties(components, sorted(datasets))
    allowed = {
        key: schema if key in REQUIRED_KEYS else _or_null(schema) for key, schema in properties.items()
    }
    described = {key: {"description": text} | allowed[key] for key, text in RECIPE_KEYS.items()}
    return {
        "$schema": DIALECT,
        "title": "seqlab recipe",
        "type": "object",
        "properties": described,
        "additionalProperties": False,
        "anyOf": [{"required": ["extends"]}, WHOLE],
        "$defs": definitions,
    }


def _properties(components: Components, datasets: list[str]) -> dict[str, Schema]:
    return {
        "extends": {"type": "string"},
        "name": {"type": "string"},
        "requires": {"type": "array", "items": {"type": "string"}},
        "data": _data(_choice(components, "reader"), datasets),
        "features": {"type": "array", "items": _choice(components, "featurizer"), "minItems": 1},
        "augment": {"type": "array", "items": _choice(components, "augmenter")},
        "encoder": _one_or_several(components, "encoder"),
        "head": _one_or_several(components, "head"),
        "metrics": {"type": "array", "items": _choice(components, "metric")},
        "observers": {"type": "array", "items": _choice(components, "observer")},
        "train": {"$ref": "#/$defs/train"},
    }


def _data(reader: Schema, datasets: list[str]) -> Schema:
    strings = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    split: Schema = {
        "description": "A path, a glob or a URI, or a list of them; relative paths start from this file.",
        "anyOf": [{"type": "string"}, strings],
    }
    return {
        "type": "object",
        "properties": {
            "dataset": _or_null({"description": DATASET_TEXT, "enum": datasets}),
            "reader": reader,
            "on_error": _or_null({"description": ON_ERROR_TEXT, "enum": list(get_args(OnError))}),
            "train": split,
            "dev": _or_null(split),
            "test": _or_null(split),
        },
        "additionalProperties": False,
    }


def _one_or_several(components: Components, kind: str) -> Schema:
    one = _choice(components, kind)
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _or_null(schema: Schema) -> Schema:
    """Allow null, which means the same as a key that is absent."""
    return {"anyOf": [schema, {"type": "null"}]}


def _choice(components: Components, kind: str) -> Schema:
    """Return what may stand where a component of this kind is expected: its bare name or a mapping."""
    named = components.get(kind, {})
    bare = [name for name, (config, _) in named.items() if not _required(config)]
    mappings: list[Schema] = [{"$ref": f"#/$defs/{kind}.{name}"} for name in named]
    names: list[Schema] = [{"enum": sorted(bare)}] if bare else []
    return {"anyOf": names + mappings} if named else {"not": {}}


def _component(key: str, name: str, config: type[Config], summary: str) -> dict[str, Schema]:
    definitions = _hoisted(key, config)
    own = definitions[key]
    own["description"] = summary
    own["properties"] = {"name": {"const": name, "description": summary}, **own.get("properties", {})}
    own["required"] = ["name", *_required(config)]
    return definitions


def _hoisted(key: str, model: type[Config]) -> dict[str, Schema]:
    """Return a model's schema under `key` and the schemas that it refers to under `key.Class`."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{key}.{{model}}")
    inner = schema.pop("$defs", {})
    return {key: schema} | {f"{key}.{name}": definition for name, definition in inner.items()}


def _required(config: type[Config]) -> list[str]:
    return [name for name, info in config.model_fields.items() if info.is_required()]
