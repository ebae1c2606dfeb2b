from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

import seqlab
from seqlab.engine import CheckpointFolder, load_state, save_state
from seqlab.engine.checkpoint import weights, write_atomically
from seqlab.errors import PackageError

ROOT = str(Path(seqlab.__file__).parents[1])

NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5))
KEYS = st.one_of(st.text(max_size=5), st.integers(-5, 5), st.just("__tensor__"), st.just("pairs"))
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def python(code: str, *args: object, **options: Any) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": ROOT}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], env=environment, **options)


@settings(max_examples=60, deadline=None)
@given(state=st.dictionaries(KEYS, NESTED, max_size=4))
def test_plain_data_comes_back_with_its_types(
    tmp_path_factory: pytest.TempPathFactory, state: dict[Any, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "plain"
    save_state(path, state)
    found = load_state(path)
    assert found == state
    # True == 1 == 1.0 in Python: the types must be compared, too.
    assert repr(found) == repr(state)


def test_numbers_that_are_none_come_back(tmp_path: Path) -> None:
    state: dict[Any, Any] = {"a": float("nan"), "b": [float("inf"), -float("inf")], 3: None, "3": True}
    save_state(tmp_path / "s", state)
    found: dict[Any, Any] = load_state(tmp_path / "s")
    assert found["a"] != found["a"]
    assert found["b"] == [float("inf"), -float("inf")]
    assert found[3] is None
    assert found["3"] is True


def test_tensors_of_every_kind_come_back_bit_by_bit(tmp_path: Path) -> None:
    base = torch.arange(12, dtype=torch.float32)
    tensors: dict[Any, Tensor] = {
        "shares memory": base[:4],
        "and so does this": base[2:6],
        "has gaps": base.reshape(3, 4).t()[1],
        "is transposed": base.reshape(3, 4).t(),
        "is expanded": base[:1].expand(5),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.empty(0, 7),
        "nan": torch.tensor([float("nan"), -0.0, float("inf")]),
        "needs a gradient": torch.ones(2, requires_grad=True),
        "bf16": torch.tensor([1.5, -2], dtype=torch.bfloat16),
        "int64": torch.tensor([2**62, -1]),
        "uint8": torch.get_rng_state()[:64],
        "bool": torch.tensor([True, False]),
        0: torch.tensor([1]),
        "0": torch.tensor([2]),
    }
    state = {"tensors": tensors, "in a list": [base, {"deep": base[1:]}], "a/b": base[0], "a": {"b": base[1]}}
    save_state(tmp_path / "s", state)
    found = load_state(tmp_path / "s")
    assert found["tensors"].keys() == tensors.keys()
    for name, expected in tensors.items():
        assert found["tensors"][name].dtype == expected.dtype, name
        assert torch.equal(found["tensors"][name].nan_to_num(7), expected.nan_to_num(7)), name
        assert torch.equal(found["tensors"][name].isnan(), expected.isnan()), name
    assert torch.equal(found["in a list"][0], base)
    assert torch.equal(found["in a list"][1]["deep"], base[1:])
    assert [found["a/b"].item(), found["a"]["b"].item()] == [0, 1]


def test_what_was_loaded_can_be_changed_without_changing_the_file(tmp_path: Path) -> None:
    save_state(tmp_path / "s", {"a": torch.zeros(3)})
    load_state(tmp_path / "s")["a"].add_(1)
    assert load_state(tmp_path / "s")["a"].tolist() == [0, 0, 0]


def test_weights_are_a_copy() -> None:
    layer = torch.nn.Linear(2, 2)
    copied = weights(layer)
    with torch.no_grad():
        layer.weight.add_(1)
    assert not torch.equal(copied["weight"], layer.weight)
    assert not copied["weight"].requires_grad


# --- interrupted writes ----------------------------------------------------------------------------------

FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from seqlab.engine import save_state
from seqlab.errors import PackageError
path = Path(sys.argv[1])
save_state(path, {"step": 1, "w": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_state(path, {"step": 2, "w": torch.zeros(100_000)})
except PackageError as error:
    print(error)
"""


def test_a_write_that_the_disk_refuses_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "last"
    output, _ = python(FULL_DISK, path, stdout=subprocess.PIPE).communicate(timeout=120)
    message = f"{path}: cannot be written: File too large; what was saved before is intact"
    assert output.decode().strip() == message
    assert load_state(path)["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["last"], "nothing half-written is left"


UNREADABLE_FOLDER = """
import os, sys
from pathlib import Path
from seqlab.engine import load_state, save_state
from seqlab.errors import PackageError
os.chdir(sys.argv[1])
save_state(Path("last"), {"step": 1})
if os.geteuid() == 0:  # who may read everything
    os.chown(".", 65534, -1)
    os.seteuid(65534)
os.chmod(".", 0o300)
try:
    save_state(Path("last"), {"step": 2})
except PackageError as error:
    print(error)
print(load_state(Path("last"))["step"])
os.chmod(".", 0o700)
"""


def test_a_folder_that_cannot_be_forced_to_the_disk_leaves_the_new_file_and_says_so(tmp_path: Path) -> None:
    output, _ = python(UNREADABLE_FOLDER, tmp_path, stdout=subprocess.PIPE).communicate(timeout=120)
    message = (
        "last: replaced, but its folder cannot be forced to the disk: Permission denied;"
        " after a power cut the file may be the one of before"
    )
    assert output.decode().splitlines() == [message, "2"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a read-only folder")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    save_state(tmp_path / "last", {"step": 1})
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PackageError, match=r"Permission denied"):
            save_state(tmp_path / "last", {"step": 2})
        assert load_state(tmp_path / "last")["step"] == 1
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    message = "cannot be written: Not a directory"
    with pytest.raises(PackageError, match=message):
        write_atomically(tmp_path / "file" / "last", b"")
    with pytest.raises(PackageError, match=r"cannot be made: "):
        CheckpointFolder(tmp_path / "file").save({}, None, 0)
    assert (tmp_path / "file").read_text() == "mine"


KEEPS_SAVING = """
import itertools, sys
from pathlib import Path
import torch
from seqlab.engine import CheckpointFolder
folder = CheckpointFolder(Path(sys.argv[1]))
for step in itertools.count(1):
    best = step - step % 2
    folder.save({"step": step, "best_step": best, "w": torch.full((50_000,), step)},
                {"w": torch.full((50_000,), best)} if best else None, best)
    print(step, flush=True)
"""


def test_killed_at_any_moment_a_run_can_be_loaded(tmp_path: Path) -> None:
    moments = random.Random(4)
    for number in range(3):
        process = python(KEEPS_SAVING, tmp_path / "run", stdout=subprocess.PIPE)
        assert process.stdout is not None
        # Wait for work to have begun, not for a time; then strike somewhere inside one of the next writes.
        for _ in range(2 + number):
            assert process.stdout.readline()
        time.sleep(moments.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        state, best = CheckpointFolder(tmp_path / "run").load()
        assert bool((state["w"] == state["step"]).all())
        if state["best_step"]:
            assert best is not None
            assert bool((best["w"] == state["best_step"]).all())
        else:
            assert best is None


# --- files that are not checkpoints ------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    save_state(tmp_path / "whole", {"step": 3, "w": torch.arange(100)})
    return (tmp_path / "whole").read_bytes()


def test_a_file_cut_anywhere_is_a_package_error(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "cut"
    cuts = [0, 1, 7, 8, 9, 50, len(whole) // 2, len(whole) - 1]
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(PackageError, match=r"^.*/cut: not a readable checkpoint"):
            load_state(path)


def test_garbage_is_a_package_error(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "garbage"
    generator = random.Random(1)
    random_bytes = [generator.randbytes(size) for size in (1, 8, 9, 100, 5000)]
    for content in [*random_bytes, b"\0" * 100, b"{}" * 50, b"\xff" * 64, whole[1:], whole + b"more"]:
        path.write_bytes(content)
        with pytest.raises(PackageError, match=r"not a readable checkpoint"):
            load_state(path)


@pytest.mark.parametrize(
    "skeleton",
    [
        "[]",
        "3",
        "{",
        "null",
        '"a"',
        '{"a": 1}',
        '{"pairs": 3}',
        '{"pairs": [[1]]}',
        '{"__tensor__": "x"}',
        '{"pairs": [[[1], 2]]}',
        '{"pairs": [[{}, 2]]}',
        "[" * 5000,
    ],
)
def test_a_header_that_does_not_fit_is_a_package_error(tmp_path: Path, skeleton: str) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "odd", metadata={"state": skeleton})
    with pytest.raises(PackageError, match=r"not a readable checkpoint"):
        load_state(tmp_path / "odd")


def test_other_files_of_the_format_are_a_package_error(tmp_path: Path) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "plain")
    with pytest.raises(PackageError, match=r"not a readable checkpoint"):
        load_state(tmp_path / "plain")
    with pytest.raises(PackageError, match=r"not a readable checkpoint"):
        load_state(tmp_path)
    with pytest.raises(PackageError, match=r"gone: no such checkpoint$"):
        load_state(tmp_path / "gone")


class Exploit:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


def test_loading_never_executes_what_a_file_says(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    (tmp_path / "pickled").write_bytes(pickle.dumps({"state": Exploit(proof)}))
    torch.save({"state": Exploit(proof)}, tmp_path / "torch")
    for name in ("pickled", "torch"):
        with pytest.raises(PackageError, match=r"not a readable checkpoint"):
            load_state(tmp_path / name)
    assert not proof.exists()


# --- the folder of a run ---------------------------------------------------------------------------------


def test_last_and_best_come_back_and_older_bests_go(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "new" / "run")
    folder.save({"step": 1}, None, 0)
    assert CheckpointFolder(folder.path).load() == ({"step": 1}, None)
    for step in (2, 3):
        folder.save({"step": step}, {"w": torch.tensor([step])}, step)
    folder.save({"step": 4}, {"w": torch.tensor([3])}, 3)
    state, best = CheckpointFolder(folder.path).load()
    assert state == {"step": 4}
    assert best is not None
    assert best["w"].tolist() == [3]
    assert sorted(each.name for each in folder.path.iterdir()) == [
        "best-00000003.safetensors",
        "last.safetensors",
    ]


def test_best_weights_that_an_older_run_left_are_not_taken_for_ours(tmp_path: Path) -> None:
    CheckpointFolder(tmp_path).save({}, {"w": torch.tensor([1])}, 5)
    CheckpointFolder(tmp_path).save({}, {"w": torch.tensor([2])}, 5)
    best = CheckpointFolder(tmp_path).load()[1]
    assert best is not None
    assert best["w"].tolist() == [2]


def test_a_best_that_stays_is_written_once(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save({"step": 1}, {"w": torch.tensor([1])}, 1)
    before = (tmp_path / "best-00000001.safetensors").stat()
    folder.save({"step": 2}, {"w": torch.tensor([1])}, 1)
    after = (tmp_path / "best-00000001.safetensors").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_folder_that_is_not_whole_is_a_package_error(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(PackageError, match=r"last.safetensors: no such checkpoint$"):
        folder.load()
    folder.save({}, {"w": torch.ones(1)}, 1)
    (tmp_path / "best-00000001.safetensors").unlink()
    with pytest.raises(PackageError, match=r"best-00000001.safetensors: no such checkpoint$"):
        folder.load()
    save_state(folder.last, {"step": 1})
    with pytest.raises(PackageError, match=r"last.safetensors: not the checkpoint of a run"):
        folder.load()


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "last.safetensors", 3, ["best-1.safetensors"], ""]
)
def test_a_checkpoint_names_no_other_file_than_best_weights(name: Any, tmp_path: Path) -> None:
    save_state(tmp_path / "secret", {"model": {}})
    folder = CheckpointFolder(tmp_path / "run")
    folder.save({}, None, 0)
    save_state(folder.last, {"best": name})
    with pytest.raises(PackageError, match=r"last.safetensors: not the checkpoint of a run"):
        folder.load()


def test_a_folder_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "checkpoints").symlink_to("mine")
    with pytest.raises(PackageError, match=r"checkpoints: it is a link, and no link is written through$"):
        CheckpointFolder(tmp_path / "checkpoints").save({}, None, 0)
    assert not list((tmp_path / "mine").iterdir())


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for name in ("last", "last.partial"):
        (tmp_path / name).symlink_to("mine")
    save_state(tmp_path / "last", {"step": 1})
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "last").is_symlink()


def test_a_fifo_or_a_device_is_no_checkpoint_and_hangs_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, what in {"fifo": "a FIFO", "zero": "a device"}.items():
        with pytest.raises(PackageError, match=f"{name}: not a readable checkpoint .*it is {what}"):
            load_state(tmp_path / name)


def test_the_header_is_json_that_anyone_can_read(tmp_path: Path) -> None:
    save_state(tmp_path / "s", {"step": 3})
    content = (tmp_path / "s").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["state"]) == {"pairs": [["step", 3]]}


def test_a_save_that_fails_between_best_and_last_leaves_a_pair_that_belongs_together(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save({"step": 1}, {"w": torch.tensor([1])}, 1)
    with pytest.raises(TypeError, match="not JSON serializable"):
        folder.save({"step": object()}, {"w": torch.tensor([2])}, 2)
    state, best = CheckpointFolder(tmp_path).load()
    assert state == {"step": 1}
    assert best is not None
    assert best["w"].tolist() == [1]
