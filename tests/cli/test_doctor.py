from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fake_distributions import Distribution, install, write_module

from seqlab.cli import doctor
from seqlab.cli.doctor import (
    Finding,
    check_cpu_features,
    check_data,
    check_import,
    check_plugins,
    check_version,
)
from seqlab.engine.precision import resolve
from seqlab.errors import PluginError

Process = Callable[..., "subprocess.CompletedProcess[str]"]

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_a_broken_torchaudio_is_found_with_its_remedy(tmp_path: Path, seqlab_process: Process) -> None:
    write_module(
        tmp_path / "torchaudio.py", "raise OSError('libc10_cuda.so: cannot open shared object file')"
    )
    install(tmp_path, Distribution(name="broken", module="fake_broken", source="1 / 0"))
    done = seqlab_process("doctor", "--json", SEQLAB_DATA=str(tmp_path))
    assert done.returncode == 1
    found = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert found["torchaudio import"] == {
        "name": "torchaudio import",
        "ok": False,
        "detail": "OSError: libc10_cuda.so: cannot open shared object file",
        "remedy": 'pip install "torch>=2.11,<2.13" "torchaudio>=2.11,<2.12"',
    }
    assert found["plugins"]["remedy"] == "export SEQLAB_DISABLE_PLUGINS=broken"
    assert found["torch import"]["ok"]
    assert "CUDA devices: " in found["torch import"]["detail"]
    auto = resolve("auto", torch.device("cpu"))
    assert f"; precision auto: {auto} on cpu" in found["torch import"]["detail"]
    assert {name for name, finding in found.items() if not finding["ok"]} == {"torchaudio import", "plugins"}
    assert set(doctor.DISTRIBUTIONS) <= set(found)


def test_doctor_exits_with_0_when_all_is_well(tmp_path: Path, seqlab_process: Process) -> None:
    fakes = {  # small stand-ins that import, for speed
        "torch": "get_num_threads = lambda: 3\nclass version: cuda = None",
        "librosa": "class feature: mfcc = 0\nclass filters: mel = 0\nclass util: frame = 0",
        "soundfile": "",
    }
    for name, source in fakes.items():
        (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / "torchaudio").mkdir()
    for name in ("__init__", "transforms"):
        (tmp_path / "torchaudio" / f"{name}.py").touch()
    done = seqlab_process("doctor", SEQLAB_DISABLE_PLUGINS="all", SEQLAB_DATA="")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "works, 3 threads; CUDA devices: none: this torch is built without CUDA; " in done.stdout
    assert "; precision auto: unknown: ImportError: " in done.stdout
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())


def test_the_listing_puts_the_remedy_below_what_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.print_findings(
        [Finding("torch", True, "2.12.1"), Finding("numpy", False, "gone", "pip install numpy")]
    )
    assert capsys.readouterr().out == (
        "ok     torch  2.12.1\nBROKEN numpy  gone\n              mend it with: pip install numpy\n"
    )


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "importing it dies of SIGSEGV"),
        ("import os; os._exit(9)", "importing it ends Python with exit code 9"),
        ("raise RuntimeError('built for\\n  another torch')", "RuntimeError: built for another torch"),
        ("import time; time.sleep(60)", "importing it takes more than 0.5 s"),
    ],
)
def test_however_an_import_fails_doctor_lives(
    source: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(tmp_path / "soundfile.py", source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if "time" in source:
        monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.5)
    assert check_import("soundfile") == Finding(
        "soundfile import", False, detail, "pip install --force-reinstall soundfile"
    )


def test_a_missing_distribution_is_to_be_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert check_version("soundfile") == Finding("soundfile", False, "not installed", "pip install soundfile")
    assert check_version("torch").remedy == doctor.TORCH_PAIR
    assert check_version("seqlab").ok


def test_the_remedy_for_torch_is_what_seqlab_requires() -> None:
    required = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    pair = " ".join(f'"{one}"' for one in required if one.startswith("torch"))
    assert f"pip install {pair}" == doctor.TORCH_PAIR


def test_data_folder_unset_missing_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    assert check_data().ok
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "gone"))
    assert not check_data().ok
    assert check_data().remedy
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    assert check_data() == Finding("SEQLAB_DATA", True, f"{tmp_path} exists")


def test_failed_plugins_are_named_with_what_leaves_them_out() -> None:
    assert check_plugins(()).ok
    finding = check_plugins((PluginError("broke", plugin="b"), PluginError("broke", plugin="a")))
    assert finding == Finding(
        "plugins", False, "plugin 'b': broke; plugin 'a': broke", "export SEQLAB_DISABLE_PLUGINS=a,b"
    )


def test_cpu_features_are_read_from_the_flags_or_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(doctor, "CPUINFO", cpuinfo)
    assert check_cpu_features().detail == "unknown"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f amx_bf16\n")
    assert check_cpu_features().detail == "AVX2 yes, AVX-512F yes, AVX512-BF16 no, AMX-BF16 yes, AMX-INT8 no"
