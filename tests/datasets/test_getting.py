from __future__ import annotations

import fcntl
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from data_server import DataServer

import seqlab
from seqlab.datasets import DatasetEntry, find_dataset, get_dataset, unpack
from seqlab.datasets.checksums import find_faults, tree_sha256
from seqlab.errors import DataError

Entry = Callable[..., DatasetEntry]

BODY = bytes(range(256)) * 4000

ALONE = """
import os, resource, sys
from pathlib import Path
from seqlab.datasets import DatasetEntry, Download, get_dataset
from seqlab.errors import DataError

entry = DatasetEntry(name="tiny", summary="s", licence="l", citation="c", origin="o",
                     downloads=(Download(name="a.bin", urls=(sys.argv[1],), sha256=sys.argv[2]),))
{before}
try:
    print(get_dataset(entry))
except DataError as error:
    sys.exit(str(error))
"""


def alone(server: DataServer, before: str = "", body: bytes = BODY) -> subprocess.Popen[str]:
    """Get the set in a process of its own."""
    url = server.url("/a")
    command = [sys.executable, "-W", "error", "-c", ALONE.format(before=before)]
    command += [url, hashlib.sha256(body).hexdigest()]
    source = str(Path(seqlab.__file__).parents[1])
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"PYTHONPATH": source}
    )


def names(cache: Path) -> set[str]:
    """Return everything below the data cache but locks and empty folders."""
    found = {path for path in (cache / "data").rglob("*") if path.is_file() and path.suffix != ".lock"}
    return {path.relative_to(cache / "data").as_posix() for path in found}


def packed(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def prepare(downloads: Path, folder: Path) -> None:
    """Keep the members of an archive in capitals."""
    from seqlab.datasets.archives import unpack_beside

    for path in unpack_beside(downloads / "a.tar.gz").iterdir():
        (folder / path.name).write_bytes(path.read_bytes().upper())


def test_a_set_appears_whole_and_nothing_else_stays(server: DataServer, cache: Path, entry: Entry) -> None:
    files = {
        "a.bin": (server.serve("/a", BODY), BODY),
        "deep/b.txt": (server.serve("/b", b"b", cuts=[0]), b"b"),
    }
    folder = get_dataset(entry(files))
    assert folder == cache / "data/tiny" == find_dataset("tiny")
    assert (folder / "deep/b.txt").read_bytes() == b"b"
    assert names(cache) == {"tiny/a.bin", "tiny/deep/b.txt"}


def test_a_set_is_prepared(server: DataServer, cache: Path, entry: Entry) -> None:
    url = server.serve("/a", packed({"a.txt": b"text"}))
    files = {"a.txt": hashlib.sha256(b"TEXT").hexdigest()}
    folder = get_dataset(entry({"a.tar.gz": (url, None)}, prepare=prepare, files=files))
    assert (folder / "a.txt").read_bytes() == b"TEXT"
    assert names(cache) == {"tiny/a.txt"}


def test_what_is_here_is_checked_and_not_fetched(server: DataServer, cache: Path, entry: Entry) -> None:
    tiny = entry({"a.bin": (server.serve("/a", BODY), BODY)})
    folder = get_dataset(tiny)
    assert get_dataset(tiny) == folder
    assert len(server.asked) == 1
    (folder / "a.bin").write_bytes(b"changed")
    with pytest.raises(
        DataError, match=r"tiny: not the data set 'tiny': sha256 of a.bin is .* remove or rename"
    ):
        get_dataset(tiny)


MANIFEST = b'{"audio": "wav/a.wav"}\n{"audio": "wav/b.wav"}\n'
SPOKEN = {"train.jsonl": MANIFEST, "wav/a.wav": b"a", "wav/b.wav": b"b"}


def unpacked(downloads: Path, folder: Path) -> None:
    unpack(downloads / "a.tar.gz", folder)


@pytest.fixture
def spoken(server: DataServer, entry: Entry) -> DatasetEntry:
    """A set of a manifest and two sounds without checksums."""
    return entry(
        {"a.tar.gz": (server.serve("/a", packed(SPOKEN)), None)},
        prepare=unpacked,
        splits={"train": "train.jsonl"},
        manifest_key="audio",
        files={"train.jsonl": hashlib.sha256(MANIFEST).hexdigest()},
    )


@pytest.mark.parametrize("lost", [["wav/a.wav"], ["wav/a.wav", "wav/b.wav"], list(SPOKEN)])
def test_a_folder_in_the_cache_that_lacks_files_is_completed(
    server: DataServer, cache: Path, spoken: DatasetEntry, lost: list[str]
) -> None:
    folder = get_dataset(spoken)
    (folder / "own.jsonl").write_bytes(b"{}")
    for path in lost:
        (folder / path).unlink()
    for _ in range(2):
        assert get_dataset(spoken) == folder
    assert {path: (folder / path).read_bytes() for path in SPOKEN} == SPOKEN
    assert names(cache) == {f"tiny/{path}" for path in [*SPOKEN, "own.jsonl"]}
    assert len(server.asked) == 2


def test_a_folder_that_cannot_be_completed_stays_as_it_is(
    server: DataServer, cache: Path, spoken: DatasetEntry
) -> None:
    folder = get_dataset(spoken)
    (folder / "wav/a.wav").unlink()
    server.serve("/a", packed(SPOKEN | {"train.jsonl": b"other"}))
    for _ in range(2):
        with pytest.raises(DataError, match=r"cannot be prepared: .*sha256 of train\.jsonl is"):
            get_dataset(spoken)
    assert names(cache) == {"tiny/train.jsonl", "tiny/wav/b.wav"}


def test_a_completed_folder_is_checked_as_a_whole(
    server: DataServer, cache: Path, spoken: DatasetEntry, tmp_path: Path
) -> None:
    whole = get_dataset(spoken)
    strict = spoken.model_copy(update={"trees": {"wav": tree_sha256(whole / "wav")}})
    (whole / "wav/a.wav").unlink()
    (whole / "wav/own.wav").touch()
    with pytest.raises(DataError, match=r"sha256 of the folder wav is .* remove or rename that folder"):
        get_dataset(strict)


def test_a_folder_with_other_files_than_the_set_s_is_not_completed(
    server: DataServer, cache: Path, spoken: DatasetEntry
) -> None:
    folder = get_dataset(spoken)
    (folder / "train.jsonl").write_bytes(b"my own")
    (folder / "wav/a.wav").unlink()
    known = spoken.model_copy(
        update={"files": {**spoken.files, "wav/a.wav": hashlib.sha256(b"a").hexdigest()}}
    )
    for each in (spoken, known):
        with pytest.raises(DataError, match=r"sha256 of train\.jsonl is .* remove or rename that folder"):
            get_dataset(each)
    assert (folder / "train.jsonl").read_bytes() == b"my own"
    assert len(server.asked) == 1


def test_a_folder_of_the_user_that_lacks_files_is_told_with_the_remedy(
    server: DataServer, cache: Path, spoken: DatasetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data/tiny"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_bytes(MANIFEST)
    with pytest.raises(DataError) as caught:
        get_dataset(spoken)
    assert str(caught.value) == (
        f"{folder}: not the data set 'tiny': 2 of 2 files that train.jsonl names are missing,"
        " wav/a.wav is the first; remove or rename that folder and get it again"
    )
    assert not server.asked
    assert [path.name for path in folder.iterdir()] == ["train.jsonl"]


def test_a_set_got_by_hand_that_lacks_files_is_told_with_its_source(
    cache: Path, spoken: DatasetEntry, entry: Entry
) -> None:
    (cache / "data/tiny").mkdir(parents=True)
    made = entry({}, by_hand="ask the author", files=dict(spoken.files))
    with pytest.raises(
        DataError, match=r"train\.jsonl is missing; it cannot be downloaded .*: ask the author"
    ):
        get_dataset(made)


@pytest.mark.parametrize("archive_is_known", [True, False])
def test_a_result_with_another_checksum_is_not_named(
    server: DataServer, cache: Path, entry: Entry, archive_is_known: bool
) -> None:
    body = packed({"a.txt": b"text"})
    url = server.serve("/a", body)
    tiny = entry(
        {"a.tar.gz": (url, body if archive_is_known else None)},
        prepare=prepare,
        files={"a.txt": hashlib.sha256(b"something else").hexdigest()},
    )
    for _ in range(2):
        with pytest.raises(DataError, match=r"data set 'tiny' cannot be prepared: .*sha256 of a.txt is"):
            get_dataset(tiny)
    assert find_dataset("tiny") is None
    # What is known to be right need not be fetched twice; what may be wrong must be.
    assert len(server.asked) == (1 if archive_is_known else 2)


def test_an_archive_that_lacks_a_member_is_named(server: DataServer, cache: Path, entry: Entry) -> None:
    def reads_another(downloads: Path, folder: Path) -> None:
        (downloads / "other.txt").read_bytes()

    files = {"a.txt": "0" * 64}
    tiny = entry({"a": (server.serve("/a", b"a"), None)}, prepare=reads_another, files=files)
    with pytest.raises(DataError, match=r"cannot be prepared: .*other\.txt is not among its downloads"):
        get_dataset(tiny)
    assert not names(cache)


def test_a_set_that_cannot_be_fetched_says_so(cache: Path, entry: Entry) -> None:
    with pytest.raises(DataError, match="cannot be downloaded by seqlab: ask the author"):
        get_dataset(entry({}, by_hand="ask the author"))


def test_two_processes_do_not_get_one_set_at_once(server: DataServer, cache: Path, entry: Entry) -> None:
    tiny = entry({"a.bin": (server.serve("/a", BODY), BODY)})
    (cache / "data/.downloads").mkdir(parents=True)
    with (cache / "data/.downloads/tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(DataError, match="another process is getting it"):
            get_dataset(tiny)
    assert get_dataset(tiny).is_dir()


def test_a_full_disk_is_named_and_leaves_nothing(server: DataServer, cache: Path) -> None:
    server.serve("/a", BODY)
    full = alone(server, "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))")
    out, error = full.communicate(timeout=60)
    assert (full.returncode, out) == (1, "")
    assert "a.bin.part: cannot be written: file too large; SEQLAB_CACHE names another folder" in error
    assert not names(cache)


def test_a_disk_that_fills_up_while_a_set_is_made_leaves_the_download(
    server: DataServer, cache: Path, entry: Entry
) -> None:
    def grows(downloads: Path, folder: Path) -> None:
        (folder / "a.txt").write_bytes(b"half")
        raise OSError(28, "No space left on device", str(folder / "a.txt"))

    url = server.serve("/a", BODY)
    tiny = entry({"a.bin": (url, BODY)}, prepare=grows, files={"a.txt": "0" * 64})
    with pytest.raises(DataError, match=r"tiny/a\.txt: cannot be written: no space left on device"):
        get_dataset(tiny)
    assert names(cache) == {".downloads/tiny/a.bin"}


@pytest.mark.parametrize(("mode", "reason"), [(0o555, "written"), (0o000, "looked at")])
def test_a_folder_that_is_not_ours_is_named(
    server: DataServer, cache: Path, monkeypatch: pytest.MonkeyPatch, mode: int, reason: str
) -> None:
    server.serve("/a", BODY)
    # Not below the folder of the tests, into which only their owner may look.
    with tempfile.TemporaryDirectory() as closed:
        monkeypatch.setenv("SEQLAB_CACHE", closed)
        Path(closed).chmod(mode)
        stranger = alone(server, "if os.geteuid() == 0:\n    os.setuid(65534)")
        out, error = stranger.communicate(timeout=60)
        assert (stranger.returncode, out) == (1, "")
        assert f"cannot be {reason}: permission denied" in error
        assert not list(Path(closed).iterdir()) or os.geteuid() != 0
        Path(closed).chmod(0o700)


def test_a_cache_that_is_a_file_is_named(server: DataServer, cache: Path, entry: Entry) -> None:
    cache.write_text("no folder")
    with pytest.raises(DataError, match="cannot be written: not a directory"):
        get_dataset(entry({"a.bin": (server.serve("/a", BODY), BODY)}))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_process_leaves_a_part_that_is_gone_on_with(
    server: DataServer, cache: Path, end: signal.Signals
) -> None:
    server.serve("/a", BODY, stalls=1, etag='"one"')
    first = alone(server)
    part = cache / "data/.downloads/tiny/a.bin.part"
    while first.poll() is None and not (part.exists() and part.stat().st_size > len(BODY) // 4):
        time.sleep(0.01)
    first.send_signal(end)
    first.communicate(timeout=60)
    assert find_dataset("tiny") is None
    second = alone(server)
    out, error = second.communicate(timeout=60)
    assert second.returncode == 0, error
    assert (Path(out.strip()) / "a.bin").read_bytes() == BODY
    assert server.asked[1][1].startswith("bytes=")
    assert names(cache) == {"tiny/a.bin"}


def test_of_an_unchecked_archive_only_what_has_a_checksum_is_kept(
    server: DataServer, cache: Path, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    contents = {"train.jsonl": b'{"audio": "wav/a.wav"}\n', "wav/a.wav": b"sound", "known": b"1"}
    contents |= {"other": b"2", "unlisted": b"3", "wav/more": b"4"}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    tiny = entry(
        {"a.tar.gz": (server.serve("/a", packed(contents)), None)},
        prepare=unpacked,
        splits={"train": "train.jsonl"},
        manifest_key="audio",
        files={"train.jsonl": sums["train.jsonl"]},
        extras={"known": sums["known"], "other": sums["known"], "absent": sums["known"]},
    )
    folder = get_dataset(tiny)
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert kept == {"train.jsonl", "wav/a.wav", "known"}
    assert caplog.messages == [
        f"data set 'tiny': other is left out: its sha256 is {sums['other']}, expected {sums['known']}",
        "data set 'tiny': unlisted is left out: the catalogue has no checksum of it",
        "data set 'tiny': wav/more is left out: the catalogue has no checksum of it",
    ]


def kept(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["../wav/a.wav", "..//lists/../wav/./a.wav", "../link/a.wav"])
def test_what_a_manifest_names_in_any_way_is_kept(
    name: str, server: DataServer, cache: Path, entry: Entry
) -> None:
    manifest = (
        b'{"audio": "%s", "more": [{"align": "../wav/a.align"}], "text": "a\\u0000b"}\n' % name.encode()
    )
    contents = {"lists/train.jsonl": manifest, "wav/a.wav": b"a", "wav/a.align": b"b", "wav/b.wav": b"c"}

    def linked(downloads: Path, folder: Path) -> None:
        unpack(downloads / "a.tar.gz", folder)
        (folder / "link").symlink_to("wav")

    tiny = entry(
        {"a.tar.gz": (server.serve("/a", packed(contents)), None)},
        prepare=linked,
        splits={"train": "lists/train.jsonl"},
        manifest_key="audio",
        files={"lists/train.jsonl": hashlib.sha256(manifest).hexdigest()},
    )
    folder = get_dataset(tiny)
    assert kept(folder) == {*contents} - {"wav/b.wav"}
    assert not find_faults(tiny, folder)


@pytest.mark.parametrize("name", ["/usr/bin/env", "../../../outside"])
def test_a_manifest_that_names_what_lies_elsewhere_is_refused(
    name: str, server: DataServer, cache: Path, entry: Entry
) -> None:
    manifest = f'{{"audio": "{name}"}}\n'.encode()
    (cache / "data").mkdir(parents=True)
    (cache / "outside").touch()
    tiny = entry(
        {"a.tar.gz": (server.serve("/a", packed({"train.jsonl": manifest})), None)},
        prepare=unpacked,
        splits={"train": "train.jsonl"},
        manifest_key="audio",
        files={"train.jsonl": hashlib.sha256(manifest).hexdigest()},
    )
    with pytest.raises(DataError, match=rf"train\.jsonl:1: names '{name}', which does not lead"):
        get_dataset(tiny)
    assert find_dataset("tiny") is None


def test_without_a_manifest_key_nothing_is_removed_that_a_split_may_name(
    server: DataServer, cache: Path, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    contents = {"train.tsv": b"wav/a.wav", "dev.tsv": b"wav/b.wav", "wav/a.wav": b"a", "wav/b.wav": b"b"}
    contents["notes"] = b"other than known"
    tiny = entry(
        {"a.tar.gz": (server.serve("/a", packed(contents)), None)},
        prepare=unpacked,
        splits={"train": "train.tsv", "dev": "dev.tsv"},
        files={"train.tsv": hashlib.sha256(contents["train.tsv"]).hexdigest()},
        extras={"notes": "0" * 64},
    )
    assert kept(get_dataset(tiny)) == {*contents} - {"notes"}
    assert [message.partition(": its sha256")[0] for message in caplog.messages] == [
        "data set 'tiny': notes is left out",
        "data set 'tiny': the catalogue has no checksum of dev.tsv and 2 more files;"
        " what was fetched is taken as it is",
    ]
