"""The plugin layer: components, hooks, the registry of components and the manager of plugins.

pluggy is imported here and nowhere else; importing this package loads neither torch nor numpy.
"""

from __future__ import annotations

from seqlab.plugin.calling import Part, blaming, concerning, lacks_memory, memory_asked, raised
from seqlab.plugin.component import KINDS, Component
from seqlab.plugin.declarations import Declaration, FieldUse, chosen_field
from seqlab.plugin.guards import at_example
from seqlab.plugin.hookspecs import hookimpl
from seqlab.plugin.manager import PluginInfo, Plugins, disabled_from
from seqlab.plugin.registry import Registry

__all__ = [
    "KINDS",
    "Component",
    "Declaration",
    "FieldUse",
    "Part",
    "PluginInfo",
    "Plugins",
    "Registry",
    "at_example",
    "blaming",
    "chosen_field",
    "concerning",
    "disabled_from",
    "hookimpl",
    "lacks_memory",
    "memory_asked",
    "raised",
]
