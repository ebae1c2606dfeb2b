"""`seqlab predict`: what goes in comes out labelled, in order and number, in bounded memory."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from memory import peak_kib
from toy_language import sentences

from seqlab.cli.main import main
from seqlab.predict.predictor import Predictor

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

TEXT = "la katos kuras .\n\nla bela luma luma\n"
TSV = "la\tDET\nkatos\tNOUN\nkuras\tVERB\n.\tPUNCT\n\n\nla\tDET\nbela\tADJ\nluma\tNOUN\nluma\tVERB\n\n"

SENTENCE = """\
# sent_id = 7
# text = lakatos kuras .
1-2\tlakatos\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
1\tla\tla\t{}\ta\t_\t2\tdet\t_\t_
2\tkatos\tkato\t{}\ts\tNumber=Sing\t3\tnsubj\t_\t_
2.1\tnenio\t_\t_\t_\t_\t_\t_\t_\t_
3\tkuras\tkuri\t{}\ts\t_\t0\troot\t_\t_
4\t.\t.\t{}\t.\t_\t3\tpunct\t_\t_

"""

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(128, 156))

FULL = 1_000_000
"""Tokens of the long input."""

MAX_GROWTH = 1.3
MAX_GROWTH_KIB = 64 * 1024
"""How much more memory ten times the input may take; the share alone would hide much behind torch's size."""


@pytest.fixture
def predict(package: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., str]:
    """Run the command in this process and return its output; it must succeed."""

    def run(*args: object) -> str:
        code = main(["predict", str(package), *map(str, args), "--device", "cpu"])
        captured = capsysbinary.readouterr()
        assert (code, captured.err) == (0, b"")
        return captured.out.decode()

    return run


@pytest.fixture
def refused(package: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process and return exit code, output and errors."""

    def run(*args: object) -> tuple[int, str, str]:
        code = main(["predict", str(package), *map(str, args), "--device", "cpu"])
        captured = capsysbinary.readouterr()
        return code, captured.out.decode(), captured.err.decode()

    return run


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))

    return give


# --- formats -------------------------------------------------------------------------------------------


def test_text_from_standard_input_becomes_tsv_and_empty_lines_keep_their_place(
    predict: Callable[..., str], stdin: Callable[[str], None]
) -> None:
    stdin(TEXT)
    assert predict("-") == TSV


def test_text_files_in_the_order_given(predict: Callable[..., str], tmp_path: Path) -> None:
    for name, line in (("a.txt", "la katos"), ("b", "kuras .\n")):
        (tmp_path / name).write_text(line)
    assert predict(tmp_path / "b", tmp_path / "a.txt", tmp_path / "b") == (
        "kuras\tVERB\n.\tPUNCT\n\nla\tDET\nkatos\tNOUN\n\nkuras\tVERB\n.\tPUNCT\n\n"
    )


def test_jsonl_has_one_line_for_each_line_of_text(predict: Callable[..., str], tmp_path: Path) -> None:
    text = tmp_path / "in.txt"
    lines = [*map(" ".join, sentences(200, seed=4)), "", "  ", "ŝtono 日本"]
    text.write_text("\n".join(lines) + "\n")
    found = [json.loads(line) for line in predict(text, "--to", "jsonl").splitlines()]
    assert [each["tokens"] for each in found] == [line.split() for line in lines]
    assert all(len(each["upos"]) == len(each["tokens"]) for each in found)


def test_conllu_keeps_everything_but_the_labels(predict: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "in.conllu"
    file.write_text(SENTENCE.format(*"_" * 4) + SENTENCE.format("X", "X", "X", "X"))
    assert predict(file, "--to", "conllu") == SENTENCE.format("DET", "NOUN", "VERB", "PUNCT") * 2
    assert predict(file).startswith("la\tDET\nkatos\tNOUN\nkuras\tVERB\n.\tPUNCT\n\nla\t")


def test_conllu_from_standard_input_is_asked_for(
    predict: Callable[..., str], stdin: Callable[[str], None]
) -> None:
    stdin(SENTENCE.format(*"_" * 4))
    assert predict("-", "--from", "data", "--to", "conllu") == SENTENCE.format("DET", "NOUN", "VERB", "PUNCT")


def test_text_becomes_conllu(predict: Callable[..., str], stdin: Callable[[str], None]) -> None:
    stdin("la katos\n")
    found = predict("-", "--to", "conllu").splitlines()
    assert found == [
        "# text = la katos",
        "1\tla\t_\tDET" + "\t_" * 6,
        "2\tkatos\t_\tNOUN" + "\t_" * 6,
        "",
    ]


def test_the_answers_are_those_of_the_predictor(
    predict: Callable[..., str], tagger: Predictor, tmp_path: Path
) -> None:
    inputs = sentences(50, seed=6)
    (tmp_path / "in").write_text("".join(" ".join(tokens) + "\n" for tokens in inputs))
    found = [json.loads(line)["upos"] for line in predict(tmp_path / "in", "--to", "jsonl").splitlines()]
    assert found == [list(answer.tags) for answer in tagger.predict(inputs)]


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_every_precision_labels_what_is_clear_alike(
    precision: str, predict: Callable[..., str], stdin: Callable[[str], None]
) -> None:
    stdin(TEXT)
    assert predict("-", "--precision", precision) == TSV


def test_another_precision_is_refused(refused: Callable[..., tuple[int, str, str]]) -> None:
    code, _, errors = refused("-", "--precision", "fp16")
    assert code == 2
    assert "Invalid value for '--precision': 'fp16' is not one of 'auto', 'fp32', 'bf16'." in errors


# --- output --------------------------------------------------------------------------------------------


def test_out_writes_a_new_file_and_never_an_old_one(
    predict: Callable[..., str], refused: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "in").write_text(TEXT)
    assert predict(tmp_path / "in", "--out", tmp_path / "out") == ""
    assert (tmp_path / "out").read_text() == TSV
    (tmp_path / "out").write_text("precious")
    code, _, errors = refused(tmp_path / "in", "--out", tmp_path / "out")
    assert code == 2
    assert f"--out {tmp_path}/out: exists already; choose another name or remove it" in errors
    assert (tmp_path / "out").read_text() == "precious"
    code, _, errors = refused(tmp_path / "in", "--out", tmp_path / "no/out")
    assert code == 2
    assert f"--out {tmp_path}/no/out: cannot be written: No such file or directory" in errors


def test_input_that_fails_midway_keeps_what_was_finished_under_another_name(
    refused: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(b"la katos\n" * 20_000 + b"la \xff\n")
    code, _, errors = refused(tmp_path / "in", "--out", tmp_path / "out")
    assert code == 4
    kept, error = errors.splitlines()
    assert kept == f"kept: {tmp_path}/out.partial holds what was written before"
    assert error.startswith(f"error: {tmp_path}/in:20001: not UTF-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.partial"]
    assert (tmp_path / "out.partial").read_text() == "la\tDET\nkatos\tNOUN\n\n" * 20_000


def test_out_may_be_standard_output(predict: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "in").write_text(TEXT)
    assert predict(tmp_path / "in", "--out", "-") == TSV


def test_an_empty_name_is_no_file(refused: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "in").write_text(TEXT)
    code, _, errors = refused(tmp_path / "in", "--out", "")
    assert code == 2
    assert "Invalid value for '--out': expected the name of a new file, or - for standard output" in errors


def test_input_that_fails_at_once_leaves_no_file(
    refused: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, errors = refused(tmp_path / "gone", "--out", tmp_path / "out")
    assert (code, errors) == (4, f"error: {tmp_path}/gone: cannot read: No such file or directory\n")
    assert not list(tmp_path.iterdir())


def test_a_pipe_that_closes_early_is_no_error(seqlab_command: Command, package: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text(TEXT * 20_000)
    reading, writing = os.pipe()
    with subprocess.Popen(["head", "-n", "1"], stdin=reading, stdout=subprocess.PIPE) as head:
        os.close(reading)
        done = seqlab_command("predict", package, tmp_path / "in", stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert head.communicate()[0] == b"la\tDET\n"
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_standard_streams_are_named(package: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text(TEXT)
    for line, code, message in (
        ("- <&-", 4, "<stdin>: cannot be read: standard input is closed"),
        ("- --from data <&-", 4, "<stdin>: cannot be read: standard input is closed"),
        (f"{tmp_path}/in >&-", 1, "standard output: cannot be written: it is closed"),
    ):
        command = f"{sys.executable} -m seqlab predict {package} {line}"
        source = str(Path(main.__code__.co_filename).parents[2])
        done = subprocess.run(
            ["sh", "-c", command], check=False, capture_output=True, env=os.environ | {"PYTHONPATH": source}
        )
        assert (done.returncode, done.stderr.decode()) == (code, f"error: {message}\n")


@pytest.mark.parametrize(("limit", "left"), [(0, ["in"]), (10, ["in", "out.partial"])])
def test_a_full_disk_under_out_is_said_and_what_it_took_is_kept(
    limit: int, left: list[str], seqlab_command: Command, package: Path, tmp_path: Path
) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    (tmp_path / "in").write_text(TEXT)
    args = ("predict", package, tmp_path / "in", "--out", tmp_path / "out")
    done = seqlab_command(*args, preexec_fn=no_room)
    *kept, error = done.stderr.decode().splitlines()
    assert error == f"error: {tmp_path}/out: cannot be written: File too large"
    assert kept == [f"kept: {tmp_path}/{name} holds what was written before" for name in left[1:]]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    assert all((tmp_path / name).read_text() == TSV[:limit] for name in left[1:])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_without_a_traceback(
    seqlab_command: Command, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text(TEXT)
    with Path("/dev/full").open("wb") as full:
        done = seqlab_command("predict", package, tmp_path / "in", stdout=full, stderr=subprocess.PIPE)
    assert done.stderr == b"error: standard output: cannot be written: No space left on device\n"
    assert done.returncode == 1


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.txt", None, "cannot read: No such file or directory"),
        ("gone.conllu", None, "cannot read: No such file or directory"),
        ("bad.txt", b"la katos\nla \xff\n", "2: not UTF-8: byte 0xff at byte 4 of the line"),
        ("bad.conllu", b"1\tla\n\n", "1: expected 10 columns separated by tabs, found 2"),
        ("cut.conllu", SENTENCE.rstrip().encode(), "8: the last sentence, starting at line 1, is not closed"),
        ("empty.conllu", b"", "no sentences"),
        ("empty.txt", b"", "empty: one value a line is expected"),
        ("sound.txt", WAV, "this is sound (WAV), but lines of text are read here; to transcribe it"),
        ("sound.conllu", WAV, "this is sound (WAV), but lines of text are read here; to transcribe it"),
    ],
)
def test_bad_input_names_file_and_line_and_exits_with_four(
    name: str,
    content: bytes | None,
    message: str,
    refused: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, errors = refused(tmp_path / name)
    assert code == 4
    separator = "" if message[0].isdigit() else " "
    assert errors.startswith(f"error: {tmp_path}/{name}:{separator}{message}")


@pytest.mark.parametrize("source", ["auto", "text", "data"])
def test_sound_and_nothing_on_standard_input(
    source: str,
    refused: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for data, message in ((b"", ("empty: ", "no sentences")), (WAV, ("this is sound (WAV), ",))):
        given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "stdin", given)
        code, out, errors = refused("-", "--from", source)
        assert (code, out) == (4, "")
        assert errors.startswith(tuple(f"error: <stdin>: {each}" for each in message))


@pytest.mark.parametrize("source", ["auto", "text", "data"])
def test_a_folder_is_told(source: str, refused: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, out, errors = refused(tmp_path, "--from", source)
    assert (code, out) == (4, "")
    assert errors == f"error: {tmp_path}: this is a folder; name the files in it, {tmp_path}/* say\n"


def test_an_empty_line_is_an_empty_answer_in_every_format(
    predict: Callable[..., str], stdin: Callable[[str], None]
) -> None:
    answers = {}
    for target in ("tsv", "jsonl", "conllu"):
        stdin("la katos\n\nkuras\n")
        answers[target] = predict("-", "--to", target)
    assert [block.count("\n") for block in answers["tsv"].split("\n\n")] == [1, 1, 0]
    assert answers["tsv"].split("\n\n")[1].startswith("\nkuras\t")
    assert [json.loads(line)["tokens"] for line in answers["jsonl"].splitlines()] == [
        ["la", "katos"],
        [],
        ["kuras"],
    ]
    assert answers["conllu"].count("\n\n\n") == 1, "an empty line more between the two sentences"


def test_no_package_is_exit_code_five(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path), "-"]) == 5
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: not a model package")


def test_help_names_endings_and_output_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    words = ("one value a line", "column per head", "key per head", "seqlab components writer")
    assert all(word in told for word in words)


# --- memory --------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS counts in other units")
@pytest.mark.slow
def test_ten_times_the_input_takes_no_more_memory(package: Path, tmp_path: Path) -> None:
    some = sentences(2_000, seed=8)
    words = [f"{word}{number % 97}" for number, tokens in enumerate(some) for word in tokens]
    peaks = []
    for size in (FULL // 10, FULL):
        file = tmp_path / f"{size}.txt"
        with file.open("w") as stream:
            for start in range(0, size, 10):
                first = start % (len(words) - 10)
                stream.write(" ".join(words[first : first + 10]) + "\n")
        peaks.append(peak_kib("predict", package, file, "--threads", 1))
    assert peaks[1] <= MAX_GROWTH * peaks[0]
    assert peaks[1] - peaks[0] <= MAX_GROWTH_KIB
