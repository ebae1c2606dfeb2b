"""Observers as a run hears them: a fault in one of a plugin names the plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from seqlab.api import Observer, PluginError, SeqlabError
from seqlab.plugin import raised

__all__ = ["blaming"]


def blaming(observer: Observer, name: str, owner: str) -> Observer:
    """Return the observer with every exception of its methods but SeqlabErrors turned into a PluginError."""
    return cast("Observer", _Blaming(observer, name, owner))


class _Blaming:
    def __init__(self, observer: Observer, name: str, owner: str) -> None:
        self._observer = observer
        self._name = name
        self._owner = owner

    def __getattr__(self, event: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._observer, event)

        def told(*facts: Any) -> Any:
            try:
                return method(*facts)
            except SeqlabError:
                raise
            except Exception as error:
                message = f"observer {self._name!r}: {event} raised {raised(error)}"
                raise PluginError(message, plugin=self._owner) from error

        return told
