from __future__ import annotations

import functools
import math
from typing import Any

import pytest

from seqlab.errors import SeqlabError
from seqlab.plugin import KINDS, Component, Registry
from seqlab.settings import Config


class Settings(Config):
    """No keys."""


def build(config: Settings, context: Any) -> None: ...


class Built:
    def __init__(self, config: Settings, context: Any) -> None: ...


def component(name: str, **changes: Any) -> Component[Settings]:
    return Component(**({"name": name, "config": Settings, "build": build, "summary": "a part"} | changes))


def test_what_is_added_is_found_with_its_owner() -> None:
    registry = Registry()
    lstm = component("lstm")
    registry.add("encoder", lstm, "seqlab")
    registry.add("head", component("lstm"), "other")
    assert registry.get("encoder", "lstm") is lstm
    assert registry.owner("encoder", "lstm") == "seqlab"
    assert registry.owner("head", "lstm") == "other"


def test_views_hold_every_kind_and_sorted_names() -> None:
    registry = Registry()
    for name in ("b", "a"):
        registry.add("metric", component(name), "seqlab")
    assert registry.names("metric") == ("a", "b")
    assert registry.names("reader") == ()
    assert tuple(registry.catalogue()) == KINDS
    assert registry.catalogue()["metric"] == {"a": Settings, "b": Settings}
    assert list(registry.described()["metric"].items()) == [
        ("a", (Settings, "a part")),
        ("b", (Settings, "a part")),
    ]


def test_unknown_name_is_an_error_with_the_nearest_and_the_allowed_ones() -> None:
    registry = Registry()
    for name in ("lstm", "gru"):
        registry.add("encoder", component(name), "seqlab")
    with pytest.raises(SeqlabError) as caught:
        registry.get("encoder", "lsmt")
    assert str(caught.value) == "unknown encoder 'lsmt'; did you mean 'lstm'?; one of: gru, lstm"
    with pytest.raises(SeqlabError, match=r"^unknown head 'crf'; none is there$"):
        registry.owner("head", "crf")
    with pytest.raises(SeqlabError, match=r"^unknown kind 'heads'; did you mean 'head'\?; one of: augm"):
        registry.names("heads")


def test_a_taken_name_is_refused_with_its_owner_and_the_first_stays() -> None:
    registry = Registry()
    first = component("lstm")
    registry.add("encoder", first, "seqlab")
    with pytest.raises(ValueError, match=r"^encoder 'lstm' is already registered by plugin 'seqlab'$"):
        registry.add("encoder", component("lstm"), "other")
    assert registry.get("encoder", "lstm") is first


@pytest.mark.parametrize(
    ("unsound", "message"),
    [
        ("lstm", "returned 'lstm' (str) where a Component is expected"),
        (Component, "returned the class Component where a Component is expected"),
        (
            component("Bi-LSTM"),
            "encoder name 'Bi-LSTM' is not allowed; it must match [a-z][a-z0-9_]* like 'bilstm'",
        ),
        (component("a\n"), "encoder name 'a\\n' is not allowed; it must match [a-z][a-z0-9_]* like 'bilstm'"),
        (
            component("x", config=dict),
            "encoder 'x': config is the class dict; it must be a class derived from seqlab.api.Config",
        ),
        (component("x", build=None), "encoder 'x': build is None; it must be callable"),
    ],
)
def test_unsound_components_are_refused(unsound: object, message: str) -> None:
    registry = Registry()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        registry.add("encoder", unsound, "other")
    assert str(caught.value) == message
    assert registry.names("encoder") == ()


def test_remove_takes_back_all_of_one_owner_only() -> None:
    registry = Registry()
    registry.add("encoder", component("a"), "mine")
    registry.add("head", component("b"), "mine")
    registry.add("head", component("c"), "yours")
    registry.remove("mine")
    assert (registry.names("encoder"), registry.names("head")) == ((), ("c",))


@pytest.mark.parametrize(
    ("builder", "definition"),
    [
        (build, build),
        (functools.partial(build), build),
        (functools.lru_cache(build), build),
        (Built, Built),
    ],
)
def test_source_is_where_the_builder_is_defined(builder: Any, definition: Any) -> None:
    registry = Registry()
    registry.add("encoder", component("x", build=builder), "mine")
    file, _, line = registry.source("encoder", "x").rpartition(":")
    assert file == __file__
    with open(__file__, encoding="utf-8") as lines:  # noqa: PTH123 - the file is a path string already
        assert definition.__name__ in lines.readlines()[int(line) - 1]


def test_source_of_compiled_code_is_unknown() -> None:
    registry = Registry()
    registry.add("encoder", component("x", build=math.hypot), "mine")
    assert registry.source("encoder", "x") == "unknown"
