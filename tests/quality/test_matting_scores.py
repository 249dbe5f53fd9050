"""The four matting errors against cases that are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from a2u_bench.quality.matting_scores import conn, connectivity, grad, largest, levels, mse, sad, score


def everywhere(height: int, width: int) -> np.ndarray:
    return np.ones((height, width), dtype=bool)


def test_equal_alphas_have_no_error():
    alpha = np.random.default_rng(0).random((24, 20))
    found = score([alpha], [alpha], [everywhere(24, 20)])
    assert (found.sad, found.mse, found.grad, found.conn) == (0, 0, 0, 0)


def test_absolute_differences_are_summed_and_squares_averaged_over_the_unknown_alone():
    output, target = np.zeros((10, 10)), np.zeros((10, 10))
    target[:2] = 0.5  # 20 pixels
    target[9] = 1.0  # known
    unknown = everywhere(10, 10)
    unknown[9] = False
    assert sad(output, target, unknown) == pytest.approx(20 * 0.5 / 1000)
    assert mse(output, target, unknown) == pytest.approx(20 * 0.25 / 90)


def test_the_gradient_of_a_step_is_the_sum_of_half_its_filter():
    # Against a constant alpha only the step's own gradient counts; by separability it is the cumulative slope.
    target = np.zeros((21, 40))
    target[:, 20:] = 1.0
    x = np.arange(-4, 5)
    smooth = np.exp(-(x**2) / (2 * 1.4**2))
    slope = x * smooth
    norm = math.sqrt((smooth**2).sum() * (slope**2).sum())
    # At column c the filter covers the step from 20 − c on.
    profile = [smooth.sum() * slope[x >= 20 - column].sum() / norm for column in range(40)]
    expected = 21 * sum(value**2 for value in profile) / 1000
    assert grad(np.zeros((21, 40)), target, everywhere(21, 40)) == pytest.approx(expected, rel=1e-9)


def test_the_gradient_does_not_see_a_stretched_alpha():
    target = np.random.default_rng(0).random((12, 12))
    assert grad(0.5 * target + 0.1, target, everywhere(12, 12)) == pytest.approx(0, abs=1e-20)


def test_the_largest_part_is_connected_by_sides_and_not_by_corners():
    where = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=bool)
    assert largest(where).tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 1]]
    assert not largest(np.zeros((3, 3), dtype=bool)).any()


def test_an_island_is_disconnected_by_its_whole_alpha():
    target = np.zeros((8, 8))
    target[:3, :3] = 1.0  # the source
    output = target.copy()
    output[6, 6] = 0.8  # an island of one pixel, where the truth has none
    reached = levels(output, target)
    assert reached[1, 1] == 1.0
    assert reached[6, 6] == 0.0
    assert connectivity(output, reached)[6, 6] == pytest.approx(0.2)
    assert conn(output, target, everywhere(8, 8)) == pytest.approx(0.8 / 1000)


def test_a_pixel_close_to_its_connected_level_counts_as_connected():
    target = np.zeros((8, 8))
    target[:4] = 1.0
    output = target.copy()
    output[3, 2] = 0.96  # connected up to 0.9: 0.06 above it, and the truth 0.1, both below 0.15
    assert conn(output, target, everywhere(8, 8)) == 0


def test_a_truth_that_the_prediction_cuts_off_is_disconnected_too():
    target = np.zeros((5, 9))
    target[2] = 1.0  # one strand
    output = target.copy()
    output[2, 5] = 0.0  # broken: three of its nine pixels are no longer connected to the other five
    reached = levels(output, target)
    assert reached[2].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    # In the gap φ is 1 of the prediction and 0 of the truth; beyond it both are 0.
    assert conn(output, target, everywhere(5, 9)) == pytest.approx(1 / 1000)


def test_outputs_are_clamped_and_images_averaged():
    target, output = np.zeros((6, 6)), np.full((6, 6), -3.0)
    output[0, 0] = 7.0
    unknown = everywhere(6, 6)
    found = score([output, target], [target, target], [unknown, unknown])
    assert found.sad == pytest.approx(0.5 / 1000)
    assert found.mse == pytest.approx(0.5 / 36)


def test_shapes_that_differ_and_empty_trimaps_are_errors():
    alpha = np.zeros((4, 4))
    with pytest.raises(ValueError, match=r"\(4, 4\), \(4, 5\)"):
        score([alpha], [np.zeros((4, 5))], [everywhere(4, 4)])
    with pytest.raises(ValueError, match="no pixel unknown"):
        score([alpha], [alpha], [~everywhere(4, 4)])
