from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seqlab.api import Augmenter, SeqlabError
from seqlab.builtin.speech.augmenters.spec_augment import Masks, SpecAugment

Frames = NDArray[np.float32]


def frames(time: int, features: int, seed: int = 0) -> Frames:
    """No frame holds a 0 or its feature's mean."""
    return np.random.default_rng(seed).uniform(1, 2, (time, features)).astype(np.float32)


def made(**changes: Any) -> SpecAugment:
    usual: dict[str, Any] = {
        "time": Masks(count=0, widest=0, share=0.0),
        "frequency": Masks(count=0, widest=0, share=0.0),
        "bands": None,
        "value": "zero",
        "probability": 1.0,
    }
    return SpecAugment(**usual | changes)


def masks(size: int) -> st.SearchStrategy[Masks]:
    """Masks of at most so many frames or bands."""
    return st.builds(
        Masks,
        count=st.integers(0, 4),
        widest=st.none() | st.integers(0, size),
        share=st.floats(0, 1, allow_nan=False),
    )


def limit(allowed: Masks, size: int) -> int:
    """The most that one mask may cover of an axis of this size."""
    share = int(allowed.share * size)
    return share if allowed.widest is None else min(allowed.widest, share)


@settings(max_examples=200, deadline=None)
@given(masks(60), st.integers(1, 90), st.integers(1, 30), st.integers(0, 10_000), st.data())
def test_no_more_is_masked_than_allowed_and_never_in_place(
    time: Masks, count: int, features: int, seed: int, data: st.DataObject
) -> None:
    frequency = data.draw(masks(features))
    before = frames(count, features, seed)
    copy = before.copy()
    masked = made(time=time, frequency=frequency)(before, np.random.default_rng(seed))
    assert np.array_equal(before, copy)
    assert masked.dtype == np.float32
    assert masked.shape == before.shape
    hidden = masked == 0
    assert np.array_equal(masked[~hidden], before[~hidden])
    rows, columns = hidden.all(axis=1), hidden.all(axis=0)
    assert rows.sum() <= count
    if not columns.all():
        assert rows.sum() <= time.count * limit(time, count)
    if not rows.all():
        assert columns.sum() <= frequency.count * limit(frequency, features)
    assert np.array_equal(hidden, rows[:, None] | columns[None, :]), "masks are whole rows and columns"


def test_widths_and_places_are_spread_evenly() -> None:
    masks = Masks(count=1, widest=4, share=1.0)
    spans = [next(masks.spans(10, np.random.default_rng(seed))) for seed in range(2_000)]
    widths = np.bincount([span.stop - span.start for span in spans])
    assert len(widths) == 5
    assert widths.min() > 320
    starts = np.bincount([span.start for span in spans if span.stop - span.start == 4])
    assert len(starts) == 7
    assert starts.min() > 30


def test_the_share_limits_masks_of_short_utterances() -> None:
    masks = Masks(count=1, widest=40, share=0.25)
    widths = [s.stop - s.start for seed in range(300) for s in masks.spans(20, np.random.default_rng(seed))]
    assert max(widths) == 5
    assert all(s.start == s.stop for seed in range(20) for s in masks.spans(3, np.random.default_rng(seed)))


def test_the_mean_is_each_features_own() -> None:
    before = frames(50, 8)
    masks = Masks(count=1, widest=20, share=1.0)
    bands = Masks(count=1, widest=8, share=1.0)
    masked = made(time=masks, frequency=bands, value="mean")(before, np.random.default_rng(3))
    changed = masked != before
    assert changed.any()
    expected = np.broadcast_to(before.mean(axis=0), before.shape)
    np.testing.assert_allclose(masked[changed], expected[changed], rtol=1e-6)


def test_a_band_is_masked_in_derivatives_and_joined_frames_alike() -> None:
    masks = Masks(count=2, widest=3, share=1.0)
    masked = made(frequency=masks, bands=10)(frames(20, 60), np.random.default_rng(1))
    hidden = (masked == 0).all(axis=0).reshape(6, 10)
    assert hidden.any()
    assert (hidden == hidden[0]).all()


def test_features_that_are_no_multiple_of_the_bands_are_refused() -> None:
    with pytest.raises(
        SeqlabError, match=r"^augmenter spec_augment: 60 features are no multiple of bands, 40"
    ):
        made(bands=40)(frames(20, 60), np.random.default_rng(1))


@pytest.mark.parametrize(("bands", "most"), [(10, 10), (None, 60)])
def test_masks_wider_than_the_bands_are_refused(bands: int | None, most: int) -> None:
    fits = made(frequency=Masks(count=1, widest=most, share=1.0), bands=bands)
    assert fits(frames(20, 60), np.random.default_rng(1)).shape == (20, 60)
    wider = made(frequency=Masks(count=1, widest=most + 1, share=1.0), bands=bands)
    message = rf"^augmenter spec_augment: freq_mask must be at most {most}, got {most + 1}$"
    with pytest.raises(SeqlabError, match=message):
        wider(frames(20, 60), np.random.default_rng(1))


def test_the_share_alone_limits_masks_that_have_no_other_limit() -> None:
    masks = Masks(count=1, widest=None, share=0.3)
    widths = [s.stop - s.start for seed in range(300) for s in masks.spans(40, np.random.default_rng(seed))]
    assert max(widths) == 12


def test_the_settings_reach_it(augmenter: Callable[..., Augmenter]) -> None:
    found = augmenter(
        "spec_augment", time_masks=3, time_mask=9, time_share=0.4, freq_masks=1, freq_mask=3, freq_share=0.1,
        bands=4, value="mean", probability=0.5,
    )  # fmt: skip
    assert found == SpecAugment(
        time=Masks(count=3, widest=9, share=0.4),
        frequency=Masks(count=1, widest=3, share=0.1),
        bands=4,
        value="mean",
        probability=0.5,
    )
