from __future__ import annotations

import numpy as np
import pytest

from seqlab.builtin.speech.augmenters.spectra import coloured, convolved, quick_length


@pytest.mark.parametrize("length", [1, 2, 3, 7, 11, 1_000, 1_025, 160_001])
def test_a_quick_length_is_long_enough_and_not_much_longer(length: int) -> None:
    found = quick_length(length)
    assert length <= found <= 1.25 * length + 1
    odd = found // (found & -found)
    assert odd in (1, 3, 5, 9)


def test_convolution_is_that_of_the_definition() -> None:
    generator = np.random.default_rng(0)
    samples = generator.standard_normal(301).astype(np.float32)
    response = generator.standard_normal(57).astype(np.float32)
    found = convolved(samples, response)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.convolve(samples.astype(float), response), atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 17, 1_000])
def test_coloured_noise_has_any_length(length: int) -> None:
    for exponent in (0.0, 1.0):
        noise = coloured(length, exponent, np.random.default_rng(0))
        assert noise.shape == (length,)
        assert noise.dtype == np.float32
        assert np.isfinite(noise).all()
