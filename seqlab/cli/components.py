"""`seqlab components [KIND [NAME]]`: what recipes can name, and the keys of each part."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from pydantic_core import to_jsonable_python

from seqlab.cli.options import pass_lab, plugin_option
from seqlab.cli.output import headed, say
from seqlab.errors import SeqlabError
from seqlab.plugin import KINDS, Registry
from seqlab.plugin.registry import definition
from seqlab.settings import Config, documentation
from seqlab.suggest import unknown

if TYPE_CHECKING:
    from seqlab.lab import Lab

__all__ = ["components", "human_type", "keys_of"]

UNNAMED = ("field_kind", "writer")
"""What plugins register besides, and no recipe names."""

BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
SIZES = {"minLength": ">=", "maxLength": "<=", "minItems": ">=", "maxItems": "<="}
"""How JSON Schema's limits on values and on lengths are shown."""


@click.command
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
@pass_lab
def components(lab: Lab, kind: str | None, name: str | None, *, as_json: bool) -> None:
    """List components, all or of one KIND, or document the keys of one by its NAME.

    Kinds of fields and writers, which no recipe names, are the kinds field_kind and writer.
    """
    try:
        found = (
            [describe(lab.registry, kind, name)]
            if kind and name
            else [
                describe(lab.registry, each, one)
                for each in ([kind] if kind else (*KINDS, *UNNAMED))
                for one in names_of(lab.registry, each)
            ]
        )
    except SeqlabError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        say(json.dumps(found[0] if name else found, indent=2, ensure_ascii=False))
    else:
        for line in document_lines(found[0]) if name else list_lines(found):
            say(line)


def names_of(registry: Registry, kind: str) -> Sequence[str]:
    """Return the names of a kind of component, or of what recipes do not name."""
    return list(unnamed(registry, kind)) if kind in UNNAMED else registry.names(kind)


def unnamed(registry: Registry, kind: str) -> Mapping[str, Any]:
    """Return the field kinds or the writers of all plugins by name."""
    found: Mapping[str, Any] = registry.writers() if kind == "writer" else registry.field_kinds()
    return found


def describe(registry: Registry, kind: str, name: str) -> dict[str, Any]:
    """Return all that is known of a component as plain JSON data."""
    if kind in UNNAMED:
        known = unnamed(registry, kind)
        if name not in known:
            raise SeqlabError(unknown(kind, name, known))
        owner = registry.writer_owner(name) if kind == "writer" else registry.field_kind_owner(name)
        about = {"kind": kind, "name": name, "summary": known[name].summary, "plugin": owner}
        # what a plugin registers is called through a stand-in
        return {**about, "source": definition(type(getattr(known[name], "bare", known[name]))), "keys": []}
    component = registry.get(kind, name)
    return {
        "kind": kind,
        "name": name,
        "summary": component.summary,
        "plugin": registry.owner(kind, name),
        "source": registry.source(kind, name),
        "keys": keys_of(component.config),
    }


def keys_of(config: type[Config], prefix: str = "") -> list[dict[str, Any]]:
    """Return the keys of a settings class in their order: name, type, required, default, documentation.

    Those of settings within settings follow the key that holds them, as dotted paths.
    """
    schema = config.model_json_schema()
    definitions = schema.get("$defs", {})
    documented = documentation(config)
    keys: list[dict[str, Any]] = []
    for name, field in config.model_fields.items():
        key = field.alias or name
        # asked of the field, because a schema leaves out what a default factory would make
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        keys.append(
            {
                "key": prefix + key,
                "type": human_type(schema["properties"][key], definitions),
                "required": field.is_required(),
                "default": to_jsonable_python(default),
                "documentation": documented[name],
            }
        )
        if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
            keys += keys_of(field.annotation, f"{prefix}{key}.")
    return keys


def human_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return a JSON Schema in words: `integer >= 1`, `one of: a, b`, `number or null`."""
    if "$ref" in schema:
        return human_type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema or "const" in schema:
        return "one of: " + ", ".join(written(value) for value in schema.get("enum", [schema.get("const")]))
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(human_type(choice, definitions) for choice in schema[union])
    kind = str(schema.get("type", "any value"))
    if kind == "array":
        return list_type(schema, definitions)
    if kind == "object":
        return mapping_type(schema, definitions)
    return kind + limits(schema)


def list_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the words for an array: `list of string`, `list (number, number)`."""
    if "prefixItems" in schema:
        return "list (" + ", ".join(human_type(item, definitions) for item in schema["prefixItems"]) + ")"
    items = human_type(schema["items"], definitions) if schema.get("items") else "any value"
    return f"list{limits(schema)} of {items}"


def mapping_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the words for an object: the keys that it may have, or the type of its values."""
    if "properties" in schema:
        return f"mapping with keys {', '.join(schema['properties'])}"
    values = schema.get("additionalProperties")
    return f"mapping to {human_type(values, definitions)}" if isinstance(values, Mapping) else "mapping"


def limits(schema: Mapping[str, Any]) -> str:
    """Return the bounds of a value or of a length, with a space before them: ` >= 0 and < 1`."""
    values = [f"{sign} {written(schema[key])}" for key, sign in BOUNDS.items() if key in schema]
    sizes = [f"{sign} {schema[key]}" for key, sign in SIZES.items() if key in schema]
    pattern = [f"matching {schema['pattern']}"] if "pattern" in schema else []
    bounds = " and ".join(values + ([f"of length {' and '.join(sizes)}"] if sizes else []) + pattern)
    return f" {bounds}" if bounds else ""


def written(value: Any) -> str:
    """Return a value as a recipe would have it; words stay without quotes, whole numbers without a point."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def list_lines(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield one aligned line per component, under a heading per kind."""
    width = max((len(one["name"]) for one in found), default=0)
    heading = ""
    for one in found:
        if one["kind"] != heading:
            heading = one["kind"]
            yield headed(f"{heading}s")
        yield f"  {one['name']:<{width}}  {one['summary']} ({one['plugin']})"


def document_lines(one: Mapping[str, Any]) -> Iterator[str]:
    """Yield the documentation of one component."""
    yield headed(f"{one['kind']} {one['name']}", f": {one['summary']}")
    yield f"plugin: {one['plugin']}"
    yield f"source: {one['source']}"
    if not one["keys"]:
        yield "no keys"
    for key in one["keys"]:
        default = (
            "required" if key["required"] else f"default {json.dumps(key['default'], ensure_ascii=False)}"
        )
        yield ""
        yield headed(key["key"], f": {key['type']} ({default})")
        yield from (f"    {line.strip()}" for line in key["documentation"].splitlines())
