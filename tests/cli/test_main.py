from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import ENCODER_PLUGIN, Distribution, install, write_module

from seqlab.cli.main import COMMANDS, main

Process = Callable[..., "subprocess.CompletedProcess[str]"]

COMMAND_PLUGIN = """
    import logging, os, signal, click
    from seqlab.api import DataError, Place, Problem, RecipeError, hookimpl

    @click.command({name!r})
    @click.argument("deed")
    def command(deed):
        '''Do a deed of the tests.'''
        if deed == "data":
            raise DataError("empty file", place=Place("a.conllu", 3))
        if deed == "recipe":
            raise RecipeError([Problem(Place("r.yaml", n), "encoder", "wrong") for n in (2, 1)])
        if deed == "bug":
            raise LookupError("a mistake")
        if deed == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        if deed == "warn":
            for warning in ("one", "two", "one"):
                logging.getLogger("seqlab.deeds").warning(warning)
        if deed == "pipe":
            for _ in range(100_000):
                click.echo("line")
        if deed == "exit":
            click.get_current_context().exit(7)
        return 5 if deed == "five" else None

    @hookimpl
    def seqlab_register_commands():
        return [command]
"""


def command_file(folder: Path, name: str = "deed", file: str = "deeds.py") -> str:
    return str(write_module(folder / file, COMMAND_PLUGIN.format(name=name)))


@pytest.fixture
def deeds(tmp_path: Path) -> str:
    return command_file(tmp_path)


def test_help_names_every_command_and_imports_neither_torch_nor_numpy(seqlab_process: Process) -> None:
    code = """
import sys
from seqlab.cli.main import main
code = main(sys.argv[1:])
print(sorted({"torch", "numpy"} & set(sys.modules)), code)
"""
    for args in (["--help"], ["plugins"], ["components"]):
        done = seqlab_process(*args, code=code)
        assert done.stdout.splitlines()[-1] == "[] 0", done.stderr
    listed = seqlab_process("--help").stdout
    assert all(f"\n  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_under_its_name(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: seqlab {name} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("seqlab ")


@pytest.mark.parametrize(
    ("deed", "code", "message"),
    [
        ("data", 4, "error: a.conllu:3: empty file\n"),
        ("recipe", 2, "r.yaml:1: encoder: wrong\nr.yaml:2: encoder: wrong\n"),
        ("exit", 7, ""),
        ("five", 5, ""),
        ("nothing", 0, ""),
    ],
)
def test_errors_are_printed_and_become_exit_codes(
    deeds: str, deed: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--plugin", deeds, "deed", deed]) == code
    assert capsys.readouterr().err == message


def test_a_programming_mistake_keeps_its_traceback(deeds: str) -> None:
    with pytest.raises(LookupError, match="a mistake"):
        main(["--plugin", deeds, "deed", "bug"])


def test_a_command_says_the_same_warning_once(deeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["--plugin", deeds, "deed", "warn"]) == 0
        assert capsys.readouterr().err == "warning: one\nwarning: two\n"


def test_usage_errors_exit_with_two_and_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin"]) == 2
    assert "no command 'plugin'; did you mean 'plugins'?" in capsys.readouterr().err
    assert main(["plugins", "--jsn"]) == 2


def test_ctrl_c_exits_with_130_and_no_traceback(deeds: str, seqlab_process: Process) -> None:
    done = seqlab_process("--plugin", deeds, "deed", "interrupt")
    assert done.returncode == 128 + signal.SIGINT
    assert "Traceback" not in done.stderr


def shell(command: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `seqlab` is the command line, buffered as in a user's shell."""
    prelude = 'set -o pipefail; seqlab() { "$PYTHON" -c "$CODE" "$@"; }; '
    environment = os.environ | {
        "PYTHON": sys.executable,
        "CODE": "import sys; from seqlab.cli.main import main; sys.exit(main())",
        "PYTHONPATH": str(Path(main.__code__.co_filename).parents[2]),
        "SEQLAB_DISABLE_PLUGINS": "all",
    }
    return subprocess.run(
        ["bash", "-c", prelude + command, "bash", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["schema", "--help", "plugins"])
def test_a_full_disk_is_said_by_every_command(command: str, unbuffered: str) -> None:
    done = shell('PYTHONUNBUFFERED="$2" seqlab "$1" > /dev/full', command, unbuffered)
    assert done.stderr == "error: standard output: cannot be written: No space left on device\n"
    assert done.returncode == 1


def test_an_error_of_another_file_keeps_its_traceback(tmp_path: Path) -> None:
    source = COMMAND_PLUGIN.replace("raise LookupError", "raise OSError").format(name="deed")
    with pytest.raises(OSError, match="a mistake"):
        main(["--plugin", str(write_module(tmp_path / "deeds.py", source)), "deed", "bug"])


def test_closed_standard_output_is_no_fault() -> None:
    done = shell("seqlab plugins >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_had_enough_is_no_error(deeds: str) -> None:
    done = shell('seqlab --plugin "$1" deed pipe | head -n 1', deeds)
    assert (done.returncode, done.stdout, done.stderr) == (0, "line\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_error_keeps_its_exit_code_where_it_cannot_be_said(deeds: str) -> None:
    assert shell('seqlab --plugin "$1" deed data 2> /dev/full', deeds).returncode == 4
    assert shell("seqlab nonsense 2> /dev/full").returncode == 2


# --- plugins on the command line -----------------------------------------------------------------------


def test_plugin_files_are_taken_before_and_after_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (
        str(write_module(tmp_path / f"{name}.py", ENCODER_PLUGIN.format(name=name)))
        for name in ("one", "two")
    )
    assert main(["--plugin", one, "components", "encoder", "--plugin", two]) == 0
    output = capsys.readouterr().out
    assert "(one)" in output
    assert "(two)" in output


def test_a_plugin_file_that_fails_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--plugin", str(tmp_path / "gone.py")]) == 3
    assert (
        capsys.readouterr().err
        == f"error: plugin 'gone': {tmp_path}/gone.py does not exist or is not a file\n"
    )


def test_failures_are_reported_once_and_the_rest_works(tmp_path: Path, seqlab_process: Process) -> None:
    file = install(tmp_path, Distribution(name="broken", module="fake_broken", source="1 / 0"))
    install(tmp_path, Distribution(name="good", module="fake_good", source=ENCODER_PLUGIN.format(name="crf")))
    done = seqlab_process("components", "encoder", "crf")
    assert done.returncode == 0
    assert done.stdout.startswith("encoder crf: an encoder of the tests\n")
    assert done.stderr == (
        "warning: plugin 'broken' (broken 1.0) failed and is left out: "
        f"importing fake_broken raised ZeroDivisionError: division by zero ({file}:1)\n"
    )


def test_a_failure_is_reported_once_however_often_the_lab_is_asked_for(
    tmp_path: Path, seqlab_process: Process
) -> None:
    install(tmp_path, Distribution(name="broken", module="fake_broken", source="1 / 0"))
    done = seqlab_process("nonsense")
    assert done.returncode == 2
    assert done.stderr.count("warning:") == 1


def test_strict_plugins_makes_a_failure_an_error(tmp_path: Path, seqlab_process: Process) -> None:
    install(tmp_path, Distribution(name="broken", module="fake_broken", source="1 / 0"))
    done = seqlab_process("--strict-plugins", "components")
    assert done.returncode == 3
    assert done.stderr.startswith("error: plugin 'broken' (broken 1.0): importing fake_broken raised ")


def test_hook_register_commands(deeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--plugin", deeds, "--help"]) == 0
    assert "Do a deed of the tests." in capsys.readouterr().out


def test_a_plugin_whose_command_has_a_taken_name_is_left_out(tmp_path: Path, seqlab_process: Process) -> None:
    clash = COMMAND_PLUGIN.format(name="run")
    install(tmp_path, Distribution(name="clash", module="fake_clash", source=clash))
    done = seqlab_process("components")
    assert done.returncode == 0
    assert done.stderr == (
        "warning: plugin 'clash' (clash 1.0) failed and is left out: "
        "seqlab_register_commands: command 'run' exists already; choose another name\n"
    )


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ("[3]", "returned 3 where a named click command is expected"),
        ("3", "returned int where a list of commands is expected"),
    ],
)
def test_what_is_no_command_is_refused(
    tmp_path: Path, returned: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = f"""
        from seqlab.api import hookimpl

        @hookimpl
        def seqlab_register_commands():
            return {returned}
    """
    file = write_module(tmp_path / "odd.py", source)
    assert main(["components", "--plugin", str(file)]) == 3
    assert capsys.readouterr().err == f"error: plugin 'odd': seqlab_register_commands: {reason}\n"


def test_two_plugins_cannot_share_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files: list[Any] = [command_file(tmp_path, file=f"{name}.py") for name in ("one", "two")]
    assert main(["--plugin", files[0], "--plugin", files[1], "components"]) == 3
    assert "plugin 'two': seqlab_register_commands: command 'deed' exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}),
        ({"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}, {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}),
        ({"DNNL_PRIMITIVE_CACHE_CAPACITY": "7"}, {"DNNL_PRIMITIVE_CACHE_CAPACITY": "7"}),
    ],
)
def test_the_process_bounds_what_onednn_keeps(
    tmp_path: Path, given: dict[str, str], kept: dict[str, str]
) -> None:
    command = """
import os, click
from seqlab import hookimpl

@click.command("show")
def show():
    print({key: value for key, value in os.environ.items() if key.endswith("PRIMITIVE_CACHE_CAPACITY")})

@hookimpl
def seqlab_register_commands():
    return [show]
"""
    file = str(write_module(tmp_path / "shows.py", command))
    before = {key: value for key, value in os.environ.items() if not key.startswith(("ONEDNN", "DNNL"))}
    done = subprocess.run(
        [sys.executable, "-m", "seqlab", "--plugin", file, "show"],
        env=before | given, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{kept}\n"
