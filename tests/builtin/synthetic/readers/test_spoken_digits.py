from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import tone

from seqlab import Lab, RecipeError
from seqlab.api import Audio, DataError, Example, Reader, SeqlabError
from seqlab.audio.espeak import LISTING
from seqlab.builtin.synthetic.readers.spoken_digits import DIGITS, Ranges, SpokenDigits, SpokenDigitsReader
from seqlab.run import RunOptions

RANGES = Ranges(
    voices=("en", "en-us+f2", "en-gb-scotland"),
    digits=(3, 7),
    speed=(100, 200),
    pitch=(30, 70),
    gain=(-12.0, 0.0),
    snr=(10.0, 40.0),
)


def reader(*, seed: int = 1, sample_rate: int = 8000, **changes: Any) -> SpokenDigitsReader:
    return SpokenDigitsReader(replace(RANGES, **changes), sample_rate, seed=seed)


def read(tmp_path: Path, text: str, subject: SpokenDigitsReader | None = None) -> list[Example]:
    path = tmp_path / "data.digits"
    path.write_text(text)
    return list((subject or reader()).read(path))


def sounds(examples: list[Example]) -> list[SpokenDigits]:
    return [example.fields["audio"] for example in examples]


def texts(examples: list[Example]) -> list[str]:
    return [example.fields["text"] for example in examples]


def spoken(**changes: Any) -> SpokenDigits:
    plain: dict[str, Any] = {
        "text": "three one four",
        "voice": "en",
        "speed": 150,
        "pitch": 50,
        "gain": -6.0,
        "snr": 20.0,
        "noise": 7,
        "sample_rate": 8000,
    }
    return SpokenDigits(**plain | changes)


# --- what is drawn -----------------------------------------------------------------------------------------


def test_a_line_of_digits_is_one_utterance_in_words_or_figures(tmp_path: Path) -> None:
    subject: Reader = reader()
    examples = read(tmp_path, "# by hand\n\nthree one four\n3 1 4\n314\n")
    assert texts(examples) == ["three one four"] * 3
    assert set(examples[0].fields) == set(subject.fields)
    assert [str(example.place) for example in examples] == [f"{tmp_path}/data.digits:{n}" for n in (3, 4, 5)]
    assert len(set(sounds(examples))) == 1
    assert len({example.origin.id for example in examples}) == 3


def test_what_is_drawn_follows_from_the_seed_and_the_name_alone(tmp_path: Path) -> None:
    train, again, dev = (
        sounds(read(tmp_path, f"generate {name} 50\n")) for name in ("train", "train", "dev")
    )
    assert train == again
    assert not set(train) & set(dev)
    assert not set(train) & set(sounds(read(tmp_path, "generate train 50\n", reader(seed=2))))
    assert sounds(read(tmp_path, "generate dev 50\n314\ngenerate train 20\n"))[51:] == train[:20]
    for one, other in zip(train[:3], again, strict=False):
        assert np.array_equal(one.samples(), other.samples())


def test_the_draw_is_the_same_for_ever(tmp_path: Path) -> None:
    """Data that changed with a version of Python would not be the data of the run any more."""
    (first, _) = sounds(read(tmp_path, "generate train 2\n"))
    assert first == SpokenDigits(
        text="one one three five three",
        voice="en-gb-scotland",
        speed=182,
        pitch=59,
        gain=-1.0883706408062288,
        snr=34.594831489920054,
        noise=2792377027,
        sample_rate=8000,
    )


def test_everything_is_drawn_evenly_and_within_its_bounds(tmp_path: Path) -> None:
    examples = read(tmp_path, "generate train 1000\n")
    drawn = sounds(examples)
    digits = Counter(digit for text in texts(examples) for digit in text.split())
    assert set(digits) == set(DIGITS)
    assert all(abs(count - 500) < 100 for count in digits.values()), digits
    voices = Counter(example.origin.speaker for example in examples)
    assert set(voices) == set(RANGES.voices)
    assert all(abs(count - 333) < 80 for count in voices.values()), voices
    assert {len(text.split()) for text in texts(examples)} == set(range(3, 8))
    for name in ("speed", "pitch", "gain", "snr"):
        least, most = getattr(RANGES, name)
        values = [getattr(sound, name) for sound in drawn]
        assert least <= min(values) < least + 0.05 * (most - least)
        assert most >= max(values) > most - 0.05 * (most - least)


def test_voices_of_a_line_take_the_place_of_the_settings(tmp_path: Path) -> None:
    examples = read(tmp_path, "generate strangers 50 en+m1 en+f5\ngenerate test 50\n")
    speakers = [example.origin.speaker for example in examples]
    assert set(speakers[:50]) == {"en+m1", "en+f5"}
    assert set(speakers[50:]) == set(RANGES.voices)


def test_without_labels_the_sounds_are_the_same(tmp_path: Path) -> None:
    labelled = read(tmp_path, "generate train 5\n")
    bare = list(reader().read(tmp_path / "data.digits", labelled=False))
    assert [each.fields for each in bare] == [{"audio": each.fields["audio"]} for each in labelled]
    assert [each.origin for each in bare] == [each.origin for each in labelled]


# --- sound -------------------------------------------------------------------------------------------------


def test_an_utterance_is_an_audio_of_the_wanted_rate() -> None:
    audio: Audio = spoken()
    samples = audio.samples()
    assert samples.dtype == np.float32
    assert audio.duration == len(samples) / 8000
    assert abs(len(spoken(sample_rate=16_000).samples()) - 2 * len(samples)) <= 2
    assert np.array_equal(samples, spoken().samples())


def test_noise_has_the_level_that_is_asked_for() -> None:
    clean = spoken(snr=None).samples()
    for snr in (0.0, 20.0):
        noise = spoken(snr=snr).samples() - clean
        found = 10 * np.log10(np.mean(np.square(clean)) / np.mean(np.square(noise)))
        assert abs(found - snr) < 0.2


def test_gain_is_in_decibels_and_nothing_leaves_full_scale() -> None:
    loud, quiet = (np.abs(spoken(snr=None, gain=gain).samples()).max() for gain in (-6.0, -26.0))
    assert abs(loud / quiet - 10) < 1e-3
    assert np.abs(spoken(gain=20.0, snr=0.0).samples()).max() <= 1


def test_a_fingerprint_names_all_that_makes_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"text": "three one"},
        {"voice": "en-us"},
        {"speed": 151},
        {"pitch": 51},
        {"gain": -6.1},
        {"snr": None},
        {"noise": 8},
        {"sample_rate": 16_000},
    ]
    names = {spoken(**change).fingerprint for change in changes}
    assert len(names) == len(changes)
    assert spoken().fingerprint in names
    monkeypatch.setattr("seqlab.builtin.synthetic.readers.spoken_digits.engine", lambda: "espeakng-loader 99")
    assert spoken().fingerprint not in names


# --- writing, and sound that was not generated -------------------------------------------------------------


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    examples = read(tmp_path, "three one four\n2 7\n")
    written = "".join(reader().write(each, {"text": each.fields["text"]}) for each in examples)
    assert written == "three one four\ntwo seven\n"
    assert written == "".join(reader().write(each, {}) for each in examples)
    assert [each.fields for each in read(tmp_path, written)] == [each.fields for each in examples]


@pytest.mark.parametrize("answer", ["three on four", ""])
def test_an_answer_that_is_no_line_of_digits_cannot_be_written(tmp_path: Path, answer: str) -> None:
    (example,) = read(tmp_path, "314\n")
    message = re.escape(f"data.digits:1: {answer!r} cannot be written as a line of digits; choose jsonl")
    with pytest.raises(DataError, match=message):
        reader().write(example, {"text": answer})


def test_a_recording_is_brought_to_the_rate_of_the_data() -> None:
    example = reader().take((tone(1.0, 16_000), 16_000))
    assert (example.fields["audio"].sample_rate, len(example.fields["audio"].samples())) == (8000, 8000)
    assert reader().write(example, {"text": "one two"}) == "one two\n"


# --- what is wrong -----------------------------------------------------------------------------------------

GENERATE = "'generate NAME COUNT' with a count of at least 1, and voices where they are special"
ALLOWED = "allowed are zero to nine, 0 to 9, or a line 'generate NAME COUNT'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "data.digits: no utterances"),
        ("# nothing\n\n", "data.digits: no utterances"),
        (
            "one two\none thre\n",
            f"data.digits:2: unknown digit 'thre'; did you mean 'three'?; {ALLOWED}",
        ),
        (
            "gnerate train 3\n",
            f"data.digits:1: unknown digit 'gnerate'; did you mean 'generate'?; {ALLOWED}",
        ),
        ("generate 200\n", f"data.digits:1: expected {GENERATE}, got 'generate 200'"),
        ("generate\n", f"data.digits:1: expected {GENERATE}, got 'generate'"),
        ("generate train 0\n", f"data.digits:1: expected {GENERATE}, got 'generate train 0'"),
        ("generate train -2\n", f"data.digits:1: expected {GENERATE}, got 'generate train -2'"),
        (
            "generate train 2\n314\ngenerate train 3\n",
            "data.digits:3: 'train' is generated twice, first at {folder}/data.digits:1;"
            " other names give other utterances",
        ),
        (
            "generate test 2 en en+f33\n",
            "data.digits:1: unknown variant 'f33' of voice 'en+f33'; did you mean 'f3'?; f1 to f5 are some,"
            f" all are listed by: {LISTING}",
        ),
    ],
)
def test_a_bad_line_is_an_error_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/{message.format(folder=tmp_path)}"


def test_a_voice_of_the_settings_is_checked_before_anything_is_read(tmp_path: Path) -> None:
    message = "^voices: unknown voice 'en-uss'; did you mean 'en-us'"
    with pytest.raises(SeqlabError, match=message):
        next(reader(voices=("en", "en-uss")).read(tmp_path / "none.digits"))


def test_only_reading_needs_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model that learned from generated speech is put to use where nothing is generated."""
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    subject = reader()
    assert subject.take((tone(1.0), 16_000)).fields["audio"].duration == 1
    with pytest.raises(SeqlabError, match=r"^speech is made by espeak-ng, .*" + re.escape('seqlab[speech]"')):
        next(subject.read(tmp_path / "none.digits"))


def test_an_unknown_voice_of_a_recipe_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.digits").write_text("3 1 4\n")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "data:\n  reader: {name: spoken_digits, voices: [en-uss]}\n  train: a.digits\n"
        "features: [log_mel]\nencoder: bilstm\nhead: ctc\n"
    )
    with pytest.raises(
        RecipeError, match=r"r\.yaml:2:11: voices: unknown voice 'en-uss'; did you mean 'en-us'"
    ):
        Lab(entry_points=False).run(recipe, options=RunOptions(out=tmp_path / "run", device="cpu"))
