"""Kinds of fields of plugins: whose they are, who is told, and what becomes of those that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_distributions import Distribution, install, write_module
from toy_language import write_toy

from seqlab import Lab
from seqlab.api import Component, Config, Example, FieldKind, Place, ReaderContext, hookimpl
from seqlab.cli.main import main
from seqlab.errors import PluginError, RecipeError
from seqlab.plugin import Plugins
from seqlab.run import RunOptions

HOOK = "plugin 'mine': seqlab_register_field_kinds: "
INSTANCE = "an instance of a subclass of seqlab.api.FieldKind"
NOT_ALLOWED = "is not allowed; it must match [a-z][a-z0-9_]* like 'tokens'"

SOURCE = """
    from seqlab.api import FieldKind, hookimpl

    class Mood(FieldKind):
        name = {name!r}
        summary = "how it feels"

        def fault(self, value):
            return ""

    @hookimpl
    def seqlab_register_field_kinds():
        return [Mood()]
"""


class Mood(FieldKind[str]):
    """A word; a plain kind that gives only what every kind must."""

    summary = "how it feels"

    def __init__(self, name: str = "mood") -> None:
        self.name = name

    def fault(self, value: Any) -> str:
        return "" if isinstance(value, str) else f"{value!r} where a mood is expected"


class NoSummary(FieldKind[str]):
    name = "mood"


class Moods:
    """Delivers tokens and a field of the kind that it is given."""

    suffixes = (".conllu",)

    def __init__(self, kind: str) -> None:
        self.fields: Mapping[str, str] = {"tokens": "tokens", "feeling": kind}

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        yield Example({"tokens": ["a"], "feeling": "glad"}, Place(str(path), 1))


def plugin(**hooks: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


def kinds(*offered: Any) -> SimpleNamespace:
    return plugin(seqlab_register_field_kinds=lambda: list(offered))


def reader(kind: str, seen: list[ReaderContext]) -> Component[Config]:
    def build(config: Config, context: ReaderContext) -> Moods:
        seen.append(context)
        return Moods(kind)

    return Component(name="moods", config=Config, build=build, summary="sentences that feel")


def run(lab: Lab, folder: Path) -> None:
    options = RunOptions(out=folder / "run", device="cpu", threads=1)
    lab.run(write_toy(folder), ["data.reader=moods"], options)


def test_hook_register_field_kinds(tmp_path: Path) -> None:
    """Readers of other plugins are told of the kind, and may deliver fields of it; so are the heads."""
    lab, seen = Lab(entry_points=False), list[ReaderContext]()
    lab.plugins.add(kinds(Mood()), "mine")
    lab.plugins.add(plugin(seqlab_register_readers=lambda: [reader("mood", seen)]), "other")
    with pytest.raises(RecipeError, match=r"the reader delivers none, only: .*, feeling \(mood\)$"):
        run(lab, tmp_path)
    (context,) = seen
    assert (context.kinds["mood"].name, context.kinds["mood"].summary) == ("mood", "how it feels")


def test_a_reader_with_an_unknown_kind_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    lab = Lab(entry_points=False)
    lab.plugins.add(kinds(Mood()), "mine")
    lab.plugins.add(plugin(seqlab_register_readers=lambda: [reader("moood", [])]), "other")
    with pytest.raises(PluginError) as caught:
        run(lab, tmp_path)
    assert str(caught.value).startswith(
        "plugin 'other': reader 'moods' delivers {'feeling': 'moood'}: unknown kind of field; "
        "did you mean 'mood'?; one of: audio, "
    )


def test_every_kind_has_an_owner() -> None:
    lab = Lab(entry_points=False)
    lab.plugins.add(kinds(Mood("b"), Mood("a")), "mine")
    registry = lab.registry
    assert {"a", "b", "tokens"} <= set(registry.field_kinds())
    assert list(registry.field_kinds()) == sorted(registry.field_kinds())
    assert (registry.field_kind_owner("a"), registry.field_kind_owner("tokens")) == ("mine", "seqlab")
    assert lab.plugins.infos[-1].field_kinds == ("b", "a")


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (None, "returned None (NoneType) where a list of field kinds is expected"),
        (["mood"], f"returned 'mood' (str) where {INSTANCE} is expected"),
        ([Mood], f"returned the class Mood where {INSTANCE} is expected"),
        ([FieldKind()], f"field kind name None {NOT_ALLOWED}"),
        ([Mood("Mood")], f"field kind name 'Mood' {NOT_ALLOWED}"),
        ([Mood("a\n")], f"field kind name 'a\\n' {NOT_ALLOWED}"),
        ([NoSummary()], "field kind 'mood' has no summary, a string"),
        ([Mood("a"), Mood("a")], "field kind 'a' is already registered by plugin 'mine'"),
    ],
)
def test_what_is_no_kind_is_blamed_on_its_plugin(offered: Any, message: str) -> None:
    plugins = Plugins()
    with pytest.raises(PluginError) as caught:
        plugins.add(plugin(seqlab_register_field_kinds=lambda: offered), "mine")
    assert str(caught.value) == HOOK + message
    assert (plugins.infos, plugins.registry.field_kinds()) == ((), {})


def test_a_kind_that_raises_when_it_is_added_is_blamed_on_its_plugin() -> None:
    class Nameless(Mood):
        @property
        def summary(self) -> str:  # type: ignore[override]
            raise KeyError("summary")

    plugins = Plugins()
    with pytest.raises(PluginError) as caught:
        plugins.add(kinds(Nameless()), "mine")
    assert str(caught.value).startswith(HOOK + "adding its field kinds raised KeyError: 'summary' (")
    assert (plugins.infos, plugins.registry.field_kinds()) == ((), {})


def test_a_name_that_is_taken_names_both_and_takes_the_plugin_back() -> None:
    lab = Lab(entry_points=False)
    before = lab.registry.field_kinds()
    with pytest.raises(PluginError) as caught:
        lab.plugins.add(kinds(Mood(), Mood("tokens")), "mine")
    assert str(caught.value) == HOOK + "field kind 'tokens' is already registered by plugin 'seqlab'"
    assert lab.registry.field_kinds() == before
    lab.plugins.add(kinds(Mood()), "mine")


def test_kinds_of_a_plugin_that_fails_later_are_taken_back() -> None:
    plugins = Plugins()
    failing = kinds(Mood())
    failing.seqlab_register_writers = hookimpl(lambda: ["no writer"])
    with pytest.raises(PluginError, match="seqlab_register_writers"):
        plugins.add(failing, "mine")
    assert plugins.registry.field_kinds() == {}


def test_an_installed_plugin_with_a_faulty_kind_is_left_out(site: Path) -> None:
    for name, kind in (("first", "mood"), ("second", "mood"), ("third", "feeling")):
        install(site, Distribution(name=name, module=f"fake_{name}", source=SOURCE.format(name=kind)))
    plugins = Plugins()
    plugins.load_entry_points()
    assert [info.name for info in plugins.infos] == ["first", "third"]
    assert [error.plugin for error in plugins.failures] == ["second"]
    assert set(plugins.registry.field_kinds()) == {"mood", "feeling"}


def test_commands_list_the_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_module(tmp_path / "moods.py", SOURCE.format(name="mood"))

    def printed(*args: str) -> str:
        assert main([*args, "--plugin", str(file)]) == 0
        return capsys.readouterr().out

    listed = printed("components", "field_kind").splitlines()
    assert listed[0] == "field_kinds"
    (line,) = (line for line in listed if line.split()[0] == "mood")
    assert line.endswith("  how it feels (moods)")
    about = json.loads(printed("components", "field_kind", "mood", "--json"))
    assert (about["plugin"], about["summary"]) == ("moods", "how it feels")
    assert about["source"] == f"{file}:4"
    assert printed("plugins").endswith(f"moods (file {file})\n  field kinds: mood\n")
    assert main(["components", "field_kind", "mod", "--plugin", str(file)]) == 2
    assert "unknown field_kind 'mod'; did you mean 'mood'?; one of: audio, " in capsys.readouterr().err
