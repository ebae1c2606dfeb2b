"""What is wrong with the hooks of a plugin, found before any of them is called."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import pluggy

from seqlab.plugin.kinds import Located
from seqlab.suggest import did_you_mean, one_of

__all__ = ["Fault", "faults", "hook_parameters", "result_fault"]

ORDER_OPTIONS = ("wrapper", "hookwrapper", "tryfirst", "trylast")
"""Options of pluggy's marker that the host does not honour: it walks the implementations itself."""


@dataclass(frozen=True)
class Fault:
    """A breach of the contract: the hook concerned (may be empty) and the reason."""

    hook: str
    reason: str


def hook_parameters(manager: pluggy.PluginManager) -> dict[str, tuple[str, ...]]:
    """Return every hook that the manager has a specification of, with its parameters."""
    callers = {name: caller for name, caller in vars(manager.hook).items() if not name.startswith("_")}
    return {name: tuple(caller.spec.argnames) for name, caller in callers.items() if caller.has_spec()}


def faults(manager: pluggy.PluginManager, plugin: object) -> Iterator[Fault]:
    """Yield what is wrong with the hooks of a plugin, nothing of which is called."""
    if inspect.isclass(plugin):
        yield Fault("", f"{plugin.__name__} is a class; register an instance: {plugin.__name__}()")
        return
    hooks = hook_parameters(manager)
    marked = False
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is None:
            yield from _unmarked(plugin, name, hooks)
        else:
            marked = True
            hook = options.get("specname") or name
            yield from _marked(hook, getattr(plugin, name), dict(options), hooks)
    if not marked:
        yield Fault("", f"it has no hook; mark a function with @hookimpl and name it {one_of(hooks)}")


def result_fault(hook: str, result: object) -> str:
    """Return what is wrong with the result of a hook whose results the host reads, empty where nothing is."""
    wanted = ""
    if hook == "seqlab_locate" and not (result is None or _is_located(result)):
        wanted = "Located with a path, or None,"
    if hook == "seqlab_recipe_checked" and not (result is None or _are_findings(result)):
        wanted = "list of (dotted path, message) pairs"
    return f"returned {result!r} ({type(result).__name__}) where a {wanted} is expected" if wanted else ""


def _is_located(result: object) -> bool:
    return isinstance(result, Located) and isinstance(result.path, str | PathLike)


def _are_findings(result: object) -> bool:
    return isinstance(result, Collection) and all(_is_pair_of_strings(finding) for finding in result)


def _is_pair_of_strings(finding: object) -> bool:
    return (
        isinstance(finding, tuple | list)
        and len(finding) == 2
        and all(isinstance(part, str) for part in finding)
    )


def _unmarked(plugin: object, name: str, hooks: Mapping[str, Any]) -> Iterator[Fault]:
    known = name in hooks
    # Read without running properties; a class or static method is a hook-to-be all the same.
    value = (
        inspect.getattr_static(plugin, name, None) if known or name.startswith("seqlab_register_") else None
    )
    if not (callable(value) or isinstance(value, staticmethod | classmethod)):
        return
    if known:
        yield Fault(name, "it is not marked as a hook; add @hookimpl above the function")
    else:
        yield _unknown(name, hooks)


def _marked(
    hook: str, function: Any, options: Mapping[str, Any], hooks: Mapping[str, tuple[str, ...]]
) -> Iterator[Fault]:
    if hook not in hooks:
        if not options.get("optionalhook"):
            yield _unknown(hook, hooks)
        return
    for option in ORDER_OPTIONS:
        if options.get(option):
            yield Fault(
                hook, f"@hookimpl({option}=True) is not supported; hooks run in the order of registration"
            )
    for parameter in inspect.signature(function).parameters.values():
        reason = _parameter_fault(parameter, hooks[hook])
        if reason:
            yield Fault(hook, reason)


def _unknown(name: str, hooks: Mapping[str, Any]) -> Fault:
    return Fault("", f"unknown hook {name!r}{did_you_mean(name, hooks) or f' ({one_of(hooks)})'}")


def _parameter_fault(parameter: inspect.Parameter, allowed: tuple[str, ...]) -> str:
    if parameter.name not in allowed:
        choice = f"allowed: {', '.join(allowed)}" if allowed else "this hook has no parameters"
        # str() keeps the stars of *args and **kwargs, which are as unknown as any other
        shown = str(parameter).split(":")[0].split("=")[0]
        return f"unknown parameter {shown!r}{did_you_mean(parameter.name, allowed)} ({choice})"
    if parameter.default is not parameter.empty:
        return (
            f"parameter {parameter.name!r} has a default value and would never be filled; remove the default"
        )
    if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
        return f"parameter {parameter.name!r} must be a plain one, without '*' or '/' in the signature"
    return ""
