"""The synthetic matting set: reproducible, well formed, and hard where a trimap says that it is."""

from __future__ import annotations

import numpy as np
import torch

from a2u_bench.quality import natural
from a2u_bench.quality.mattes import matte, mattes, trimap


def test_a_seed_makes_the_same_images_and_the_first_of_more():
    few, more = mattes(natural.TEST, 2, 64, 5), mattes(natural.TEST, 3, 64, 5)
    assert torch.equal(few.inputs, more.inputs[:2])
    assert torch.equal(few.alphas, more.alphas[:2])
    assert not torch.equal(few.alphas, mattes(natural.TEST, 2, 64, 6).alphas)


def test_inputs_are_colours_and_a_trimap_that_leaves_known_and_unknown_pixels():
    made = mattes(natural.TRAIN, 3, 64, 0)
    assert made.inputs.shape == (3, 4, 64, 64)
    assert made.alphas.shape == (3, 1, 64, 64)
    for values in (made.inputs, made.alphas):
        assert values.min() >= 0
        assert values.max() <= 1
    assert set(made.inputs[:, 3].unique().tolist()) == {0.0, 0.5, 1.0}
    assert made.unknown.any((1, 2)).all()
    known = ~made.unknown
    assert torch.equal(made.alphas[:, 0][known], made.inputs[:, 3][known])


def test_an_alpha_has_strands_beyond_its_body():
    alpha = matte(64, np.random.default_rng(1))
    between = (alpha > 0) & (alpha < 1)
    assert 0.02 < between.mean() < 0.6
    assert (alpha == 1).mean() > 0.02


def test_unknown_reaches_as_many_pixels_as_asked_beyond_what_is_neither():
    alpha = np.zeros((1, 9))
    alpha[0, 4] = 0.5
    alpha[0, 5:] = 1.0
    assert trimap(alpha, 2).tolist() == [[0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1]]
