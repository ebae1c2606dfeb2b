from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_sounds import Sound, noise, speechlike

from seqlab.api import Column, DataError, FeaturizerContext, SeqlabError, Sequences
from seqlab.api import Sound as AugmentedSound
from seqlab.builtin.speech.featurizers import audio
from seqlab.builtin.speech.featurizers.audio import AudioFeaturizer
from seqlab.builtin.speech.featurizers.feature_cache import cache_info
from seqlab.builtin.speech.plugin import seqlab_register_featurizers


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path))


def made(name: str = "log_mel", **config: Any) -> AudioFeaturizer:
    (component,) = (each for each in seqlab_register_featurizers() if each.name == name)
    built = component.build(component.config(**config), FeaturizerContext({"audio": "audio", "text": "text"}))
    assert isinstance(built, AudioFeaturizer)
    return built


def fitted(sounds: Sequence[Sound], name: str = "log_mel", **config: Any) -> AudioFeaturizer:
    featurizer = made(name, **config)
    featurizer.fit(sounds)
    return featurizer


def rows(column: Column) -> list[torch.Tensor]:
    return list(torch.split(column.values, column.lengths.tolist()))


def sounds() -> list[Sound]:
    return [Sound(speechlike(samples, seed)) for seed, samples in enumerate((4_000, 399, 16_000, 400, 561))]


@pytest.mark.parametrize("cache", [True, False])
def test_frames_of_the_training_split_have_mean_0_and_variance_1(*, cache: bool) -> None:
    column = fitted(sounds(), cache=cache, deltas=1).encode(sounds())
    assert column.lengths.tolist() == [23, 1, 98, 1, 2]
    assert column.values.dtype == torch.float32
    assert column.values.shape == (125, 80)
    assert column.values.mean(0).abs().max() < 1e-5
    assert (column.values.std(0, correction=0) - 1).abs().max() < 1e-4


def test_statistics_come_from_the_training_split_alone() -> None:
    featurizer = fitted(sounds()[:2])
    before = featurizer.encode(sounds()[:2]).values
    loud = [Sound(noise(9_000, level=0.9))]
    assert featurizer.encode(loud).values.mean() > 1
    assert torch.equal(featurizer.encode(sounds()[:2]).values, before)


def test_an_utterance_is_normalised_over_its_own_frames() -> None:
    featurizer = fitted([], normalize="utterance")
    assert featurizer.state() == {}
    for frames in rows(featurizer.encode(sounds())):
        assert frames.mean(0).abs().max() < 1e-5
        if len(frames) > 2:
            assert (frames.std(0, correction=0) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("normalize", ["none", "utterance", "global"])
def test_a_restored_featurizer_gives_the_same_frames_and_leaves_nothing_on_the_disk(normalize: str) -> None:
    featurizer = fitted(sounds(), normalize=normalize, deltas=2, stack=3, stride=2, cache=False)
    again = made(normalize=normalize, deltas=2, stack=3, stride=2)
    again.restore(json.loads(json.dumps(featurizer.state())))
    assert torch.equal(again.encode(sounds()).values, featurizer.encode(sounds()).values)
    assert cache_info().files == 0


def test_frames_are_computed_once() -> None:
    first = sounds()
    expected = fitted(first).encode(first)
    assert [sound.read for sound in first] == [1] * 5, "by fit; encode finds them in the cache"
    assert cache_info().entries == 5
    second = sounds()
    found = fitted(second).encode(second)
    assert [sound.read for sound in second] == [0] * 5
    assert torch.equal(found.values, expected.values)


def test_derivatives_normalisation_and_stacking_share_what_is_kept() -> None:
    fitted(sounds()).encode(sounds())
    again = sounds()
    fitted(again, deltas=2, normalize="utterance", stack=4, stride=3).encode(again)
    assert [sound.read for sound in again] == [0] * 5
    fitted(again, hop=12.5).encode(again)
    assert [sound.read for sound in again] == [1] * 5


def test_nothing_is_kept_without_the_cache() -> None:
    fitted(sounds(), cache=False).encode(sounds())
    assert cache_info().files == 0


def test_a_broken_cache_changes_no_frame(tmp_path: Path) -> None:
    expected = fitted(sounds()).encode(sounds()).values
    (path,) = tmp_path.glob("features/*/*")
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert torch.equal(fitted(sounds()).encode(sounds()).values, expected)
    assert cache_info().entries == 5


def test_sounds_go_into_several_files_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fitted(sounds(), cache=False).encode(sounds()).values
    monkeypatch.setattr(audio, "PACK_FRAMES", 20)
    monkeypatch.setattr(audio, "GROUP_SAMPLES", 1_000)
    for _ in range(2):
        found = fitted(sounds()).encode(sounds()).values
        assert torch.allclose(found, expected, rtol=1e-6, atol=1e-5)
    assert (cache_info().files, cache_info().entries) == (3, 5)


def test_what_was_computed_before_a_bad_sound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "PACK_FRAMES", 1)
    monkeypatch.setattr(audio, "GROUP_SAMPLES", 1)
    with pytest.raises(DataError, match="not finite"):
        made().fit([*sounds(), Sound(np.full(900, np.nan, dtype=np.float32))])
    assert cache_info().entries == 5


def test_the_same_sound_twice_has_the_same_frames_twice() -> None:
    for cache in (True, False):
        one, other = rows(fitted(sounds(), cache=cache).encode([sounds()[0], sounds()[0]]))
        assert torch.equal(one, other)


@pytest.mark.parametrize("config", [{}, {"deltas": 2, "stack": 3}, {"cache": False}, {"normalize": "none"}])
def test_no_sounds_have_no_rows_of_full_width(config: dict[str, Any]) -> None:
    featurizer = fitted(sounds(), **config)
    column = featurizer.encode([])
    assert column.values.shape == (0, featurizer.module().output_size)
    assert len(column.lengths) == 0


def test_the_module_hands_the_frames_on() -> None:
    featurizer = fitted(sounds(), "mfcc", deltas=2, stack=2, stride=2)
    module = featurizer.module()
    assert module.output_size == 13 * 3 * 2
    batch = featurizer.encode(sounds()).gather(torch.tensor([2, 0]))
    assert isinstance(batch, Sequences)
    assert torch.equal(
        module(batch).to_flat(), torch.cat([rows(featurizer.encode(sounds()))[i] for i in (2, 0)])
    )
    assert not list(module.parameters())


def test_frames_cannot_be_normalised_before_the_statistics_are_known() -> None:
    with pytest.raises(
        SeqlabError, match="normalize: global has no statistics yet; fit the featurizer first"
    ):
        made().encode(sounds())


# --- sound that an augmenter has made --------------------------------------------------------------------


def drawn(sound: Sound) -> AugmentedSound:
    return AugmentedSound(sound.wave, sound.sample_rate)


def test_nothing_of_drawn_sound_is_kept() -> None:
    featurizer = fitted(sounds())
    kept = cache_info()
    assert kept.entries == len(sounds())
    found = featurizer.encode([drawn(sound) for sound in sounds()])
    assert cache_info() == kept
    torch.testing.assert_close(found.values, featurizer.encode(sounds()).values)
    mixed = featurizer.encode([drawn(sounds()[0]), sounds()[1]])
    torch.testing.assert_close(mixed.values, featurizer.encode(sounds()[:2]).values)


def test_drawn_sounds_are_dithered_by_their_samples() -> None:
    featurizer = made(normalize="none", dither=0.01)
    silences = [AugmentedSound(np.full(800, level, dtype=np.float32), 16_000) for level in (0.0, 1e-9)]
    one, other = rows(featurizer.encode(silences))
    assert not torch.allclose(one, other, atol=0.1)
    assert torch.equal(featurizer.encode(silences[:1]).values, one)
