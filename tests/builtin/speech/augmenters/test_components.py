from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import seqlab
from seqlab.api import Augmenter


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("speed", {"factors": []}, "at least 1 item"),
        ("speed", {"factors": [0.4]}, "greater than or equal to 0.5"),
        ("speed", {"factors": [1.1], "continuous": True}, "factors: nothing lies between 1.1 and itself;"),
        ("speed", {"factors": [0.9, 0.9], "continuous": True}, "with continuous at least two that differ"),
        ("noise", {"snr": [20, 5]}, "the first number is the lower one, got [20, 5]"),
        (
            "noise",
            {"files": ["a.wav"], "exponent": 1},
            "exponent: noise from files has a spectrum of its own",
        ),
        ("noise", {"probability": 0}, "greater than 0"),
        ("gain", {"gain": [3]}, "Field required"),
        ("gain", {"gain": [0, 101]}, "less than or equal to 100"),
        ("reverb", {"rt60": [0, 1]}, "greater than 0"),
        ("reverb", {"files": ["a.wav"], "direct": [0, 1]}, "direct: responses from files have their own"),
        ("spec_augment", {"time_share": 1.5}, "less than or equal to 1"),
        (
            "spec_augment",
            {"bands": 20, "freq_mask": 21},
            "freq_mask: must be at most the number of bands, 20, got 21",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(
    augmenter: Callable[..., Augmenter], name: str, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        augmenter(name, **config)


def test_settings_are_read_without_torch_or_numpy() -> None:
    code = """
import sys
from seqlab.builtin.speech.plugin import seqlab_register_augmenters
for component in seqlab_register_augmenters():
    component.config()
assert not {"torch", "numpy", "soxr"} & set(sys.modules)
"""
    source = str(Path(seqlab.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": source})
