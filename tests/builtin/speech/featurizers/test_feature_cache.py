from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import seqlab
from seqlab.api import SeqlabError
from seqlab.builtin.speech.featurizers import feature_cache
from seqlab.builtin.speech.featurizers.feature_cache import (
    FeatureCache,
    cache_folder,
    cache_info,
    clear_cache,
)
from seqlab.builtin.speech.featurizers.frames import Frames

IDENTITY = {"n_mels": 3, "versions": {"torch": "2"}, "floor": 1e-10, "log_floor": None}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path))
    return tmp_path / "features"


def cache() -> FeatureCache:
    return FeatureCache(IDENTITY, 3)


def some_frames(*names: str) -> dict[str, Frames]:
    return {
        name: np.random.default_rng(len(name)).standard_normal((2 + len(name), 3)).astype(np.float32)
        for name in names
    }


def assert_same(found: Mapping[str, Frames], expected: Mapping[str, Frames]) -> None:
    assert found.keys() == expected.keys()
    for name, frames in found.items():
        assert np.array_equal(frames, expected[name]), name


def packed() -> Path:
    """The one file of the cache."""
    (path,) = cache_folder().glob("*/*")
    return path


def test_what_is_added_is_found_by_others_and_stays_on_the_disk() -> None:
    frames = some_frames("a", "bcd", "☃")
    assert_same(cache().add(frames), frames)
    found = cache().find(["a", "☃", "never seen", "bcd"])
    assert_same(found, frames)
    assert all(mapped(each) for each in found.values())


def mapped(array: object) -> bool:
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False


def test_files_that_others_add_later_are_found() -> None:
    one = cache()
    assert one.find(["a"]) == {}
    cache().add(some_frames("a"))
    assert_same(one.find(["a"]), some_frames("a"))


def test_other_settings_have_other_frames() -> None:
    cache().add(some_frames("a"))
    assert FeatureCache({**IDENTITY, "floor": 1e-9}, 3).find(["a"]) == {}
    assert FeatureCache(IDENTITY, 4).find(["a"]) == {}


def test_a_file_of_other_settings_under_this_name_is_not_believed() -> None:
    other = FeatureCache({**IDENTITY, "floor": 1e-9}, 3)
    other.add(some_frames("a"))
    cache().folder.mkdir()
    packed().rename(cache().folder / "0.frames")
    assert cache().find(["a"]) == {}


def test_a_changed_byte_never_gives_other_frames() -> None:
    frames = some_frames("a", "bcd")
    cache().add(frames)
    path = packed()
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        found = cache().find(frames)
        assert len(found) < 2, f"byte {place}"
        assert_same(found, {name: frames[name] for name in found})
        assert not path.exists(), "so that it is written anew"


def test_a_cut_file_is_computed_again() -> None:
    frames = some_frames("a", "bcd")
    cache().add(frames)
    path = packed()
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache().find(frames) == {}
        assert_same(cache().add(frames), frames)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("rest", [b"", b"longer", bytes(4_000)])
def test_a_file_that_is_cut_or_grows_after_its_header_was_read(rest: bytes) -> None:
    frames = some_frames("a", "bcd")
    cache().add(frames)
    reader = cache()
    reader.find([])
    packed().write_bytes(packed().read_bytes()[:200] + rest)
    assert_same(reader.find(frames), {})
    assert_same(reader.add(frames), frames)


def test_a_header_that_asks_for_all_the_memory_is_not_followed() -> None:
    cache().add(some_frames("a"))
    path = packed()
    path.write_bytes(feature_cache.PREAMBLE.pack(feature_cache.MAGIC, 0, 1 << 62) + path.read_bytes())
    assert cache().find(["a"]) == {}


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b"1",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"settings": 1, "sounds": 1}',
        b'{"settings": 1, "sounds": [1]}',
        b'{"settings": 1, "sounds": [["a", 1]]}',
        b'{"settings": 1, "sounds": [[1, 1, 1]]}',
        b'{"settings": 1, "sounds": [[["a"], 1, 1]]}',
        b'{"settings": 1, "sounds": [["a", -1, 1]]}',
        b'{"settings": 1, "sounds": [["a", 1e300, 1]]}',
        b'{"settings": 1, "sounds": [["a", true, 1]]}',
        b'{"settings": 1, "sounds": [["a", 1, null]]}',
        b'{"settings": SETTINGS, "sounds": [["a", 99999999999999999999, 1]]}',
        b'{"settings": SETTINGS, "sounds": [["a", 0, 99999999999999999999]]}',
    ],
)
def test_an_odd_header_with_the_right_checksum_is_skipped_and_its_sounds_are_computed(header: bytes) -> None:
    frames = some_frames("a")
    cache().add(frames)
    odd = header.replace(b"SETTINGS", json.dumps(cache().identity).encode())
    preamble = feature_cache.PREAMBLE.pack(feature_cache.MAGIC, zlib.crc32(odd), len(odd))
    packed().write_bytes(preamble + odd)
    assert cache_info().entries <= 1
    assert cache().find(["a"]) == {}
    assert_same(cache().add(frames), frames)
    assert_same(cache().find(["a"]), frames)


def test_a_fifo_or_a_device_in_the_cache_hangs_nobody() -> None:
    frames = some_frames("a")
    cache().add(frames)
    folder = packed().parent
    os.mkfifo(folder / "fifo.frames")
    (folder / "zero.frames").symlink_to("/dev/zero")
    assert_same(cache().find(["a"]), frames)
    assert cache_info().entries == 1


def test_a_link_in_the_place_of_the_folder_is_neither_written_through_nor_cleared(
    own_cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.partial").write_text("text")
    own_cache.mkdir()
    cache().folder.symlink_to(mine)
    frames = some_frames("a")
    assert_same(cache().add(frames), frames)
    assert "cannot be written: it is a link, and no link is written through" in caplog.text
    clear_cache()
    assert [path.name for path in mine.iterdir()] == ["thesis.partial"]


def test_frames_that_are_cleared_away_are_computed_again() -> None:
    reader = cache()
    frames = reader.add(some_frames("a"))
    clear_cache()
    assert_same(frames, some_frames("a"))
    assert reader.find(["a"]) == {}
    assert_same(reader.add(some_frames("a")), some_frames("a"))
    assert_same(reader.find(["a"]), some_frames("a"))


def test_a_cache_that_cannot_be_written_warns_once(own_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    own_cache.write_text("a file where the folder should be")
    blocked = cache()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert_same(blocked.add(some_frames("a")), some_frames("a"))
            assert blocked.find(["a"]) == {}
    (message,) = caplog.messages
    assert message.startswith(f"features are not kept: {blocked.folder} cannot be written: ")


FULL_DISK = """
import resource
import numpy as np
from seqlab.builtin.speech.featurizers.feature_cache import FeatureCache

resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
large = {"a": np.ones((5_000, 3), dtype=np.float32)}
assert np.array_equal(FeatureCache({}, 3).add(large)["a"], large["a"])
"""


def test_a_full_disk_leaves_nothing_half_written(own_cache: Path) -> None:
    """In a process of its own: the limit would be that of this one's output, too."""
    environment = {"SEQLAB_CACHE": str(own_cache.parent), "PYTHONPATH": str(Path(seqlab.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], capture_output=True, check=True, env=environment, text=True
    )
    folder = cache_folder()
    assert done.stderr.startswith(f"features are not kept: {folder}")
    assert done.stderr.endswith(" cannot be written: File too large\n")
    assert list(own_cache.glob("*/*")) == []


def test_the_cache_can_be_looked_at_and_cleared(own_cache: Path) -> None:
    assert cache_info().files == 0
    cache().add(some_frames("a", "bcd"))
    FeatureCache({"other": 1}, 3).add(some_frames("a"))
    half = cache().folder / f"x.0{feature_cache.PARTIAL}"
    half.write_bytes(b"half written")
    foreign = cache().folder / "notes.txt"
    foreign.write_text("not the cache's")
    sizes = [path.stat().st_size for path in own_cache.glob("*/*") if path != foreign]
    info = cache_info()
    assert (info.path, info.entries, info.files, info.size) == (own_cache, 3, 3, sum(sizes))
    assert clear_cache() == info
    assert list(own_cache.glob("*/*")) == [foreign]
    assert clear_cache().entries == cache_info().size == 0


def test_a_broken_file_counts_without_entries() -> None:
    cache().add(some_frames("a"))
    packed().write_bytes(b"broken")
    assert (cache_info().entries, cache_info().files) == (0, 1)
    assert clear_cache().files == 1
    assert cache_info().files == 0


def test_a_file_that_cannot_be_removed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cache().add(some_frames("a"))

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SeqlabError, match=r"cache .*\.frames: cannot be removed: Permission denied"):
        clear_cache()


WORKER = """
import sys
import numpy as np
from seqlab.builtin.speech.featurizers.feature_cache import FeatureCache

which = int(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
cache = FeatureCache({"shared": True}, 5)
for turn in range(60):
    names = [f"{turn}-{number}" for number in range(4)]
    mine = {name: np.full((20, 5), len(name) + turn, np.float32) for name in names}
    found = cache.find(names)
    missing = {name: mine[name] for name in names if name not in found}
    for name, frames in (found | (cache.add(missing) if missing else {})).items():
        assert np.array_equal(frames, mine[name]), name
"""


def test_two_processes_share_a_cache(own_cache: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(seqlab.__file__).parents[1]), "SEQLAB_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", WORKER]
    both = [
        subprocess.Popen(
            [*command, str(which)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        for which in range(2)
    ]
    for process in both:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        process.communicate()
        assert process.returncode == 0
    names = [f"{turn}-{number}" for turn in range(60) for number in range(4)]
    assert len(FeatureCache({"shared": True}, 5).find(names)) == 240
    assert not list(own_cache.glob(f"*/*{feature_cache.PARTIAL}"))
