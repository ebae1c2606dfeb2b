from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_distributions import ENCODER_PLUGIN, Distribution, install, write_module

from seqlab.errors import DataError, Place, PluginError
from seqlab.plugin import KINDS, Component, PluginInfo, Plugins, hookimpl, hookspecs
from seqlab.plugin.kinds import Located
from seqlab.settings import Config


class Settings(Config):
    """No keys."""


def component(name: str) -> Component[Settings]:
    return Component(name=name, config=Settings, build=lambda config, context: None, summary="a part")


def plugin(**hooks: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


def encoders(*names: str) -> SimpleNamespace:
    return plugin(seqlab_register_encoders=lambda: [component(name) for name in names])


def loaded(**options: Any) -> Plugins:
    plugins = Plugins(**options)
    plugins.load_entry_points()
    return plugins


def names_of(plugins: Plugins) -> list[str]:
    return [info.name for info in plugins.infos]


# --- objects -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_hook_register_components(kind: str) -> None:
    plugins = Plugins()
    plugins.add(plugin(**{f"seqlab_register_{kind}s": lambda: iter([component("mine")])}), "p")
    assert plugins.registry.names(kind) == ("mine",)
    assert plugins.infos == (
        PluginInfo("p", components=((kind, "mine"),), hooks=(f"seqlab_register_{kind}s",)),
    )


def test_every_kind_has_its_hook() -> None:
    assert {f"seqlab_register_{kind}s" for kind in KINDS} <= set(vars(hookspecs))


def test_a_generator_registers_too() -> None:
    def register() -> Iterator[Component[Settings]]:
        yield component("a")
        yield component("b")

    plugins = Plugins()
    plugins.add(plugin(seqlab_register_heads=register))
    assert plugins.registry.names("head") == ("a", "b")


def test_two_managers_in_one_process_never_meet() -> None:
    mine, yours = Plugins(), Plugins()
    shared = encoders("shared")
    mine.add(encoders("a"), "p")
    yours.add(encoders("b"), "p")
    mine.add(shared, "shared")
    yours.add(shared, "shared")
    assert mine.registry.names("encoder") == ("a", "shared")
    assert yours.registry.names("encoder") == ("b", "shared")


def test_a_duplicate_component_names_both_owners_and_is_rolled_back_whole() -> None:
    plugins = Plugins()
    plugins.add(encoders("lstm"), "first")
    second = plugin(
        seqlab_register_readers=lambda: [component("other_reader")],
        seqlab_register_encoders=lambda: [component("gru"), component("lstm")],
        seqlab_recipe_checked=lambda: ["never asked"],
    )
    with pytest.raises(PluginError) as caught:
        plugins.add(second, "second")
    assert str(caught.value) == (
        "plugin 'second': seqlab_register_encoders: encoder 'lstm' is already registered by plugin 'first'"
    )
    assert names_of(plugins) == ["first"]
    assert plugins.registry.names("encoder") == ("lstm",)
    assert plugins.registry.names("reader") == ()
    assert plugins.registry.owner("encoder", "lstm") == "first"
    assert plugins.call("seqlab_recipe_checked", recipe={}) == []
    plugins.add(encoders("gru"), "second")


def test_a_hook_that_raises_is_named_with_its_line_and_cause() -> None:
    def broken() -> list[Any]:
        raise DataError("no such table")

    with pytest.raises(PluginError) as caught:
        Plugins().add(plugin(seqlab_register_heads=broken), "p")
    line = broken.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        f"plugin 'p': seqlab_register_heads: the hook raised DataError: no such table ({__file__}:{line})"
    )
    assert caught.value.hook == "seqlab_register_heads"
    assert isinstance(caught.value.__cause__, DataError)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "returned None (NoneType) where a list of components is expected"),
        (["lstm"], "returned 'lstm' (str) where a Component is expected"),
    ],
)
def test_what_is_no_list_of_components_is_refused(result: Any, reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        Plugins().add(plugin(seqlab_register_heads=lambda: result), "p")
    assert str(caught.value) == f"plugin 'p': seqlab_register_heads: {reason}"


def test_a_faulty_hook_is_refused_before_anything_is_called() -> None:
    called = []
    faulty = plugin(
        seqlab_register_encoders=lambda: called.append(1) or [], seqlab_register_encoder=lambda: []
    )
    with pytest.raises(PluginError) as caught:
        Plugins().add(faulty, "p")
    assert str(caught.value) == (
        "plugin 'p': unknown hook 'seqlab_register_encoder'; did you mean 'seqlab_register_encoders'?"
    )
    assert called == []


def test_one_name_or_one_object_cannot_be_registered_twice() -> None:
    plugins = Plugins()
    first = encoders("a")
    plugins.add(first, "p")
    with pytest.raises(
        PluginError, match=r"^plugin 'p': another plugin of this name is already registered \(object\)$"
    ):
        plugins.add(encoders("b"), "p")
    with pytest.raises(PluginError, match=r"^plugin 'q': it is already registered as 'p'$"):
        plugins.add(first, "q")


def test_an_object_is_named_after_its_class() -> None:
    class Mine:
        @hookimpl
        def seqlab_register_heads(self) -> list[Any]:
            return []

    plugins = Plugins()
    plugins.add(Mine())
    assert names_of(plugins) == ["Mine"]


# --- built-ins -----------------------------------------------------------------------------------------


def test_built_in_modules_are_one_plugin_asked_last_and_called_first(site: Path) -> None:
    for name in ("fake_one", "fake_two"):
        write_module(site / f"{name}.py", ENCODER_PLUGIN.format(name=name))
    write_module(
        site / "fake_three.py",
        """
        from seqlab.api import Located, hookimpl

        @hookimpl
        def seqlab_locate(base):
            return Located(base / "built-in")

        @hookimpl
        def seqlab_recipe_checked():
            return [("name", "built-in")]
        """,
    )
    plugins = Plugins()
    plugins.add(plugin(seqlab_recipe_checked=lambda: [("name", "early")]), "early")
    plugins.load_builtin(["fake_one", "fake_two", "fake_three"])
    plugins.add(plugin(seqlab_recipe_checked=lambda: [("name", "late")]), "late")
    built_in = plugins.infos[1]
    assert (built_in.name, built_in.origin) == ("seqlab", "built-in")
    assert built_in.components == (("encoder", "fake_one"), ("encoder", "fake_two"))
    assert built_in.hooks == ("seqlab_locate", "seqlab_recipe_checked", "seqlab_register_encoders")
    assert plugins.call("seqlab_recipe_checked", recipe={}) == [
        ("seqlab", [("name", "built-in")]),
        ("early", [("name", "early")]),
        ("late", [("name", "late")]),
    ]
    assert plugins.first("seqlab_locate", uri="x:y", base=Path("/b")) == Located(Path("/b/built-in"))
    with pytest.raises(PluginError, match=r"encoder 'fake_one' is already registered by plugin 'seqlab'$"):
        plugins.add(encoders("fake_one"), "third")
    plugins.add(plugin(seqlab_locate=lambda uri: Located(Path(uri))), "overriding")
    assert plugins.first("seqlab_locate", uri="x:y", base=Path("/b")) == Located(Path("x:y"))


# --- calling -------------------------------------------------------------------------------------------


def test_hook_recipe_checked() -> None:
    plugins = Plugins()
    plugins.add(plugin(seqlab_recipe_checked=lambda recipe: [("encoder", f"has {recipe['a']}")]), "one")
    plugins.add(plugin(seqlab_recipe_checked=lambda: []), "other")
    assert plugins.call("seqlab_recipe_checked", recipe={"a": 1}) == [
        ("one", [("encoder", "has 1")]),
        ("other", []),
    ]


def test_hook_locate() -> None:
    asked = []

    def locator(name: str, scheme: str) -> Callable[..., Located | None]:
        def locate(uri: str, base: Path) -> Located | None:
            asked.append(name)
            return Located(base / name) if uri.startswith(scheme) else None

        return locate

    plugins = Plugins()
    plugins.add(plugin(seqlab_locate=locator("early", "s3:")), "early")
    plugins.add(plugin(seqlab_locate=locator("late", "gs:")), "late")
    assert plugins.first("seqlab_locate", uri="s3:x", base=Path("b")) == Located(Path("b/early"))
    assert plugins.first("seqlab_locate", uri="gs:x", base=Path("b")) == Located(Path("b/late"))
    assert plugins.first("seqlab_locate", uri="x", base=Path("b")) is None
    assert asked == ["late", "early", "late", "late", "early"]


def test_hook_register_commands_leaves_out_what_fails_or_is_refused(site: Path) -> None:
    source = """
        from seqlab.api import Component, Config, hookimpl

        class Settings(Config):
            pass

        @hookimpl
        def seqlab_register_encoders():
            return [Component(name={name!r}, config=Settings, build=print, summary="")]

        @hookimpl
        def seqlab_register_commands():
            {body}
    """
    for name, body in {"a": "return ['run']", "b": "yield 1 / 0", "c": "return ['fine']"}.items():
        module = Distribution(name=name, module=f"fake_{name}", source=source.format(name=name, body=body))
        install(site, module)
    kept = {}

    def accept(name: str, commands: list[str]) -> None:
        if "run" in commands:
            raise ValueError("command 'run' is taken")
        kept[name] = commands

    plugins = loaded()
    plugins.gather("seqlab_register_commands", accept)
    assert kept == {"c": ["fine"]}
    assert [str(failure).partition(" (/")[0] for failure in plugins.failures] == [
        "plugin 'a' (a 1.0): seqlab_register_commands: command 'run' is taken",
        "plugin 'b' (b 1.0): seqlab_register_commands: the hook raised ZeroDivisionError: division by zero",
    ]
    assert names_of(plugins) == ["c"]
    assert plugins.registry.names("encoder") == ("c",)


def test_gather_raises_for_a_plugin_that_was_asked_for_by_name() -> None:
    plugins = Plugins()
    plugins.add(plugin(seqlab_register_commands=lambda: 1 / 0), "p")
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        plugins.gather("seqlab_register_commands", lambda name, commands: None)
    assert plugins.infos == ()


def test_an_exception_in_a_hook_names_the_plugin_and_the_line() -> None:
    def broken(run: Any) -> None:
        raise KeyError("name")

    plugins = Plugins()
    plugins.add(plugin(seqlab_run_started=broken), "p")
    with pytest.raises(PluginError) as caught:
        plugins.call("seqlab_run_started", run=None)
    line = broken.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        f"plugin 'p': seqlab_run_started: the hook raised KeyError: 'name' ({__file__}:{line})"
    )
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_of_seqlab_passes_through_unchanged() -> None:
    error = DataError("empty file", place=Place("a.conllu", 3))

    def refuse() -> None:
        raise error

    plugins = Plugins()
    plugins.add(plugin(seqlab_run_started=refuse), "p")
    with pytest.raises(DataError) as caught:
        plugins.call("seqlab_run_started", run=None)
    assert caught.value is error


def test_a_lazy_result_fails_in_its_own_call() -> None:
    def broken() -> Iterator[tuple[str, str]]:
        yield "encoder", "first"
        raise KeyError("second")

    plugins = Plugins()
    plugins.add(plugin(seqlab_recipe_checked=broken), "p")
    with pytest.raises(PluginError, match="KeyError"):
        plugins.call("seqlab_recipe_checked", recipe={})


def test_a_call_with_other_facts_than_the_hooks_is_a_mistake_of_the_host() -> None:
    with pytest.raises(TypeError, match="seqlab_locate takes"):
        Plugins().call("seqlab_locate", uri="x")


# --- results -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "result", "shown"),
    [
        ("seqlab_locate", "/a/path", "returned '/a/path' (str) where a Located with a path, or None, is"),
        ("seqlab_locate", Located(None), "where a Located with a path, or None, is expected"),  # type: ignore[arg-type]
        ("seqlab_recipe_checked", "encoder", "returned 'encoder' (str) where a list of (dotted path,"),
        ("seqlab_recipe_checked", ["encoder"], "where a list of (dotted path, message) pairs is expected"),
        ("seqlab_recipe_checked", [("encoder", 3)], "where a list of (dotted path, message) pairs is"),
        ("seqlab_recipe_checked", [("encoder", "bad", 1)], "where a list of (dotted path, message) pairs is"),
        ("seqlab_recipe_checked", 3, "returned 3 (int) where a list of (dotted path, message) pairs is"),
    ],
)
def test_a_hook_that_returns_something_else_is_named_with_its_plugin(
    hook: str, result: object, shown: str
) -> None:
    plugins = Plugins()
    plugins.add(plugin(**{hook: lambda: result}), "odd")
    facts = {"seqlab_locate": {"uri": "x:y", "base": Path()}, "seqlab_recipe_checked": {"recipe": {}}}
    with pytest.raises(PluginError) as caught:
        plugins.first(hook, **facts[hook])
    assert str(caught.value).startswith(f"plugin 'odd': {hook}: returned ")
    assert shown in str(caught.value)


@pytest.mark.parametrize("result", [None, [], (("encoder", "bad"),), [["encoder", "bad"]]])
def test_findings_are_pairs_of_strings(result: object) -> None:
    plugins = Plugins()
    plugins.add(plugin(seqlab_recipe_checked=lambda: result), "even")
    assert plugins.call("seqlab_recipe_checked", recipe={}) == [("even", result)]
