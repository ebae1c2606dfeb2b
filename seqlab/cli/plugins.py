"""`seqlab plugins`: which plugins are loaded, what each brings, which failed and which are disabled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from seqlab.cli.options import pass_quiet_lab, plugin_option
from seqlab.cli.output import headed, say
from seqlab.plugin import KINDS, PluginInfo, Plugins

if TYPE_CHECKING:
    from seqlab.lab import Lab

__all__ = ["plugins"]


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
@pass_quiet_lab
def plugins(lab: Lab, *, as_json: bool) -> None:
    """List plugins: versions, what each registers, which failed and which are disabled."""
    lines = [json.dumps(as_data(lab.plugins), indent=2)] if as_json else as_lines(lab.plugins)
    for line in lines:
        say(line)


def as_data(plugins: Plugins) -> dict[str, Any]:
    """Return everything that the command shows as plain JSON data."""
    return {
        "plugins": [
            asdict(info) | {"components": [{"kind": kind, "name": name} for kind, name in info.components]}
            for info in plugins.infos
        ],
        "failures": [
            {
                "plugin": error.plugin,
                "distribution": error.distribution,
                "version": error.version,
                "hook": error.hook,
                "message": str(error),
            }
            for error in plugins.failures
        ],
        "disabled": list(plugins.disabled),
    }


def as_lines(plugins: Plugins) -> Iterator[str]:
    """Yield the lines of the listing for people."""
    for info in plugins.infos:
        yield from plugin_lines(info)
    for error in plugins.failures:
        yield f"failed: {error}"
    for name in plugins.disabled:
        yield f"disabled: {name}"


def plugin_lines(info: PluginInfo) -> Iterator[str]:
    """Yield a heading, then one line per kind of component, then the other hooks."""
    shipped = " ".join(part for part in (info.distribution, info.version) if part)
    yield headed(info.name, f" ({', '.join(part for part in (shipped, info.origin) if part)})")
    for kind in KINDS:
        names = sorted(name for of, name in info.components if of == kind)
        if names:
            yield f"  {kind}s: {', '.join(names)}"
    if info.datasets:
        yield f"  data sets: {', '.join(sorted(info.datasets))}"
    for what, offered in (("field kinds", info.field_kinds), ("writers", info.writers)):
        if offered:
            yield f"  {what}: {', '.join(sorted(offered))}"
    told = {f"seqlab_register_{kind}s" for kind in (*KINDS, "dataset", "field_kind", "writer")}
    others = [hook for hook in info.hooks if hook not in told]
    if others:
        yield f"  hooks: {', '.join(others)}"
