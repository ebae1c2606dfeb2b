from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_distributions import ENCODER_PLUGIN, write_module

from seqlab.cli.main import main


def test_the_schema_holds_components_of_plugins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_module(tmp_path / "mine.py", ENCODER_PLUGIN.format(name="fake_encoder"))
    assert main(["schema"]) == 0
    without = capsys.readouterr().out
    assert main(["schema", "--plugin", str(file)]) == 0
    with_plugin = capsys.readouterr().out
    assert isinstance(json.loads(without), dict)
    assert isinstance(json.loads(with_plugin), dict)
    assert "fake_encoder" not in without
    assert "fake_encoder" in with_plugin
