"""What the commands share: the session that makes the Lab on first need, and the options that feed it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from seqlab.cli.garbage import uncollected
from seqlab.distributions import declaring
from seqlab.errors import PluginError
from seqlab.printable import printable

if TYPE_CHECKING:
    from seqlab.lab import Lab

__all__ = [
    "Session",
    "device_option",
    "pass_lab",
    "pass_quiet_lab",
    "plugin_option",
    "precision_option",
    "strict_plugins_option",
    "tell",
    "threads_option",
]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Session:
    """One call of the command line (`ctx.obj`): which plugins it asks for, and the Lab made of them.

    `reserved` are the names of seqlab's own commands, which no plugin may take.
    """

    plugin_files: list[Path] = field(default_factory=list)
    strict: bool = False
    reserved: Collection[str] = ()
    commands: dict[str, click.Command] = field(default_factory=dict)
    """Commands that plugins brought, filled when the Lab is made."""
    made: Lab | None = None
    reported: int = 0
    """How many plugin failures are already on stderr."""

    def lab(self) -> Lab:
        """Return the Lab, made on the first call; plugins that failed are reported on stderr, each once."""
        lab = self.quiet_lab()
        for error in lab.plugins.failures[self.reported :]:
            tell(left_out(error))
        self.reported = len(lab.plugins.failures)
        return lab

    def plugin_commands(self, *, wanted: bool = False) -> dict[str, click.Command]:
        """Return the commands of plugins, those of the built-in domains included.

        Where no other plugin is there, no Lab is made to list them, only where one of them is `wanted`.
        """
        if wanted or self.made or self.plugin_files or next(declaring("seqlab"), None):
            self.lab()
        return self.commands

    def quiet_lab(self) -> Lab:
        """Return the Lab without a word about failures, for a command whose output lists them."""
        if self.made is None:
            with uncollected():
                from seqlab.lab import Lab

                self.made = Lab(plugin_files=self.plugin_files, strict=self.strict)
                self.gather_commands(self.made)
        return self.made

    def add_files(self, files: Collection[Path]) -> None:
        """Ask for plugin files; they join the Lab at once where it is already made."""
        self.plugin_files.extend(files)
        if self.made is not None:
            for file in files:
                self.made.plugins.load_file(file)
            self.commands.clear()
            self.gather_commands(self.made)

    def gather_commands(self, lab: Lab) -> None:
        """Take in the commands of a Lab's plugins."""

        def accept(plugin: str, offered: Any) -> None:
            self.commands.update(checked_commands(offered, {*self.reserved, *self.commands}))

        lab.plugins.gather("seqlab_register_commands", accept)


def checked_commands(offered: Any, taken: Collection[str]) -> dict[str, click.Command]:
    """Return a plugin's commands by name; raises ValueError where one is no command or its name is taken."""
    try:
        commands = list(offered)
    except TypeError:
        raise ValueError(f"returned {type(offered).__name__} where a list of commands is expected") from None
    found: dict[str, click.Command] = {}
    for command in commands:
        if not isinstance(command, click.Command) or not command.name:
            raise ValueError(f"returned {command!r} where a named click command is expected")
        if command.name in taken or command.name in found:
            raise ValueError(f"command {command.name!r} exists already; choose another name")
        found[command.name] = command
    return found


def left_out(error: PluginError) -> str:
    """Return the warning that a plugin is left out."""
    # PluginError starts "plugin 'x' (distribution 1.0): "; the sentence wants its verb before the colon.
    subject, _, reason = str(error).partition(": ")
    return f"warning: {subject} failed and is left out: {reason}"


def tell(message: str) -> None:
    """Print to standard error, without control characters; that nobody can read it is no reason to stop."""
    with suppress(OSError):
        click.echo(printable(message), err=True)


def session_of(context: click.Context) -> Session:
    """Return the session of a call, also where a command runs without the group around it."""
    return context.find_root().ensure_object(Session)


def plugin_option(command: F) -> F:
    """Add `--plugin FILE.py` (repeatable); the files are in the Lab before the command's body runs."""

    def remember(context: click.Context, parameter: click.Parameter, files: tuple[Path, ...]) -> None:
        session_of(context).add_files(files)

    # Eager, so that `--help` after it lists the commands of these plugins too.
    return click.option(
        "--plugin",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE.py",
        is_eager=True,
        expose_value=False,
        callback=remember,
        help="Load a plugin from a file; may be repeated.",
    )(command)


device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes CUDA where there is one.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="Arithmetic of the matrix products; auto takes bf16 where the device computes it in hardware.",
)

threads_option = click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads; torch's own choice by default."
)


def strict_plugins_option(command: F) -> F:
    """Add `--strict-plugins`: an installed plugin that fails is an error, not a warning."""

    def remember(context: click.Context, parameter: click.Parameter, strict: bool) -> None:
        session_of(context).strict = strict

    return click.option(
        "--strict-plugins",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=remember,
        help="Stop at the first installed plugin that fails, instead of leaving it out.",
    )(command)


def pass_lab(function: Callable[Concatenate[Lab, P], R]) -> Callable[P, R]:
    """Give a command's function the Lab as its first argument."""

    @functools.wraps(function)
    def with_lab(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(session_of(click.get_current_context()).lab(), *args, **kwargs)

    return with_lab


def pass_quiet_lab(function: Callable[Concatenate[Lab, P], R]) -> Callable[P, R]:
    """Give a command the Lab as `pass_lab` does, without warnings: its own output lists the failures."""

    @functools.wraps(function)
    def with_lab(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(session_of(click.get_current_context()).quiet_lab(), *args, **kwargs)

    return with_lab
