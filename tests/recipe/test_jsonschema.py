from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from seqlab.recipe import recipe_json_schema
from seqlab.settings import Config, TrainSettings

Schema = dict[str, Any]


@pytest.fixture
def schema(catalogue: Mapping[str, Mapping[str, type[Config]]]) -> Schema:
    summarised = {
        kind: {name: (config, f"The {name}.") for name, config in named.items()}
        for kind, named in catalogue.items()
    }
    return recipe_json_schema(summarised)


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for child in schema.values():
            yield from references(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from references(child)


def test_it_is_json_of_the_stated_dialect(schema: Schema) -> None:
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_reference_leads_somewhere(schema: Schema) -> None:
    found = set(references(schema))
    assert "#/$defs/train" in found
    assert {reference.removeprefix("#/$defs/") for reference in found} <= set(schema["$defs"])


def test_bare_names_are_offered_where_nothing_is_required(schema: Schema) -> None:
    one, several = schema["properties"]["encoder"]["anyOf"]
    assert several == {"type": "array", "items": one, "minItems": 1}
    choices = one["anyOf"]
    assert choices[0] == {"enum": ["bilstm", "gru"]}
    assert [choice["$ref"] for choice in choices[1:]] == [
        "#/$defs/encoder.bilstm",
        "#/$defs/encoder.gru",
        "#/$defs/encoder.bounded",
    ]


def test_a_component_has_its_name_and_its_documented_keys(schema: Schema) -> None:
    bounded = schema["$defs"]["encoder.bounded"]
    assert bounded["properties"]["name"] == {"const": "bounded", "description": "The bounded."}
    assert bounded["properties"]["units"]["description"] == "Size of the state."
    assert bounded["required"] == ["name", "units"]
    assert bounded["additionalProperties"] is False


def test_every_setting_of_training_is_described(schema: Schema) -> None:
    train = schema["$defs"]["train"]
    assert set(train["properties"]) == set(TrainSettings.model_fields)
    assert all("description" in value for value in train["properties"].values())


def test_every_top_level_key_is_described_and_no_other_allowed(schema: Schema) -> None:
    assert all("description" in value for value in schema["properties"].values())
    assert schema["additionalProperties"] is False
    assert schema["anyOf"][1]["required"] == ["data", "features", "encoder", "head"]


@pytest.mark.parametrize(
    "key",
    ["augment", "extends", "name", "requires", "metrics", "observers", "train", "data.dev", "data.test"],
)
def test_null_is_allowed_where_the_loader_takes_it_for_absent(key: str, schema: Schema) -> None:
    where = schema
    for part in key.split("."):
        where = where["properties"][part]
    assert {"type": "null"} in where["anyOf"]


@pytest.mark.parametrize("key", ["data", "features", "encoder", "head", "data.reader", "data.train"])
def test_null_is_refused_where_the_loader_refuses_it(key: str, schema: Schema) -> None:
    where = schema
    for part in key.split("."):
        where = where["properties"][part]
    assert {"type": "null"} not in where.get("anyOf", [])


def test_a_kind_without_components_allows_nothing() -> None:
    assert recipe_json_schema({})["properties"]["encoder"]["anyOf"][0] == {"not": {}}


def test_a_data_set_stands_for_reader_and_training_split() -> None:
    schema = recipe_json_schema({}, ["tiny", "pos_ewt"])
    names, null = schema["properties"]["data"]["properties"]["dataset"]["anyOf"]
    assert (names["enum"], null) == (["pos_ewt", "tiny"], {"type": "null"})
    needed = schema["anyOf"][1]["properties"]["data"]["anyOf"]
    assert needed == [{"required": ["dataset"]}, {"required": ["reader", "train"]}]
