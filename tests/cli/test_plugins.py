from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_distributions import ENCODER_PLUGIN, Distribution, install

Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    install(tmp_path, Distribution(name="good", module="fake_good", source=ENCODER_PLUGIN.format(name="crf")))
    install(tmp_path, Distribution(name="unwanted", module="fake_unwanted", source="1 / 0"))
    return install(tmp_path, Distribution(name="broken", module="fake_broken", source="1 / 0"))


def test_listing_names_plugins_failures_and_disabled_ones(broken: Path, seqlab_process: Process) -> None:
    done = seqlab_process("plugins", SEQLAB_DISABLE_PLUGINS="unwanted")
    assert (done.returncode, done.stderr) == (0, "")
    assert "good (good 1.0, entry point)\n  encoders: crf\n" in done.stdout
    assert done.stdout.endswith(
        "failed: plugin 'broken' (broken 1.0): importing fake_broken raised "
        f"ZeroDivisionError: division by zero ({broken}:1)\ndisabled: unwanted\n"
    )


def test_json_holds_the_same(broken: Path, seqlab_process: Process) -> None:
    done = seqlab_process("plugins", "--json", SEQLAB_DISABLE_PLUGINS="unwanted")
    data = json.loads(done.stdout)
    assert {
        "name": "good",
        "distribution": "good",
        "version": "1.0",
        "origin": "entry point",
        "components": [{"kind": "encoder", "name": "crf"}],
        "hooks": ["seqlab_register_encoders"],
        "datasets": [],
        "field_kinds": [],
        "writers": [],
    } in data["plugins"]
    assert [failure["plugin"] for failure in data["failures"]] == ["broken"]
    assert data["disabled"] == ["unwanted"]


def test_the_built_in_parts_come_first_from_the_plugin_seqlab(seqlab_process: Process) -> None:
    first = json.loads(seqlab_process("plugins", "--json").stdout)["plugins"][0]
    assert (first["name"], first["origin"]) == ("seqlab", "built-in")
    assert {"kind": "encoder", "name": "bilstm"} in first["components"]
    assert "pos_ewt" in first["datasets"]
