"""A long value is cut and its answers joined; an answer depends on the value alone, however it is given."""

from __future__ import annotations

import io
import json
import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sounds import Sound as Whole
from made_sounds import noise
from numpy import float32
from numpy.typing import NDArray
from sounds import manifest, tone, write
from toy_speech import RATE, spoken, texts

import seqlab
from seqlab import Component, DataError, Lab, SeqlabError, hookimpl
from seqlab.api import Answer, Example, Piece, Place, Prediction, ReaderContext
from seqlab.audio import AudioFile, resample
from seqlab.builtin.speech.fields import AudioKind
from seqlab.builtin.speech.readers.components import SpeechManifestConfig, build_speech
from seqlab.builtin.speech.readers.utterances import SpeechReader
from seqlab.engine import answer
from seqlab.engine.answering import BATCH
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions

Wave = NDArray[float32]

ODD = (tone(0.05, RATE), noise(RATE), spoken("a" * 30), 0.01 * tone(0.3, RATE), 0.5 + spoken("i o") / 4)
"""Sounds that have little to do with training: as short as allowed, noise, long, faint, offset."""

POOL: tuple[Wave, ...] = (*(spoken(text, 7) for text in texts(12, seed=9)), *ODD)


def same(one: Prediction, other: Prediction) -> bool:
    """Equal texts and times, and probabilities equal but for the last digits."""
    return one.answers.keys() == other.answers.keys() and all(
        alike(mine, other.answers[target]) for target, mine in one.answers.items()
    )


def alike(one: Answer, other: Answer) -> bool:
    return (
        (one.value, one.details["duration"]) == (other.value, other.details["duration"])
        and one.score == pytest.approx(other.score, abs=1e-5)
        and all(
            (mine.start, mine.end, mine.text) == (yours.start, yours.end, yours.text)
            and mine.probability == pytest.approx(yours.probability, abs=1e-5)
            for mine, yours in zip(one.details["segments"], other.details["segments"], strict=True)
        )
    )


def exactly(one: Prediction, other: Prediction) -> bool:
    """Equal answers; where they come from does not count."""
    return one.answers == other.answers


def all_same(ones: Sequence[Prediction], others: Sequence[Prediction]) -> bool:
    return len(ones) == len(others) and all(map(same, ones, others))


@pytest.fixture(scope="module")
def shared(hearing: Path) -> Predictor:
    """One recognizer for the whole module."""
    return Lab(entry_points=False).open(hearing / "run/model", device="cpu")


@pytest.fixture(scope="module")
def alone(shared: Predictor) -> list[Prediction]:
    """What is heard in each sound of the pool by itself."""
    return [shared(wave, RATE) for wave in POOL]


# --- the answer -------------------------------------------------------------------------------------------


def test_it_hears_what_is_said(recognizer: Predictor, hearing: Path) -> None:
    records = [json.loads(line) for line in (hearing / "test.jsonl").read_text().splitlines()]
    found = recognizer.predict([hearing / record["audio"] for record in records])
    right = sum(each.text == record["text"] for each, record in zip(found, records, strict=True))
    assert right >= len(records) / 2
    for each, record in zip(found, records, strict=True):
        assert each.duration == soundfile.info(hearing / record["audio"]).duration
        (segment,) = each.segments
        assert (segment.start, segment.end, segment.text) == (0, each.duration, each.text)
        assert segment.probability == each.score
        assert 0 < each.score <= 1


def test_seqlab_open_is_the_short_way(hearing: Path, shared: Predictor, alone: list[Prediction]) -> None:
    opened = seqlab.open(str(hearing / "run/model"), device="cpu")
    assert same(opened(POOL[0], RATE), alone[0])
    assert opened.info["recipe"]["name"] == "toy-speech"


# --- batches, order, windows, threads ----------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(
    order=st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=30),
    window=st.floats(0.01, 20.0),
)
def test_in_any_company_order_and_window_a_sound_is_heard_as_alone(
    order: list[int], window: float, shared: Predictor, alone: list[Prediction]
) -> None:
    found = list(shared.stream(((POOL[place], RATE) for place in order), window=window))
    assert all_same(found, [alone[place] for place in order])


def log_probabilities(recognizer: Predictor, waves: Sequence[Wave]) -> list[torch.Tensor]:
    """Return each sound's log-probabilities of all units, computed in one batch."""
    examples = [recognizer.take((wave, RATE)) for wave in waves]
    batch = recognizer.assembly.encode(examples, labelled=False).gather(torch.arange(len(waves)))
    with torch.inference_mode():
        states, _ = recognizer.model.encode(batch.features)
        (head,) = recognizer.model.heads
        return list(head.log_probs(states).to_list())  # type: ignore[operator]


@settings(deadline=None, max_examples=10)
@given(order=st.permutations(range(len(POOL))), count=st.integers(1, len(POOL)))
def test_batch_mates_change_no_log_probability(order: list[int], count: int, shared: Predictor) -> None:
    chosen = [POOL[place] for place in order[:count]]
    together = log_probabilities(shared, chosen)
    for wave, found in zip(chosen, together, strict=True):
        (expected,) = log_probabilities(shared, [wave])
        assert (found - expected).abs().max() < 1e-5


def test_threads_share_a_recognizer(shared: Predictor, alone: list[Prediction]) -> None:
    found: dict[int, list[Prediction]] = {}

    def work(number: int) -> None:
        order = list(range(len(POOL)))
        random.Random(number).shuffle(order)
        heard = shared.stream([(POOL[place], RATE) for place in order], window=3.0)
        answers = dict(zip(order, heard, strict=True))
        found[number] = [answers[place] for place in range(len(POOL))]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(4))
    assert all(all_same(answers, alone) for answers in found.values())


def test_a_stream_is_lazy_and_bounded_by_seconds_of_sound(shared: Predictor) -> None:
    taken = 0

    def endless() -> Iterator[tuple[Wave, int]]:
        nonlocal taken
        while True:
            taken += 1
            yield tone(0.5, RATE), RATE

    stream = shared.stream(endless(), window=2.0)
    next(stream)
    assert taken == 4


def test_sounds_that_cannot_be_used_do_not_pile_up(
    shared: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AudioKind, "window_items", 7)
    taken: list[int] = []
    counts: list[int] = []

    def gone() -> Iterator[Example]:
        for number in range(20):
            taken.append(number)
            yield shared.take(f"gone-{number}.wav")

    assert list(shared.answer(gone(), refuse=lambda error: counts.append(len(taken)))) == []
    assert counts == [7] * 7 + [14] * 7 + [20] * 6


# --- ways to give a sound -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_paths_bytes_files_and_arrays_give_the_same(
    ending: str, shared: Predictor, tmp_path: Path, alone: list[Prediction]
) -> None:
    path = write(tmp_path / f"a{ending}", POOL[3], RATE)
    wave, rate = soundfile.read(path, dtype="float32")
    integers = soundfile.read(path, dtype="int16")[0]
    expected = shared(path)
    assert expected.text == alone[3].text
    with path.open("rb") as stream:
        given = [
            stream,
            str(path),
            path.read_bytes(),
            io.BytesIO(path.read_bytes()),
            bytearray(path.read_bytes()),
        ]
        assert all(exactly(shared(sound), expected) for sound in given)
    arrays = [wave, integers, wave[:, None], torch.tensor(wave), torch.tensor(wave, requires_grad=True)]
    assert all(exactly(shared(sound, rate), expected) for sound in arrays)
    found = shared.predict([path, (wave, rate), path.read_bytes()])
    assert all(exactly(each, expected) for each in found)
    short = torch.tensor(wave, dtype=torch.bfloat16)
    assert exactly(shared(short, rate), shared(short.float(), rate))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_buffer_may_be_filled_anew(
    dtype: str, channels: int, kind: Callable[..., Any], shared: Predictor, alone: list[Prediction]
) -> None:
    scale = 2**15 if dtype == "int16" else 1
    buffer = np.zeros((max(map(len, POOL)), channels), dtype=dtype)

    def filled() -> Iterator[tuple[Any, int]]:
        for wave in POOL[:6]:
            buffer[: len(wave)] = scale * wave[:, None]
            yield kind(buffer[: len(wave)]), RATE

    assert [each.text for each in shared.stream(filled())] == [each.text for each in alone[:6]]


def test_samples_are_copied_once(shared: Predictor) -> None:
    for sound in (POOL[0], torch.from_numpy(POOL[0])):
        audio = shared.take((sound, RATE)).fields["audio"]
        assert not np.shares_memory(audio.samples(), POOL[0])
        (piece,) = shared.inputs["audio"].pieces(audio, 20.0, overlap=True, name="it")
        assert np.shares_memory(audio.samples(), piece.value.samples())


@pytest.fixture(scope="module")
def of_low_rates(hearing: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A recognizer of one epoch, whose reader takes files of 1 to 3 kHz and no others."""
    folder = tmp_path_factory.mktemp("low")
    names = [write(folder / f"{number}.wav", noise(2_000, number), 2_000).name for number in range(2)]
    manifest(folder / "train.jsonl", [{"audio": name, "text": "a"} for name in names])
    lab = Lab(entry_points=False)
    reader = "{name: speech, sample_rate: 8000, min_file_rate: 1000, max_file_rate: 3000}"
    changes = [
        f"data.reader={reader}",
        f"data.train={folder}/train.jsonl",
        "data.test=null",
        "train.epochs=1",
    ]
    lab.run(hearing / "toy-speech.yaml", changes, RunOptions(out=folder / "run", device="cpu", threads=1))
    return lab.open(folder / "run/model", device="cpu")


@pytest.mark.parametrize("rate", [500, 2_000, 8_000])
@pytest.mark.parametrize("kind", ["file", "bytes", "array"])
def test_rates_are_judged_by_the_readers_limits_and_by_no_others(
    rate: int, kind: str, of_low_rates: Predictor, tmp_path: Path
) -> None:
    samples = tone(1.0, rate, pitch=100.0)
    path = write(tmp_path / "a.wav", samples, rate)
    given: Any = {"file": path, "bytes": path.read_bytes(), "array": (samples, rate)}[kind]
    if rate == 2_000:
        (transcript,) = of_low_rates.predict([given])
        assert transcript.duration == 1.0
        return
    name = {"file": str(path), "bytes": "sequence 0: <bytes>", "array": "sequence 0: <array>"}[kind]
    with pytest.raises(DataError) as caught:
        of_low_rates.predict([given])
    assert str(caught.value) == f"{name}: sample rate of {rate} Hz; allowed are 1000 to 3000 Hz"


def test_an_error_of_a_piece_names_the_sound(shared: Predictor, tmp_path: Path) -> None:
    path = write(tmp_path / "high.wav", tone(3.0, 16_000), 16_000)
    own = Example({"audio": Whole(tone(3.0, 16_000), 16_000)}, Place("own.list", 3))
    for example, name in (
        (Example({"audio": AudioFile(path)}, Place("own.list", 2)), str(path)),
        (own, "own.list:3"),
    ):
        with pytest.raises(DataError, match=f"{re.escape(name)}.* 16000 Hz"):
            list(shared.answer([example], max_segment=2.0))


def test_sound_of_a_plugins_own_that_is_none_is_named_once(shared: Predictor) -> None:
    broken = Example({"audio": Whole(np.full(RATE, np.nan, dtype=np.float32), RATE)}, Place("own.list", 3))
    with pytest.raises(DataError) as caught:
        list(shared.answer([broken]))
    assert str(caught.value) == "own.list:3: sample 0 (at 0.000 s) is nan; samples must be finite numbers"


def test_sound_of_another_rate_and_of_many_channels_is_taken_in_as_in_training(
    shared: Predictor, hearing: Path, tmp_path: Path
) -> None:
    high = resample(POOL[2], RATE, 44_100)
    both = np.stack([high, 0.2 * high], axis=1)
    path = write(tmp_path / "a.wav", both, 44_100, subtype="FLOAT")
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "text": "a"}\n')
    (example,) = shared.assembly.reader.read(tmp_path / "m.jsonl")
    data = shared.assembly.encode([example], labelled=False)
    (trained,) = answer(shared.model, data, BATCH, shared.assembly.decoders([example]))["text"].values
    for heard in (shared(path), shared(both, 44_100)):
        assert heard.text == trained.value
        assert heard.score == pytest.approx(trained.score, abs=1e-6)


NO_SOUND = "expected the path, the bytes or the open file of a sound, or samples with their rate; got "
NO_SAMPLES = "expected samples and their sample rate, (samples, 16000); got "


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([0.1, 0.2], 8000), f"{NO_SAMPLES}(list, int)"),
        ([0.1, 0.2], f"{NO_SOUND}list"),
        (None, f"{NO_SOUND}NoneType"),
        (("a.wav", 8000), f"{NO_SAMPLES}(str, int)"),
        ((np.zeros(9), 8000, 1), f"{NO_SAMPLES}(ndarray, int, int)"),
        (np.zeros(9), "samples need their sample rate: give both, (samples, 16000)"),
    ],
)
def test_what_is_no_sound_is_a_type_error(given: Any, message: str, shared: Predictor) -> None:
    with pytest.raises(TypeError) as caught:
        shared(*given if isinstance(given, tuple) else (given,))
    assert str(caught.value) == message
    with pytest.raises(TypeError) as caught:
        shared.predict([(POOL[0], RATE), given])
    assert str(caught.value) == f"sequence 1: {message}"


@pytest.mark.parametrize("sound", ["a", Path("a"), b"RIFF", POOL[0], torch.zeros(3), io.BytesIO(b"RIFF")])
def test_one_sound_is_not_many(sound: Any, shared: Predictor) -> None:
    with pytest.raises(TypeError, match=r"^expected many values, got one \(\w+\); call the model with it$"):
        shared.predict(sound)


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(RATE), "sequence 1: <array>: silent: every sample is 0"),
        (tone(0.02, RATE), "sequence 1: <array>: too short: 0.02 s, at least 0.05 s are needed"),
        (np.zeros((2, 9)), "sequence 1: <array>: expected samples of shape (time,) or (time, channels),"
         " time > 0, got (2, 9); transpose it"),
        (np.full(RATE, np.nan), "sequence 1: <array>: sample 0 (at 0.000 s) is nan; samples must be finite"
         " numbers"),
    ],
)  # fmt: skip
def test_of_many_sounds_the_one_that_cannot_be_used_is_named(
    wave: Wave, message: str, shared: Predictor
) -> None:
    with pytest.raises(DataError) as caught:
        shared.predict([(POOL[0], RATE), (wave, RATE), (POOL[1], RATE)])
    assert str(caught.value) == message
    with pytest.raises(DataError) as caught:
        shared(wave, RATE)
    assert str(caught.value) == message.removeprefix("sequence 1: ")


def test_overdriven_sound_is_heard(shared: Predictor, alone: list[Prediction]) -> None:
    overdriven = np.clip(POOL[0] * 30, -1, 1)
    assert np.mean(np.abs(overdriven) == 1) > 0.05
    assert shared(overdriven, RATE).duration == alone[0].duration


# --- long sound ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long() -> Wave:
    """Some 40 seconds of words between pauses, with eight seconds of silence in them."""
    words = [np.concatenate([spoken(text, 3), np.zeros(2000)]) for text in texts(60, seed=4)]
    words.insert(30, np.zeros(8 * RATE))
    return np.concatenate(words).astype(np.float32)


def test_long_sound_is_cut_and_its_texts_joined(shared: Predictor, long: Wave, tmp_path: Path) -> None:
    heard = shared(long, RATE, max_segment=3.0)
    assert heard.duration == len(long) / RATE == heard.segments[-1].end
    assert heard.segments[0].start == 0
    assert all(before.end == after.start for before, after in pairwise(heard.segments))
    assert max(each.end - each.start for each in heard.segments) <= 3.0
    assert heard.text == " ".join(each.text for each in heard.segments if each.text)
    low, high = (pick(each.probability for each in heard.segments if each.text) for pick in (min, max))
    assert low < heard.score < high
    path = write(tmp_path / "long.wav", long, RATE, subtype="FLOAT")
    for way in (path, path.read_bytes()):
        assert same(shared(way, max_segment=3.0), heard)
    assert next(shared.stream([path], max_segment=3.0, window=2.0)).text == heard.text


def test_a_segment_is_heard_as_the_same_stretch_of_the_file(
    shared: Predictor, long: Wave, tmp_path: Path
) -> None:
    path = write(tmp_path / "long.wav", long, RATE)
    whole = shared(path, max_segment=4.0)
    for segment in whole.segments:
        if segment.text:
            stretch = AudioFile(path, segment.start, segment.end)
            (found,) = shared.answer([Example({"audio": stretch}, Place("stretch"))], max_segment=4.0)
            assert found.text == segment.text
            assert found.score == pytest.approx(segment.probability, abs=1e-5)


def test_silence_within_has_no_text_and_alone_is_an_error(shared: Predictor, long: Wave) -> None:
    heard = shared(long, RATE, max_segment=1.5)
    silent = [
        each for each in heard.segments if not long[round(each.start * RATE) : round(each.end * RATE)].any()
    ]
    assert len(silent) >= 3
    assert all((each.text, each.probability) == ("", 0.0) for each in silent)
    with pytest.raises(DataError, match=r"^<array>: silent: every sample is 0$"):
        shared(np.zeros(60 * RATE), RATE)


def test_what_is_not_longer_is_not_cut(shared: Predictor, long: Wave) -> None:
    whole = shared(long, RATE, max_segment=len(long) / RATE)
    assert len(whole.segments) == 1
    most = round(shared.max_segment * RATE)
    assert len(shared(long[:most], RATE).segments) == 1
    assert len(shared(long[: most + 1], RATE).segments) > 1


def test_sound_is_cut_as_long_as_the_training_had_it(shared: Predictor, hearing: Path, long: Wave) -> None:
    lines = (hearing / "train.jsonl").read_text().splitlines()
    seen = sorted(soundfile.info(hearing / json.loads(line)["audio"]).duration for line in lines)
    facts = shared.info["lengths"]["audio"]
    assert facts == {
        "unit": "seconds",
        "count": 60,
        "shortest": round(seen[0], 3),
        "median": pytest.approx((seen[29] + seen[30]) / 2, abs=1e-3),
        "percentile_95": round(seen[56], 3),
        "longest": round(seen[-1], 3),
    }
    assert shared.max_segment == facts["longest"]
    assert same(shared(long, RATE), shared(long, RATE, max_segment=facts["longest"]))


def of_package(recognizer: Predictor, facts: Any) -> Predictor:
    """The same model, its package with these lengths; None stands for those of an earlier version."""
    info = {key: value for key, value in recognizer.info.items() if key != "lengths"}
    info |= {} if facts is None else {"lengths": facts}
    return Predictor(recognizer.assembly, recognizer.model, info)


ODD_LENGTHS: list[Any] = [
    None,
    [],
    {"audio": 3},
    {"audio": {"unit": "seconds", "percentile_95": "4", "longest": 5}},
    {"audio": {"unit": "seconds", "percentile_95": 4.0, "longest": float("nan")}},
    {"audio": {"unit": "seconds", "percentile_95": 4.0, "longest": 10**400}},
    {"audio": {"unit": "items", "percentile_95": 4, "longest": 5}},
]


@pytest.mark.parametrize("facts", ODD_LENGTHS)
def test_a_package_that_does_not_say_how_long_is_used_as_ever(facts: Any, shared: Predictor) -> None:
    old = of_package(shared, facts)
    assert old.max_segment == 20.0
    hum = speechless(9.0)
    assert [(each.before, each.after) for each in cuts(old, hum, 3.0)] == [(0, 0)] * len(cuts(old, hum, 3.0))


@pytest.mark.parametrize(
    ("usual", "longest", "expected"), [(0.5, 0.6, 1.0), (6.0, 7.0, 7.0), (6.0, 60.0, 9.0), (1e6, 1e8, 300.0)]
)
def test_exceptions_do_not_decide_how_long_pieces_are(
    usual: float, longest: float, expected: float, shared: Predictor
) -> None:
    facts = {"audio": {"unit": "seconds", "percentile_95": usual, "longest": longest}}
    assert of_package(shared, facts).max_segment == expected


def speechless(seconds: float) -> Wave:
    """Sound without a pause."""
    return 0.2 * noise(round(seconds * RATE), seed=3)


def cuts(recognizer: Predictor, sound: Wave, longest: float) -> list[Piece[Any]]:
    """The pieces that a recognizer makes of a sound."""
    example = recognizer.take((sound, RATE))
    return [piece for _, piece in recognizer._parts([example], longest) if isinstance(piece, Piece)]


def test_pieces_overlap_where_a_cut_is_in_no_pause(shared: Predictor, long: Wave) -> None:
    hum = cuts(shared, speechless(9.0), 3.0)
    assert all(before.after == after.before == 3.0 / 8 for before, after in pairwise(hum))
    assert max(piece.value.duration for piece in hum) <= 3.0
    paused = cuts(shared, long, 3.0)
    assert sum(piece.after == 0 for piece in paused) > len(paused) / 2


def test_words_that_a_cut_divides_are_heard_whole(shared: Predictor) -> None:
    said = ["aeio", "oiea", "ia", "eoa"] * 12
    sound = np.concatenate([spoken(word, number)[400:-400] for number, word in enumerate(said)])
    whole = shared(sound, RATE, max_segment=60.0).text
    joined = shared(sound, RATE).text
    cut = of_package(shared, None)(sound, RATE, max_segment=shared.max_segment).text
    likeness = [SequenceMatcher(None, whole, text, autojunk=False).ratio() for text in (joined, cut)]
    assert likeness[0] >= max(likeness[1], 0.95)


def test_a_sound_that_breaks_at_its_end_leaves_no_transcript(
    shared: Predictor,
    long: Wave,
    alone: list[Prediction],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seqlab.audio.decoding.BLOCK", RATE)
    broken = long.copy()
    broken[-1] = np.inf
    waves = [POOL[0], broken, POOL[1], broken, np.zeros(RATE), POOL[2]]
    refused: list[str] = []
    examples = [
        replace(
            shared.take(write(tmp_path / f"{number}.wav", wave, RATE, subtype="FLOAT")),
            place=Place(f"sound {number}"),
        )
        for number, wave in enumerate(waves)
    ]
    found = list(
        shared.answer(examples, max_segment=2.0, window=5.0, refuse=lambda error: refused.append(str(error)))
    )
    assert [each.example.place.file for each in found] == ["sound 0", "sound 2", "sound 5"]
    assert all_same(found, alone[:3])
    assert [each.partition(": ")[0] for each in refused] == ["sound 1", "sound 3", "sound 4"]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"max_segment": 0.5}, "max_segment must be a number of seconds, at least 1, got 0.5"),
        ({"max_segment": np.nan}, "max_segment must be a number of seconds, at least 1, got nan"),
        ({"window": 0.0}, "window must be a number of seconds, more than 0, got 0.0"),
        ({"window": -1}, "window must be a number of seconds, more than 0, got -1"),
    ],
)
def test_bounds_are_checked(bounds: dict[str, float], message: str, shared: Predictor) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        next(shared.stream([(POOL[0], RATE)], **bounds))


@pytest.mark.parametrize("name", ["max_segment", "window"])
@pytest.mark.parametrize("value", ["10", True, [10]])
def test_what_is_no_number_of_seconds_is_a_type_error(name: str, value: Any, shared: Predictor) -> None:
    with pytest.raises(TypeError) as caught:
        next(shared.stream([(POOL[0], RATE)], **{name: value}))
    assert str(caught.value).startswith(f"{name} must be a number of seconds, ")
    assert str(caught.value).endswith(f", got {value!r}")


@pytest.mark.parametrize("rate", [np.nan, np.inf, "8000", 0, None])
def test_what_is_no_sample_rate_is_told(rate: Any, shared: Predictor) -> None:
    with pytest.raises(DataError) as caught:
        shared(POOL[0], rate)
    message = "the sample rate must be a whole number of Hz, at least 1"
    assert str(caught.value) == f"<array>: {message}, got {rate!r}"


def test_answers_come_before_the_error_that_ends_a_stream(shared: Predictor, alone: list[Prediction]) -> None:
    def breaking() -> Iterator[tuple[Wave, int]]:
        yield POOL[0], RATE
        yield POOL[1], RATE
        raise OSError("the line is cut")

    stream = shared.stream(breaking())
    assert all_same([next(stream), next(stream)], alone[:2])
    with pytest.raises(OSError, match=r"^the line is cut$"):
        next(stream)


# --- other parts --------------------------------------------------------------------------------------------


def test_sound_of_a_plugins_own_kind_is_heard(shared: Predictor, alone: list[Prediction]) -> None:
    examples = [Example({"audio": Whole(wave, RATE)}, Place("own")) for wave in POOL]
    assert all_same(list(shared.answer(examples)), alone)


def test_a_reader_without_take_still_reads_its_data(
    shared: Predictor, hearing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(SpeechReader, "take")
    for sound in ((POOL[0], RATE), (str(hearing / "test-00.wav"),), (b"RIFF",)):
        with pytest.raises(SeqlabError) as caught:
            shared(*sound)
        assert str(caught.value) == (
            "this model's reader takes in no single sound (it has no method take); give it data in its own"
            " format"
        )
    examples = shared.assembly.reader.read(hearing / "test.jsonl", labelled=False)
    assert len(list(shared.answer(examples))) == 12


class TwoTexts(SpeechReader):
    """Delivers each text a second time, in capitals."""

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        for example in super().read(path, labelled=labelled):
            loud = {"loud": example.fields["text"].upper()} if labelled else {}
            yield replace(example, fields={**example.fields, **loud})


class Plugin:
    """Registers the reader `two_texts`."""

    @hookimpl
    def seqlab_register_readers(self) -> list[Component[Any]]:
        def build(config: SpeechManifestConfig, context: ReaderContext) -> TwoTexts:
            made = build_speech(config, context)
            reader = TwoTexts(made.layout, made.normalizer, made.settings, refuse=made.refuse)
            reader.fields = {**reader.fields, "loud": "text"}
            return reader

        return [Component(name="two_texts", config=SpeechManifestConfig, build=build, summary="")]


def test_several_text_heads_answer_by_name(hearing: Path, tmp_path: Path) -> None:
    lab = Lab([Plugin()], entry_points=False)
    changes = [
        "data.reader.name=two_texts",
        "head=[{name: ctc, target: text}, {name: ctc, target: loud}]",
        "train.epochs=10",
    ]
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    lab.run(hearing / "toy-speech.yaml", changes, options)
    heard = lab.open(tmp_path / "run/model", device="cpu")(POOL[0], RATE)
    assert list(heard.answers) == ["text", "loud"]
    assert heard.answers["text"].value.islower()
    assert heard.answers["loud"].value.isupper()
    assert all(each.details["segments"][0].text == each.value for each in heard.answers.values())
    with pytest.raises(AttributeError, match=r"^several answers are text, look into answers: text, loud$"):
        _ = heard.text
    with pytest.raises(ValueError, match=r"^there are several answers, look into answers: text, loud$"):
        _ = heard.score
