"""Standard input is answered as it arrives: a process at the other end of a pipe gets its answer at once."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from seqlab.cli.arriving import answer_arriving, told_of_waits
from seqlab.cli.main import main

Process = subprocess.Popen[bytes]

SECONDS = 60
"""More than an answer takes on a machine at work, an import of torch included."""


@contextmanager
def answering(*args: object) -> Iterator[Process]:
    """Run `seqlab predict` with pipes at both ends; it must end well once its input ends."""
    source = str(Path(main.__code__.co_filename).parents[2])
    command = [
        sys.executable,
        "-m",
        "seqlab",
        "predict",
        *map(str, args),
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # what a buffer holds, select does not see
        env=os.environ | {"PYTHONPATH": source},
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        assert process.stdin
        process.stdin.close()
        assert exit_code(process) == 0


def asked(process: Process, request: str) -> None:
    assert process.stdin
    process.stdin.write(request.encode())
    process.stdin.flush()


def line(process: Process) -> str:
    """Return one line of the answer; a test that waits for it in vain fails."""
    assert process.stdout
    found = bytearray()
    end = time.monotonic() + SECONDS
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(end - time.monotonic(), 0))
        assert ready, f"no line within {SECONDS} s, but {bytes(found)!r}"
        byte = process.stdout.read(1)
        if not byte:
            break
        found += byte
    return found.decode()


def exit_code(process: Process) -> int:
    """Return the exit code of a process whose input has ended; one that goes on is killed, the test fails."""
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def block(process: Process) -> str:
    return "".join(iter(lambda: line(process), "\n"))


def test_every_line_of_text_is_answered_before_the_next_is_sent(package: Path) -> None:
    with answering(package, "-") as process:
        for request, answer in (
            ("la katos\n", "la\tDET\nkatos\tNOUN\n"),
            ("\n", ""),
            ("kuras\n.\n", "kuras\tVERB\n"),
        ):
            asked(process, request)
            assert block(process) == answer
        assert block(process) == ".\tPUNCT\n"


def test_half_a_line_does_not_hold_back_the_answer_to_the_one_before(package: Path) -> None:
    with answering(package, "-", "--to", "jsonl") as process:
        asked(process, "la katos\nku")
        assert json.loads(line(process))["upos"] == ["DET", "NOUN"]
        asked(process, "ras\n")
        assert json.loads(line(process)) == {"tokens": ["kuras"], "upos": ["VERB"]}


def test_data_of_the_readers_own_format_is_answered_sentence_by_sentence(package: Path) -> None:
    word = "1\tla\t_\t{}" + "\t_" * 6 + "\n\n"
    with answering(package, "-", "--from", "data", "--to", "conllu") as process:
        for _ in range(2):
            asked(process, word.format("_") + "1\tkatos")
            assert block(process) == word.format("DET")[:-1]
            asked(process, "\t_\t_" + "\t_" * 6 + "\n\n")
            assert block(process).startswith("1\tkatos\t_\tNOUN")


def test_every_sound_of_a_list_is_answered_before_the_next_is_named(hearing: Path) -> None:
    sounds = [json.loads(each)["audio"] for each in (hearing / "test.jsonl").read_text().splitlines()[:2]]
    with answering(hearing / "run/model", "-", "--to", "jsonl") as process:
        for sound in sounds:
            asked(process, json.dumps({"audio": str(hearing / sound)}) + "\n")
            assert json.loads(line(process))["audio"] == str(hearing / sound)


# --- lists of what has arrived -------------------------------------------------------------------------


@contextmanager
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Make standard input a pipe; what is given is written into it."""
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as stream, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stdin", stream)
        yield lambda content: void(os.write(writing, content)) if content else os.close(writing)


def void(_: object) -> None:
    return


def test_what_waits_is_answered_together_and_what_follows_a_wait_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered: list[Sequence[bytes]] = []
    with standard_input(monkeypatch) as give:

        def answer(lines: Sequence[bytes]) -> None:
            answered.append(lines)
            give(b"d\ne\nf\ng\n" if len(answered) == 1 else b"")

        give(b"a\nb\nc\n")
        answer_arriving((each for each in stdin_lines()), answer, size=lambda _: 1, limit=100)
    assert answered == [[b"a\n", b"b\n", b"c\n"], [b"d\n", b"e\n", b"f\n", b"g\n"]]


def test_a_list_is_closed_when_it_is_full_and_when_the_input_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[Sequence[bytes]] = []

    def items() -> Iterator[bytes]:
        yield from stdin_lines()
        raise ValueError("damaged")

    with standard_input(monkeypatch) as give:
        give(b"a\nb\nc\n")
        give(b"")
        with pytest.raises(ValueError, match="damaged"):
            answer_arriving(items(), answered.append, size=len, limit=4)
    assert answered == [[b"a\n", b"b\n"], [b"c\n"]]


def test_an_answer_that_fails_ends_the_input_and_is_told_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Sequence[bytes]] = []

    def answer(lines: Sequence[bytes]) -> None:
        calls.append(lines)
        raise BrokenPipeError

    def careful() -> Iterator[bytes]:
        try:
            yield from stdin_lines()
        except OSError as error:
            raise ValueError("cannot be read") from error

    with standard_input(monkeypatch) as give:
        give(b"a\nhalf")
        with pytest.raises(BrokenPipeError):
            answer_arriving(careful(), answer, size=len, limit=100)
    assert calls == [[b"a\n"]], "nothing is answered after a failure"


def test_standard_input_is_the_same_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    with standard_input(monkeypatch) as give:
        before = sys.stdin
        give(b"a\n")
        with told_of_waits(lambda: None):
            assert sys.stdin.buffer.readline() == b"a\n"
        assert sys.stdin is before
        give(b"b\n")
        assert sys.stdin.buffer.readline() == b"b\n"


def stdin_lines() -> Iterator[bytes]:
    yield from sys.stdin.buffer
