from __future__ import annotations

import subprocess
import sys

import pytest

from seqlab.audio import UNLIMITED, Declared, Limits


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (0.02, "too short: 0.02 s, at least 0.05 s are needed"),
        (0.05, ""),
        (20.0, ""),
        (20.01, "too long: 20.01 s, at most 20 s are allowed"),
    ],
)
def test_durations(seconds: float, message: str) -> None:
    assert Limits(max_duration=20.0).duration_problem(seconds) == message
    assert UNLIMITED.duration_problem(seconds) == ""


@pytest.mark.parametrize(
    ("rate", "allowed"), [(3999, False), (4000, True), (384_000, True), (384_001, False)]
)
def test_rates(rate: int, *, allowed: bool) -> None:
    message = f"sample rate of {rate} Hz; allowed are 4000 to 384000 Hz"
    assert Limits().rate_problem(rate) == ("" if allowed else message)


@pytest.mark.parametrize("rate", [1, 3999, 384_001, 10**12])
def test_no_limits_are_none_for_rates_either(rate: int) -> None:
    assert UNLIMITED.rate_problem(rate) == ""


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (Declared(), ""),
        (Declared(sample_rate=8000, duration=2.95), ""),
        (Declared(sample_rate=16_000), "has 8000 samples a second, but sample_rate is stated as 16000"),
        (
            Declared(duration=2.8),
            "lasts 3 s, but duration is stated as 2.8 s; they may differ by 0.1 s",
        ),
    ],
)
def test_what_is_stated_must_be_so(declared: Declared, message: str) -> None:
    assert declared.problem(8000, 3.0) == message


def test_settings_and_their_package_need_no_numpy() -> None:
    script = (
        "import sys\n"
        "from seqlab.audio import AudioSettings, Declared, Limits\n"
        "assert not {'torch', 'numpy', 'soundfile'} & set(sys.modules)\n"
        "from seqlab.audio import AudioFile\n"
        "assert 'numpy' in sys.modules\n"
        "assert not {'torch', 'librosa', 'torchaudio'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
