"""`seqlab run`: from a recipe to a model in a run folder."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from seqlab.cli.garbage import uncollected
from seqlab.cli.options import device_option, pass_lab, plugin_option, session_of, tell, threads_option
from seqlab.cli.output import say
from seqlab.errors import PackageError

if TYPE_CHECKING:
    from seqlab.api import FieldKind
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
        from seqlab.engine import Cancelled
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
    try:
        lines = list(summary(report, folder, lab.registry.field_kinds()))
        trial = trial_command(click.get_current_context(), report.get("trial", {}), folder / "model")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A complete run is not run again: its report may be a stranger's.
        raise PackageError(f"{folder / 'report.json'}: not the report of a run: {error!r}") from error
    for line in lines:
        say(line)
    if trial:
        say(f"try it: {trial}")


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


def summary(report: Mapping[str, Any], folder: Path, kinds: Mapping[str, FieldKind[Any]]) -> Iterator[str]:
    """Yield what a user wants to see at the end: figures, notices and what to do next."""
    from seqlab.figures import overall

    reads = [kinds[kind] for kind in report.get("reads", {}).values() if kind in kinds]
    answers = {target: kinds[kind] for target, kind in report.get("answers", {}).items() if kind in kinds}

    heads = tuple(report.get("answers", ())) if len(report.get("answers", ())) > 1 else ()
    for split, metrics in report["metrics"].items():
        figures = "  ".join(f"{name} {metrics[name]:.4f}" for name in overall(metrics, heads))
        yield f"{split}: {figures or 'no figures, as no target counts'}"
    for split, missing in report.get("missing_labels", {}).items():  # older reports lack them
        for target, count in missing.items():
            parts = answers[target].parts if target in answers else "parts"
            yield f"{split}: {count} {parts} of {target} are missing, and left out of loss and figures"
    for split, unseen in report["unseen_labels"].items():
        for target, count in unseen.items():
            parts = answers[target].parts if target in answers else "parts"
            yield f"{split}: {count} {parts} of {target} are ones that training never saw"
    for split, count in report.get("also_in_train", {}).items():
        if count:
            yield f"{split}: examples that stand in the training split, too: {count}"
    for split, lacking in report["short_of_states"].items():
        yield f"{split}: {len(lacking)} examples can never be answered in full: {lacking[0]}"
    if report["skipped_steps"]:
        yield f"{report['skipped_steps']} steps were skipped because loss or gradient was not finite"
    steps = reads[0].steps if reads else "steps"
    yield (
        f"{report['epochs']} epochs in {report['seconds']:.0f} s,"
        f" {report['tokens_per_second']:,.0f} {steps}/s in training, peak memory"
        f" {report['peak_memory_mb']:,.0f} MB"
    )
    yield from report["notices"]
    yield f"model: {folder / 'model'}    report: {folder / 'report.json'}"


def trial_command(context: click.Context, trial: Mapping[str, Any], model: Path) -> str:
    """Return a command line that tries the model on what the report says; empty where it says nothing."""
    plugins = [part for file in session_of(context).plugin_files for part in ("--plugin", str(file))]
    predict = ["seqlab", "predict", *plugins, str(model)]
    if "line" in trial:
        return f"echo {shlex.quote(str(trial['line']))} | {shlex.join([*predict, '-'])}"
    arguments = [str(argument) for argument in trial.get("arguments", ())]
    return shlex.join([*predict, *arguments]) if arguments else ""
