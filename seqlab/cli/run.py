"""`seqlab run`: from a recipe to a model in a run folder."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from seqlab.cli.garbage import uncollected
from seqlab.cli.options import device_option, pass_lab, plugin_option, session_of, tell, threads_option
from seqlab.cli.output import say
from seqlab.errors import PackageError

if TYPE_CHECKING:
    from seqlab.assembly import Assembly
    from seqlab.lab import Lab

__all__ = ["run"]

CHECKPOINTS = "checkpoints"
"""The observer that saves what a resume needs."""

UNSAVED = f"nothing is saved: the recipe has no observer {CHECKPOINTS!r}"


@click.command
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder; runs/<recipe name> by default.")
@click.option("--resume", is_flag=True, help="Continue the run in the folder from its last checkpoint.")
@device_option
@threads_option
@plugin_option
@pass_lab
def run(
    lab: Lab,
    recipe: Path,
    overrides: tuple[str, ...],
    *,
    out: Path | None,
    resume: bool,
    device: str,
    threads: int | None,
) -> None:
    """Train the model of RECIPE, judge it and save it.

    KEY=VALUE changes the recipe, for example train.epochs=3 or encoder.hidden_size=64.
    """
    checked = lab.check(recipe, overrides)
    with uncollected():
        from seqlab.assembly import Assembly
        from seqlab.engine import Cancelled
        from seqlab.predict.trained import hears
        from seqlab.run import RunOptions
        from seqlab.runfolder import RunFolder, default_folder

    folder = out or default_folder(checked.name)
    saves = CHECKPOINTS in {observer.name for observer in checked.observers}
    if resume and not RunFolder(folder).resumable:
        tell(f"nothing to resume in {folder} yet: starting from the beginning")
    with cancelled_by_interrupt(saves=saves) as cancelled:
        options = RunOptions(out=folder, resume=resume, device=device, threads=threads, cancelled=cancelled)
        try:
            report = lab.run(checked, options=options)
        except Cancelled as error:
            command = resume_command(click.get_current_context())
            raise Cancelled(f"{error}; {f'continue with: {command}' if saves else UNSAVED}") from error
    assembly = Assembly(checked, lab.registry)
    try:
        lines = list(summary(report, folder, sound=hears(assembly)))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A complete run is not run again: its report may be a stranger's.
        raise PackageError(f"{folder / 'report.json'}: not the report of a run: {error!r}") from error
    for line in lines:
        say(line)
    say(f"try it: {trial_command(click.get_current_context(), assembly, folder / 'model')}")


@contextmanager
def cancelled_by_interrupt(*, saves: bool) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, SIGTERM and a closed terminal end the run at the next savepoint, a second one at once.

    A terminal that is closed does not, where SIGHUP is ignored, as it is under nohup.
    """
    asked = threading.Event()
    state = "once the state is saved" if saves else UNSAVED

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        tell(f"stopping after this step, {state} (again: stop at once)")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def resume_command(context: click.Context) -> str:
    """Return the command line that continues the run of this call."""
    given = context.params
    options = {name: given[name] for name in ("out", "device", "threads")}
    asked = [(f"--{name}", str(value)) for name, value in options.items() if value not in (None, "auto")]
    asked += [("--plugin", str(file)) for file in session_of(context).plugin_files]
    flags = [part for pair in asked for part in pair]
    strict = ["--strict-plugins"] if session_of(context).strict else []
    return shlex.join(
        ["seqlab", *strict, "run", str(given["recipe"]), *given["overrides"], *flags, "--resume"]
    )


def summary(report: Mapping[str, Any], folder: Path, *, sound: bool) -> Iterator[str]:
    """Yield what a user wants to see at the end: figures, notices and what to do next.

    `sound`: the model reads sound, not tokens.
    """
    from seqlab.predict.scoring import overall

    for split, metrics in report["metrics"].items():
        figures = "  ".join(f"{name} {metrics[name]:.4f}" for name in overall(metrics))
        yield f"{split}: {figures or 'no figures, as no label counts'}"
    for split, labels in report.get("missing_labels", {}).items():  # older reports lack them
        for target, count in labels.items():
            yield f"{split}: {count} targets {target} are missing, and left out of loss and figures"
    for split, labels in report["unseen_labels"].items():
        for target, count in labels.items():
            what = f"units of {target} are ones" if sound else f"tokens carry a {target} label"
            yield f"{split}: {count} {what} that training never saw"
    for split, count in report.get("also_in_train", {}).items():
        if count:
            yield f"{split}: examples that stand in the training split, too: {count}"
    for split, lacking in report["short_of_states"].items():
        yield f"{split}: {len(lacking)} examples can never be answered in full: {lacking[0]}"
    if report["skipped_steps"]:
        yield f"{report['skipped_steps']} steps were skipped because loss or gradient was not finite"
    yield (
        f"{report['epochs']} epochs in {report['seconds']:.0f} s,"
        f" {report['tokens_per_second']:,.0f} {'frames' if sound else 'tokens'}/s in training, peak memory"
        f" {report['peak_memory_mb']:,.0f} MB"
    )
    yield from report["notices"]
    yield f"model: {folder / 'model'}    report: {folder / 'report.json'}"


def trial_command(context: click.Context, assembly: Assembly, model: Path) -> str:
    """Return a command line that predicts with the model: a sentence, or a sound of the recipe's data."""
    from seqlab.predict.trained import hears

    plugins = [part for file in session_of(context).plugin_files for part in ("--plugin", str(file))]
    predict = ["seqlab", "predict", *plugins, str(model)]
    if not hears(assembly):
        return f'echo "The dog barks" | {shlex.join([*predict, "-"])}'
    return shlex.join([*predict, *a_sound(assembly)])


def a_sound(assembly: Assembly) -> list[str]:
    """Return the arguments that name a sound of the recipe's data: its file, else all of the data."""
    from seqlab.audio import AudioFile
    from seqlab.errors import SeqlabError

    paths = assembly.recipe.paths
    data = next(paths[split][0] for split in ("test", "dev", "train") if split in paths)
    with suppress(SeqlabError):
        example = next(iter(assembly.reader.read(data, labelled=False)))
        files = [value for value in example.fields.values() if isinstance(value, AudioFile)]
        if files and files[0].source.path is not None:
            return [str(files[0].source.path)]
    return ["--from", "data", str(data)]
