from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy import float32
from numpy.typing import NDArray

import seqlab
from seqlab.audio import AudioFile
from seqlab.audio.espeak import PITCHES, SPEEDS, check_voice, engine, speak, voices
from seqlab.errors import SeqlabError

VOICES = ("en-us", "en+f3", "en-gb-scotland+croak", "en-us+klatt4", "en+adam", "en+whisper")
"""With and without variants, with much flutter, from the other synthesisers in espeak-ng, and of breath."""


def digest(samples: NDArray[float32]) -> str:
    return hashlib.sha256(samples.tobytes()).hexdigest()


def alone(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ) | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1])} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("voice", VOICES)
def test_what_was_said_before_changes_no_sample(voice: str) -> None:
    first = speak("three one four", voice=voice)
    for other in VOICES:
        speak("five", voice=other, speed=300, pitch=90)
        assert np.array_equal(speak("three one four", voice=voice), first)
    assert first.dtype == np.float32
    assert 0.1 < np.abs(first).max() <= 1


def test_another_process_says_the_same_with_the_same_samples() -> None:
    code = (
        "import hashlib\nfrom seqlab.audio.espeak import speak\n"
        f"for voice in {VOICES}:\n"
        "    samples = speak('three one four', voice=voice)\n"
        "    print(hashlib.sha256(samples.tobytes()).hexdigest())\n"
    )
    assert alone(code).split() == [digest(speak("three one four", voice=voice)) for voice in VOICES]


def test_threads_do_not_disturb_each_other() -> None:
    texts = ["one", "two three", "four five six", "seven"] * 4
    expected = [digest(speak(text)) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: digest(speak(text)), texts)) == expected


def test_every_argument_matters() -> None:
    plain = speak("three one four")
    others = [
        speak("three one five"),
        speak("three one four", voice="en+f3"),
        speak("three one four", pitch=80),
        speak("three one four", speed=120),
    ]
    assert len({digest(each) for each in [plain, *others]}) == 5
    assert len(speak("three one four", speed=120)) > 1.2 * len(plain)
    assert abs(len(speak("three one four", sample_rate=8000)) - len(plain) / 2) <= 1


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("pitch", PITCHES)
def test_the_bounds_are_allowed(speed: int, pitch: int) -> None:
    assert len(speak("nine", speed=speed, pitch=pitch))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"speed": 79}, "speed must lie between 80 and 450, got 79"),
        ({"speed": 451}, "speed must lie between 80 and 450, got 451"),
        ({"pitch": -1}, "pitch must lie between 0 and 99, got -1"),
        ({"pitch": 100}, "pitch must lie between 0 and 99, got 100"),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        speak("one", **arguments)  # type: ignore[arg-type]


def test_a_text_of_blanks() -> None:
    with pytest.raises(ValueError, match="there is nothing to say in ' '"):
        speak(" ")


@pytest.mark.parametrize(
    ("voice", "message"),
    [
        ("en-uss", "unknown voice 'en-uss'; did you mean 'en-us'?; en-us is one, all are listed by: "),
        (
            "en-us+f33",
            "unknown variant 'f33' of voice 'en-us+f33'; did you mean 'f3'?; f1 to f5 are some, all are"
            " listed by: ",
        ),
        ("en-us+", "unknown variant '' of voice 'en-us+'"),
        ("", "unknown voice ''"),
    ],
)
def test_an_unknown_voice_is_named_with_the_nearest_one(voice: str, message: str) -> None:
    for use in (check_voice, lambda name: speak("one", voice=name)):
        with pytest.raises(SeqlabError) as caught:
            use(voice)
        assert str(caught.value).startswith(message)


def test_the_listing_that_errors_name_lists_what_is_allowed() -> None:
    with pytest.raises(SeqlabError) as caught:
        check_voice("english")
    command = str(caught.value).partition("listed by: python -c ")[2]
    (code,) = shlex.split(command)
    assert alone(code).strip() == " ".join(voices())
    languages = [name for name in voices() if not name.startswith("+")]
    assert {"de", "en-us", "en-gb-scotland"} <= set(languages)
    for name in voices():
        check_voice(f"en{name}" if name.startswith("+") else name)


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    for use in (lambda: speak("one"), lambda: check_voice("en"), engine, voices):
        with pytest.raises(SeqlabError, match=re.escape('pip install "seqlab[speech]"') + "$"):
            use()


def test_another_user_of_the_library_in_the_process_keeps_his_settings() -> None:
    import espeakng_loader

    rate = 1
    theirs = ctypes.CDLL(espeakng_loader.get_library_path())
    theirs.espeak_Initialize(1, 0, os.fsencode(espeakng_loader.get_data_path()), 0)
    theirs.espeak_SetParameter(rate, 333, 0)
    before = digest(speak("three one four"))
    assert theirs.espeak_GetParameter(rate, 1) == 333
    theirs.espeak_Terminate()
    assert digest(speak("three one four")) == before


def test_nothing_of_an_utterance_is_left_in_the_process() -> None:
    speak("one")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    speak("two")
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert "memfd:espeak" not in Path("/proc/self/maps").read_text()


def test_the_locale_stays_and_torch_is_not_needed() -> None:
    code = (
        "import locale, sys\nfrom seqlab.audio.espeak import speak\n"
        "before = locale.setlocale(locale.LC_CTYPE)\n"
        "speak('three')\n"
        "print(before, locale.setlocale(locale.LC_CTYPE), 'torch' in sys.modules)\n"
    )
    assert alone(code, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0").split() == ["C", "C", "False"]


def test_a_new_utterance_can_be_written_to_a_file(tmp_path: Path) -> None:
    samples = speak("three one four", voice="en-us+f3")
    soundfile.write(tmp_path / "new.wav", samples, 16_000)
    assert np.abs(AudioFile(tmp_path / "new.wav").samples() - samples).max() < 2**-15


def test_the_engine_is_named_with_its_version() -> None:
    assert re.fullmatch(r"espeakng-loader \d+\.\d+\.\d+", engine())
