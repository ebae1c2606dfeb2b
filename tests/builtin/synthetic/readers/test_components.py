from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from seqlab.api import ReaderContext
from seqlab.builtin.synthetic.plugin import seqlab_register_readers
from seqlab.builtin.synthetic.readers.spoken_digits import Ranges, SpokenDigitsReader

COMPONENTS = {component.name: component for component in seqlab_register_readers()}


def build(name: str, **settings: Any) -> Any:
    return COMPONENTS[name].build(COMPONENTS[name].config(**settings), ReaderContext())


def test_every_setting_of_spoken_digits_arrives() -> None:
    reader = build(
        "spoken_digits",
        voices=["en", "en+f1"],
        digits=[1, 2],
        speed=[100, 110],
        pitch=[40, 41],
        gain=[-3, 0],
        snr=None,
        sample_rate=8000,
        seed=5,
    )
    assert isinstance(reader, SpokenDigitsReader)
    assert reader.ranges == Ranges(
        voices=("en", "en+f1"), digits=(1, 2), speed=(100, 110), pitch=(40, 41), gain=(-3, 0), snr=None
    )
    assert (reader.sample_rate, reader.seed) == (8000, 5)
    assert build("spoken_digits").sample_rate == 16_000


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("spoken_digits", {"digits": [7, 3]}, "the first number is the lower one, got [7, 3]"),
        ("spoken_digits", {"digits": [0, 3]}, "Input should be greater than or equal to 1"),
        ("spoken_digits", {"speed": [80, 451]}, "Input should be less than or equal to 450"),
        ("spoken_digits", {"pitch": [0, 100]}, "Input should be less than or equal to 99"),
        ("spoken_digits", {"snr": [30, 10]}, "the first number is the lower one, got [30, 10]"),
        ("spoken_digits", {"voices": []}, "Tuple should have at least 1 item after validation, not 0"),
        ("spoken_digits", {"gain": [0]}, "Field required"),
    ],
)
def test_wrong_settings(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        COMPONENTS[name].config.model_validate(values)
    assert message in [problem["msg"].removeprefix("Value error, ") for problem in caught.value.errors()]


@pytest.mark.parametrize("name", COMPONENTS)
def test_settings_survive_the_recipe_that_a_run_saves(name: str) -> None:
    config = COMPONENTS[name].config()
    assert COMPONENTS[name].config.model_validate(config.model_dump(mode="json")) == config


def test_settings_need_no_numpy_and_reading_no_torch(tmp_path: Path) -> None:
    copies = tmp_path / "data.copy"
    copies.write_text("generate train 2\n")
    digits = tmp_path / "data.digits"
    digits.write_text("generate train 2\n")
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from seqlab.api import ReaderContext\n"
        "from seqlab.builtin.synthetic.plugin import seqlab_register_readers\n"
        "components = seqlab_register_readers()\n"
        "configs = [component.config() for component in components]\n"
        "assert not {'torch', 'numpy', 'soundfile', 'espeakng_loader'} & set(sys.modules)\n"
        "for component, config, file in zip(components, configs, sys.argv[1:], strict=True):\n"
        "    for example in component.build(config, ReaderContext()).read(Path(file)):\n"
        "        assert len(example.fields['audio'].samples() if 'audio' in example.fields else\n"
        "                   example.fields['tokens'])\n"
        "assert not {'torch', 'librosa', 'torchaudio', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, copies, digits], check=True)
