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
    OPTIONAL,
    Finding,
    check_cpu_features,
    check_data,
    check_import,
    check_plugins,
    check_version,
)
from seqlab.cli.remedies import install_command, requirement, torchaudio_advice
from seqlab.distributions import installed_version
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
    known, remedy = torchaudio_advice(
        torch.__version__, installed_version("torchaudio"), cuda=torch.version.cuda is not None
    )
    assert found["torchaudio import"] == {
        "name": "torchaudio import",
        "ok": False,
        "detail": f"OSError: libc10_cuda.so: cannot open shared object file; {known}",
        "remedy": remedy,
    }
    assert found["plugins"]["remedy"] == "export SEQLAB_DISABLE_PLUGINS=broken"
    assert found["torch import"]["ok"]
    assert "CUDA devices: " in found["torch import"]["detail"]
    auto = resolve("auto", torch.device("cpu"))
    assert f"; precision auto: {auto} on cpu" in found["torch import"]["detail"]
    assert {name for name, finding in found.items() if not finding["ok"]} == {"torchaudio import", "plugins"}
    assert {*doctor.REQUIRED, *doctor.OPTIONAL} <= set(found)


def test_doctor_exits_with_0_when_all_is_well(tmp_path: Path, seqlab_process: Process) -> None:
    fakes = {  # small stand-ins that import, for speed
        "torch": "get_num_threads = lambda: 3\nclass version: cuda = None",
        "librosa": "stft = 0\nclass filters: mel = 0",
        "soundfile": "",
    }
    for name, source in fakes.items():
        (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / "torchaudio.py").write_text("raise ModuleNotFoundError(\"No module named 'torchaudio'\")")
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
    if "sleep" in source:
        monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.5)
    assert check_import("soundfile") == Finding(
        "soundfile import", False, detail, f'pip install --force-reinstall "{requirement("soundfile")}"'
    )


def test_a_missing_distribution_is_to_be_installed_in_the_range_that_seqlab_requires(site: Path) -> None:
    assert check_version("soundfile") == Finding(
        "soundfile", False, "not installed", 'pip install "soundfile>=0.13"'
    )
    assert check_version("torch").remedy == 'pip install "torch<2.15,>=2.11"'
    for name in OPTIONAL:
        asked = f"not installed; only backend: {name} asks for it"
        assert check_version(name) == Finding(name, True, asked)
    assert check_version("seqlab").ok


@pytest.mark.parametrize("version", ["2.11.0", "2.12.1+cpu", "2.14.0+cu130", "2.14.1"])
def test_a_torch_within_the_range_is_well(version: str, site: Path) -> None:
    install(site, Distribution(name="torch", module="torch", source="", version=version))
    assert check_version("torch") == Finding("torch", True, version)


@pytest.mark.parametrize("version", ["2.10.0", "2.15.0", "2.15.0+cpu"])
def test_a_torch_outside_the_range_is_told_with_what_is_inside(version: str, site: Path) -> None:
    install(site, Distribution(name="torch", module="torch", source="", version=version))
    finding = check_version("torch")
    assert finding.detail == f"{version}; seqlab requires <2.15,>=2.11"
    assert (finding.ok, finding.remedy) == (False, install_command("torch", version))


def test_a_torch_without_cuda_that_does_not_import_is_followed_by_another(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "raise OSError('libgomp.so.1: cannot open shared object file')"
    install(site, Distribution(name="torch", module="torch", source=source, version="2.13.0+cpu"))
    monkeypatch.setenv("PYTHONPATH", str(site))
    finding = doctor.check_torch()
    assert finding.detail == "OSError: libgomp.so.1: cannot open shared object file"
    assert finding.remedy == install_command("torch", "2.13.0+cpu", anew=True)


def test_run_from_its_sources_seqlab_requires_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert check_version("seqlab").ok
    assert check_version("soundfile").remedy == 'pip install "soundfile"'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of packages: it holds what pip writes of seqlab's requirements, and nothing else."""
    metadata = install(tmp_path, Distribution(name="seqlab", module="seqlab_fake", source="")).parent
    required = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    with (metadata / "seqlab-1.0.dist-info/METADATA").open("a") as file:
        file.writelines(f"Requires-Dist: {one}\n" for one in required)
        file.write('Requires-Dist: librosa>=99; extra == "dev"\n')
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    return tmp_path


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
