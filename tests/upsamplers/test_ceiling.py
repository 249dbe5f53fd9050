"""The ceiling of a form: no operator of that form beats it, it is the best where that is known, and it certifies so."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import upsamplers
from upsamplers import reference
from upsamplers.ceiling import ceiling, sigmoid_softmax_box

FORMS = ["none", "simplex", (0.05, 0.3)]


def maps(channels: int = 6, scale: int = 2, height: int = 5, width: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(7)
    z = torch.randn(2, channels, height, width, dtype=torch.float64, generator=random)
    return z, torch.randn(2, channels, scale * height, scale * width, dtype=torch.float64, generator=random)


def squares(output: torch.Tensor, target: torch.Tensor, groups: int = 1) -> torch.Tensor:
    return (output - target).square().unflatten(1, (groups, -1)).sum(2)


@pytest.mark.parametrize(("k", "scale", "groups"), [(1, 3, 2), (3, 2, 1), (3, 1, 3), (5, 2, 2)])
@pytest.mark.parametrize("border", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize("form", FORMS[:2])
def test_its_output_and_its_error_are_those_of_its_kernels(form, border, k, scale, groups):
    z, target = maps(scale=scale)
    best = ceiling(z, target, k, form, groups=groups, border=border)
    output = reference.reassemble(best.w, z, scale=scale, kernel_size=k, border=border)
    assert_close(best.output, output)
    assert_close(best.error, squares(output, target, groups))


@pytest.mark.parametrize("form", FORMS[1:])
def test_its_kernels_are_of_the_form_and_the_gap_is_as_small_as_was_asked(form):
    z, target = maps()
    low, high = (0.0, 1.0) if form == "simplex" else form
    best = ceiling(z, target, 3, form, tolerance=1e-7)
    assert_close(best.w.sum(2), torch.ones_like(best.w.sum(2)))
    assert best.w.min() >= low - 1e-12
    assert best.w.max() <= high + 1e-12
    assert best.gap.max() <= 1e-7 * target.square().sum(1).mean()
    assert ceiling(z, target, 3, form, tolerance=1e-7, steps=1).gap.max() > 1e-3, "one step is not enough here"


@pytest.mark.parametrize("form", FORMS)
def test_no_kernels_of_the_form_come_closer_than_the_error_less_the_gap(form):
    z, target = maps()
    best = ceiling(z, target, 3, form)
    for seed in range(20):
        random = torch.Generator().manual_seed(seed)
        w = (torch.randn(2, 1, 9, 10, 8, dtype=torch.float64, generator=random) * seed / 4).softmax(2)
        if form == FORMS[2]:
            w = w * 0.25 + 0.75 / 9
        near = 0.99 * best.w + 0.01 * w  # also next to the best
        for kernels in (w, near):
            other = squares(reference.reassemble(kernels, z, scale=2, kernel_size=3), target)
            assert (other >= best.error - best.gap - 1e-9).all()


def test_of_a_segment_the_ceiling_is_what_can_be_computed_by_hand():
    """Two channels, of which a window's two different pixels are (0, 0) and (1, 2): the nearest point of a segment."""
    z = torch.tensor([[0.0, 1.0], [0.0, 2.0]], dtype=torch.float64).view(1, 2, 1, 2)
    target = torch.tensor([[1.0, 5.0], [0.0, 5.0]], dtype=torch.float64).view(1, 2, 1, 2)
    best = ceiling(z, target, 3, "simplex", border="replicate", tolerance=1e-12)
    assert_close(best.output.flatten(), torch.tensor([0.2, 1.0, 0.4, 2.0], dtype=torch.float64), rtol=1e-5, atol=1e-6)
    free = ceiling(z, target, 3, "none", border="replicate")
    assert_close(free.output.flatten(), torch.tensor([0.2, 3.0, 0.4, 6.0], dtype=torch.float64))


def test_a_target_that_some_kernels_give_is_reached():
    z, _ = maps(channels=12)
    w = (
        torch.randn(2, 1, 9, 10, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        .sigmoid()
        .softmax(2)
    )
    target = reference.reassemble(w, z, scale=2, kernel_size=3)
    for form in ("none", "simplex", sigmoid_softmax_box(9)):
        assert ceiling(z, target, 3, form, tolerance=1e-9, steps=5000).error.max() < 1e-6


def test_the_box_of_a_softmax_of_sigmoids_is_reached_at_its_ends():
    low, high = sigmoid_softmax_box(9)
    assert (round(low, 4), round(high, 4)) == (0.0440, 0.2536)
    one, all_but_one = torch.zeros(9, dtype=torch.float64), torch.ones(9, dtype=torch.float64)
    one[0], all_but_one[0] = 1, 0
    assert_close(one.softmax(0)[0].item(), high)
    assert_close(all_but_one.softmax(0)[0].item(), low)


def moves(name: str) -> bool:
    """Whether an operator reads at points of its own."""
    return upsamplers.facts(name).samples_points


def by_image(name: str) -> bool:
    """Whether an image of any size guides it, and its taps come from a table."""
    return upsamplers.facts(name).guide_size == "any"


def guide_of(op: upsamplers.Upsampler, scale: int = 2) -> torch.Tensor | None:
    if op.needs_guide == "none":
        return None
    return 3 * torch.randn(2, 8, 5 * scale, 4 * scale, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", [n for n in upsamplers.names() if not (moves(n) or by_image(n))])
def test_no_operator_of_the_form_beats_it_at_any_point(name):
    """Every operator with a fixed window, after its first weights are made larger, so that its kernels are not flat."""
    torch.manual_seed(0)
    op = upsamplers.create(name, channels=8).double()
    with torch.no_grad():
        for parameter in op.parameters():
            parameter.mul_(3)
    z, target = maps(channels=8)
    w = op.weights(z, guide_of(op)).detach()
    if w.shape[2] != op.kernel_size**2:
        pytest.skip("its kernels mix channels: no kernel of a window and a group alone")
    output = reference.reassemble(w, z, scale=2, kernel_size=op.kernel_size, border=op.border)
    of_form = bool((w >= -1e-12).all() and ((w.sum(2) - 1).abs() < 1e-9).all())
    forms: list[Any] = ["none", *(["simplex"] if of_form else []), *([sigmoid_softmax_box(9)] if name == "a2u" else [])]
    for form in forms:
        best = ceiling(z, target, op.kernel_size, form, groups=w.shape[1], border=op.border)
        slack = squares(output, target, w.shape[1]) - (best.error - best.gap)
        assert slack.min() > -1e-8, (name, form)


def test_the_box_is_a_part_of_the_simplex_and_that_of_all_kernels():
    z, target = maps()
    errors = [ceiling(z, target, 3, form) for form in (sigmoid_softmax_box(9), "simplex", "none")]
    for tighter, looser in itertools.pairwise(errors):
        assert (looser.error - looser.gap <= tighter.error + 1e-9).all()
        assert looser.error.sum() < tighter.error.sum()


@pytest.mark.parametrize("name", upsamplers.names())
def test_constant_features_come_back_from_every_operator_whose_kernels_sum_to_one(name):
    torch.manual_seed(0)
    op = upsamplers.create(name, channels=8).double()
    height = 9
    z = torch.arange(1.0, 9, dtype=torch.float64).view(1, 8, 1, 1).expand(1, 8, height, height).contiguous()
    guide = None if op.needs_guide == "none" else torch.randn(1, op.guide_channels, 18, 18, dtype=torch.float64)
    w = op.weights(z, guide).detach()
    inner = slice(6, -6)
    if w.shape[3:] == (18, 18):
        w = w[..., inner, inner]
    if not ((w.sum(2) - 1).abs() < 1e-9).all():
        pytest.skip("its kernels do not sum to one")
    if by_image(name):
        up = op(z, guide)
    else:
        w, points = op.weights(z, guide), op.points(z, guide)
        up = upsamplers.reassemble(w, z, scale=2, kernel_size=op.kernel_size, border=op.border, points=points)
    assert_close(up[..., inner, inner], z[..., :1, :1].expand(1, 8, 6, 6))


def test_an_empty_batch_has_an_empty_ceiling():
    best = ceiling(torch.zeros(0, 4, 3, 3), torch.zeros(0, 4, 6, 6), 3)
    assert best.output.shape == (0, 4, 6, 6)
    assert best.gap.shape == (0, 1, 6, 6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target": torch.zeros(2, 6, 9, 8)}, r"a whole number of times as large as z; got z \(2, 6, 5, 4\)"),
        (
            {"target": torch.zeros(2, 5, 10, 8)},
            r"target \[B, C, sH, sW\]; got z \(2, 6, 5, 4\), target \(2, 5, 10, 8\)",
        ),
        ({"kernel_size": 2}, "kernel_size must be an odd integer >= 1; got 2"),
        ({"groups": 4}, "groups must divide the channels; got 4"),
        ({"border": "wrap"}, "no border 'wrap'; allowed: zero, replicate, reflect"),
        ({"constraint": "box"}, r"no constraint 'box'; allowed: none, simplex, or \(low, high\)"),
        ({"constraint": (0.2, 0.3)}, "no 9 weights between 0.2 and 0.3 sum to 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, says):
    z, target = maps()
    with pytest.raises(ValueError, match=says):
        ceiling(**{"z": z, "target": target, "kernel_size": 3, **changes})
