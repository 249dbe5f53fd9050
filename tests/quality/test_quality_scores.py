"""Scores against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from a2u_bench.quality.scores import edges, score

C1, C2 = 0.01**2, 0.03**2


def flat(value: float) -> np.ndarray:
    return np.full((1, 16, 16), value, np.float32)


def test_a_constant_error_of_a_tenth_is_20_db():
    found = score(flat(0.5), flat(0.6))
    assert found.psnr == pytest.approx(20, abs=1e-5)
    assert found.mae == pytest.approx(0.1, abs=1e-6)
    assert found.rmse == pytest.approx(0.1, abs=1e-6)


def test_ssim_of_two_flat_images_is_its_luminance_term():
    # μ = 0.5, 0.6 and σ = 0: (2·0.3 + C1)/(0.25 + 0.36 + C1) · C2/C2
    assert score(flat(0.5), flat(0.6)).ssim == pytest.approx((0.6 + C1) / (0.61 + C1), abs=1e-6)


def test_ssim_of_an_image_and_its_half_contrast_by_hand():
    # In the middle of 11×11 windows of Gaussian weights: x = μ + d, y = μ + d/2, so σy² = σx²/4, σxy = σx²/2.
    random = np.random.default_rng(0)
    x = random.random((11, 11))
    axis = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(axis, axis) / axis.sum() ** 2
    mean = (window * x).sum()
    variance = (window * (x - mean) ** 2).sum()
    y = mean + (x - mean) / 2
    expected = (variance + C2) / (1.25 * variance + C2)
    assert score(y[None].astype(np.float32), x[None].astype(np.float32)).ssim == pytest.approx(expected, abs=1e-5)


def test_scores_are_means_over_images():
    one, other = flat(0.5), flat(0.5)
    both = score(np.concatenate([one, other]), np.concatenate([flat(0.6), flat(0.51)]))
    assert both.psnr == pytest.approx((20 + 40) / 2, abs=1e-3)
    assert both.rmse == pytest.approx((0.1 + 0.01) / 2, abs=1e-6)


def test_equal_images_count_100_db_and_flat_ones_have_no_edges():
    found = score(flat(0.5), flat(0.5))
    assert found.psnr == 100
    assert found.ssim == pytest.approx(1)
    assert (found.edge_psnr, found.edge_ssim, found.edge_mae, found.edge_rmse) == (None, None, None, None)


def test_edge_scores_are_of_the_pixels_beside_the_step_alone():
    target = np.zeros((1, 20, 20), np.float32)
    target[:, :, 10:] = 1
    where = edges(target[0].astype(float))
    assert sorted({int(column) for column in np.nonzero(where)[1]}) == [9, 10]
    output = target.copy()
    output[:, :, 9:11] = 0.5  # wrong by a half on the edge, and nowhere else
    found = score(output, target)
    assert found.edge_mae == pytest.approx(0.5)
    assert found.edge_rmse == pytest.approx(0.5)
    assert found.edge_psnr == pytest.approx(-20 * math.log10(0.5))
    assert found.mae == pytest.approx(0.05)
    assert found.psnr == pytest.approx(-10 * math.log10(0.025), abs=1e-5)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"must be equal \[N, H, W\]"):
        score(flat(0.5), flat(0.5)[:, :12])
