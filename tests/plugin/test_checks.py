from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

from seqlab.lab import BUILT_IN
from seqlab.plugin import hookimpl, hookspecs
from seqlab.plugin.checks import Fault, faults, hook_parameters


def faults_of(**functions: Callable[..., Any]) -> list[Fault]:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return list(faults(manager, SimpleNamespace(**functions)))


def register() -> tuple[()]:
    return ()


def test_every_hook_of_the_seam_is_known_with_its_parameters() -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = hook_parameters(manager)
    assert set(known) == {name for name in vars(hookspecs) if name.startswith("seqlab_")}
    assert known["seqlab_locate"] == ("uri", "base")


@pytest.mark.parametrize("module", BUILT_IN)
def test_the_hooks_of_built_in_modules_which_are_not_checked_when_loaded_are_sound(module: str) -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    assert list(faults(manager, importlib.import_module(module))) == []


def test_marked_functions_with_a_part_of_the_parameters_pass() -> None:
    assert (
        faults_of(seqlab_locate=hookimpl(lambda uri: None), seqlab_register_heads=hookimpl(lambda: ())) == []
    )


def test_a_misspelt_hook_is_named_with_the_right_one() -> None:
    reason = "unknown hook 'seqlab_register_encoder'; did you mean 'seqlab_register_encoders'?"
    assert faults_of(seqlab_register_encoder=hookimpl(lambda: ())) == [Fault("", reason)]


def test_a_misspelt_hook_that_is_not_marked_either_is_found() -> None:
    reason = "unknown hook 'seqlab_register_encoder'; did you mean 'seqlab_register_encoders'?"
    assert faults_of(seqlab_register_encoder=register)[0] == Fault("", reason)


def test_a_hook_without_the_mark_is_told_to_add_it() -> None:
    reason = "it is not marked as a hook; add @hookimpl above the function"
    assert faults_of(seqlab_register_encoders=register)[0] == Fault("seqlab_register_encoders", reason)


def test_helpers_and_plain_values_of_any_name_are_left_alone() -> None:
    assert (
        faults_of(seqlab_register_heads=hookimpl(lambda: ()), seqlab_helper=register, seqlab_register_x=3)
        == []
    )


def test_a_plugin_without_hooks_is_told_the_hooks() -> None:
    (fault,) = faults_of(helper=register)
    assert fault.reason.startswith(
        "it has no hook; mark a function with @hookimpl and name it one of: seqlab_locate, "
    )


def test_a_class_is_to_be_instantiated() -> None:
    class Mine:
        @hookimpl
        def seqlab_register_heads(self) -> tuple[()]:
            return ()

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    assert list(faults(manager, Mine)) == [Fault("", "Mine is a class; register an instance: Mine()")]
    assert list(faults(manager, Mine())) == []


def keyword_only(*, uri: str) -> None: ...


def any_keywords(**facts: Any) -> None: ...


def misspelt(url: str) -> None: ...


def defaulted(uri: str, base: str = ".") -> None: ...


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (misspelt, "unknown parameter 'url'; did you mean 'uri'? (allowed: uri, base)"),
        (any_keywords, "unknown parameter '**facts' (allowed: uri, base)"),
        (defaulted, "parameter 'base' has a default value and would never be filled; remove the default"),
        (keyword_only, "parameter 'uri' must be a plain one, without '*' or '/' in the signature"),
    ],
)
def test_parameters_that_would_not_be_filled(function: Callable[..., Any], reason: str) -> None:
    assert faults_of(seqlab_locate=hookimpl(function)) == [Fault("seqlab_locate", reason)]


def test_a_parameter_of_a_hook_that_has_none() -> None:
    (fault,) = faults_of(seqlab_register_heads=hookimpl(misspelt))
    assert fault.reason == "unknown parameter 'url' (this hook has no parameters)"


def test_orders_that_the_host_does_not_keep_are_refused() -> None:
    (fault,) = faults_of(seqlab_register_heads=hookimpl(tryfirst=True)(lambda: ()))
    assert fault.reason == "@hookimpl(tryfirst=True) is not supported; hooks run in the order of registration"


def test_a_hook_of_a_newer_seqlab_may_be_marked_optional() -> None:
    marked = hookimpl(optionalhook=True)(lambda: ())
    assert faults_of(seqlab_register_tomorrow=marked) == []
