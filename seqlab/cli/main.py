"""The `seqlab` command: finds the command asked for, imports it alone, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NamedTuple, TextIO

import click

from seqlab.cli.options import Session, plugin_option, strict_plugins_option, tell
from seqlab.cli.output import Output
from seqlab.errors import RecipeError, SeqlabError
from seqlab.suggest import did_you_mean

__all__ = ["COMMANDS", "main", "seqlab"]

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


class Listed(NamedTuple):
    """Where a command lives (`module:attribute`) and what `--help` says of it without importing it."""

    target: str
    help: str


COMMANDS = {
    "recipes": Listed("seqlab.cli.recipes:recipes", "List, show and copy the recipes that come with seqlab."),
    "run": Listed("seqlab.cli.run:run", "Train the model of a recipe, evaluate and save it."),
    "check": Listed("seqlab.cli.check:check", "Report every problem of a recipe, without reading data."),
    "evaluate": Listed("seqlab.cli.evaluate:evaluate", "Measure a saved model on data with gold answers."),
    "predict": Listed("seqlab.cli.predict:predict", "Answer data, text and files with a saved model."),
    "data": Listed("seqlab.cli.data:data", "List and fetch data sets (the cache of features: seqlab cache)."),
    "plugins": Listed("seqlab.cli.plugins:plugins", "List plugins, what each registers and which failed."),
    "components": Listed("seqlab.cli.components:components", "List components, or document one of them."),
    "schema": Listed("seqlab.cli.schema:schema", "Print the JSON Schema of recipes, for editors."),
    "doctor": Listed("seqlab.cli.doctor:doctor", "Check the installation and say how to mend it."),
}


@contextmanager
def ending_quietly() -> Iterator[None]:
    """End with exit code 0 where the reader of the output has had enough; click's own code would be 1."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(0) from None


class LazyGroup(click.Group):
    """A group whose own commands are imported when they are used; commands of plugins join it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return seqlab's commands in the order of a user's work, then those of plugins."""
        return [*COMMANDS, *sorted(self._from_plugins(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; plugins are loaded only for a name that is not seqlab's own."""
        if cmd_name not in COMMANDS:
            return self._from_plugins(ctx, wanted=True).get(cmd_name)
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line, and print help or version where it asks for these."""
        with ending_quietly():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with ending_quietly():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command asked for; an unknown one is a usage error with the nearest name."""
        # Shell completion asks with resilient_parsing and wants no error.
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            hint = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; click's own version would import every one of them."""
        rows = [(name, entry.help) for name, entry in COMMANDS.items()]
        rows += [(name, command.get_short_help_str()) for name, command in self._from_plugins(ctx).items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _from_plugins(self, ctx: click.Context, *, wanted: bool = False) -> dict[str, click.Command]:
        return ctx.find_root().ensure_object(Session).plugin_commands(wanted=wanted)


def print_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Print the installed version and stop, before any plugin is loaded."""
    if wanted:
        from seqlab.distributions import installed_version

        click.echo(f"seqlab {installed_version('seqlab') or '(not installed, run from its sources)'}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@plugin_option
@strict_plugins_option
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print the version.",
)
def seqlab() -> None:
    """Train and use sequence models from recipes; every part comes from a plugin."""


class Telling(logging.Handler):
    """Prints what is logged to standard error, equal lines once: what is built anew says the same anew."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record that says something new."""
        line = self.format(record)
        if line not in self.told:
            self.told.add(line)
            tell(line)


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Print what seqlab logs while a command runs as `warning: ...`."""
    handler = Telling()
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    logger = logging.getLogger("seqlab")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def drop_unwritten(stream: TextIO | None) -> None:
    """Drop what a stream holds and cannot write: it would raise again at the interpreter's end."""
    if stream is None:  # it was closed from the start
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    A command sets the code by returning an integer or by `ctx.exit`. Errors of seqlab are printed without a
    traceback; programming mistakes keep theirs. A reader of the output that has had enough is no error.
    """
    try:
        return run_command(args)
    except SeqlabError as error:
        tell(str(error) if isinstance(error, RecipeError) else f"error: {error}")
        return error.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        tell(shown.getvalue().rstrip("\n"))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    finally:
        drop_unwritten(sys.stdout)
        drop_unwritten(sys.stderr)


def run_command(args: Sequence[str] | None) -> int:
    """Run the command line; what it prints has arrived when it returns."""
    session = Session(reserved=frozenset(COMMANDS))
    output: Any = sys.stdout and Output(sys.stdout, "standard output")
    with logging_to_stderr(), redirect_stdout(output):
        result: Any = seqlab.main(args, prog_name="seqlab", standalone_mode=False, obj=session)
        if output:
            output.flush()
    return result if isinstance(result, int) else 0
