"""The Triton kernels against the definition, on CPU tensors; run by test_triton.py with TRITON_INTERPRET=1."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from upsamplers import reference
from upsamplers.primitive.cuda import backend as cuda
from upsamplers.primitive.kept import Kept

# kernel, scale, groups, channels, height, width, border, batch, batch of w
WINDOWS = [
    (3, 2, 1, 2, 2, 3, "zero", 2, 2),
    (3, 2, 2, 2, 2, 1, "replicate", 1, 1),
    (3, 2, 1, 1, 2, 3, "reflect", 1, 1),
    (5, 1, 1, 1, 4, 6, "zero", 1, 1),
    (3, 1, 1, 1, 2, 2, "replicate", 2, 1),
    (3, 1, 1, 1, 1, 1, "reflect", 1, 1),
    (1, 2, 3, 3, 5, 3, "zero", 2, 1),
    (1, 3, 1, 2, 1, 1, "zero", 1, 1),
    (3, 3, 2, 2, 2, 3, "zero", 1, 1),
    (5, 2, 1, 2, 7, 3, "zero", 1, 1),
    (3, 4, 1, 1, 2, 2, "zero", 1, 1),
]
# the same in float32, where twice as many weights fit into the registers of a thread
SINGLE = [
    (5, 2, 1, 2, 7, 3, "zero", 1, 1),
    (5, 2, 1, 3, 6, 4, "zero", 2, 1),
    (5, 2, 2, 6, 10, 18, "zero", 2, 2),
    (5, 2, 1, 1, 5, 2, "zero", 1, 1),
    (5, 2, 1, 2, 2, 4, "zero", 1, 1),
    (5, 2, 1, 1, 1, 29, "replicate", 1, 1),
    (5, 2, 1, 1, 2, 3, "reflect", 1, 1),
    (3, 2, 1, 2, 1, 2, "reflect", 1, 1),
    (5, 1, 1, 2, 6, 29, "zero", 1, 1),
    (3, 3, 1, 5, 4, 31, "zero", 1, 1),
    (3, 2, 1, 2, 9, 3, "replicate", 1, 1),
    (3, 4, 1, 2, 3, 5, "zero", 1, 1),
    (1, 2, 8, 8, 3, 4, "zero", 2, 2),
    (1, 2, 6, 6, 5, 2, "reflect", 2, 1),
    (1, 3, 2, 2, 2, 3, "zero", 1, 1),
    (1, 2, 1, 4, 3, 5, "zero", 1, 1),
]
DOWN = [
    (2, 2, 1, 3, 3, 4, "zero", 2, 2),
    (3, 2, 2, 2, 3, 2, "zero", 2, 1),
    (4, 2, 1, 1, 2, 3, "replicate", 1, 1),
    (3, 2, 1, 1, 2, 2, "reflect", 1, 1),
    (1, 3, 1, 2, 2, 3, "zero", 1, 1),
    (5, 2, 1, 1, 3, 3, "zero", 1, 1),
    (3, 1, 1, 1, 1, 1, "replicate", 1, 1),
]


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Numbers that every half type holds exactly, so that only the sums round."""
    generator = torch.Generator().manual_seed(sum(shape))
    return (torch.randint(-16, 17, shape, generator=generator) / 8).to(dtype)


@pytest.fixture(autouse=True)
def unwritten_results_are_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel leaves out of an uninitialised result shows."""
    plain = torch.empty

    def poisoned(*size: Any, **options: Any) -> Tensor:
        result = plain(*size, **options)
        return result.fill_(float("nan")) if result.is_floating_point() else result.fill_(7)

    monkeypatch.setattr(torch, "empty", poisoned)


def window(case: tuple[Any, ...]) -> tuple[Tensor, Tensor, Tensor, dict[str, Any], tuple[Any, ...]]:
    """w, z, a cotangent of y, and the plain arguments by name (definition) and position (backend)."""
    k, s, groups, channels, height, width, border, batch, shared = case
    w = draw(shared, groups, k * k, s * height, s * width)
    z, g = draw(batch, channels, height, width), draw(batch, channels, s * height, s * width)
    return w, z, g, {"scale": s, "kernel_size": k, "border": border}, (s, k, border)


def adjoints(definition: Any, w: Tensor, z: Tensor, g: Tensor, **named: Any) -> tuple[Tensor, Tensor, Tensor]:
    """y and both gradients, through autograd of the definition."""
    w, z = w.detach().clone().requires_grad_(), z.detach().clone().requires_grad_()
    y = definition(w, z, **named)
    return (y.detach(), *torch.autograd.grad(y, (w, z), g))


@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_window_kernels_agree_with_the_definition(case: tuple[Any, ...]) -> None:
    w, z, g, named, plain = window(case)
    y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
    torch.testing.assert_close(cuda.reassemble(w, z, None, *plain), y)
    torch.testing.assert_close(cuda.correlate(g, z, None, w.shape, *plain), gw)
    torch.testing.assert_close(cuda.spread(w, g, None, z.shape, *plain), gz)


@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_window_kernels_that_hold_their_weights_agree_with_the_definition(case: tuple[Any, ...]) -> None:
    w, z, g, named, plain = window(case)
    y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
    w, z, g = w.float(), z.float(), g.float()
    torch.testing.assert_close(cuda.reassemble(w, z, None, *plain), y.float())
    torch.testing.assert_close(cuda.correlate(g, z, None, w.shape, *plain), gw.float())
    torch.testing.assert_close(cuda.spread(w, g, None, z.shape, *plain), gz.float())


@pytest.mark.parametrize("case", DOWN, ids=str)
def test_downsampling_kernels_agree_with_the_definition(case: tuple[Any, ...]) -> None:
    k, s, groups, channels, height, width, border, batch, shared = case
    w, x = draw(shared, groups, k * k, height, width), draw(batch, channels, s * height, s * width)
    g = draw(batch, channels, height, width)
    y, gw, gx = adjoints(reference.downassemble, w, x, g, scale=s, kernel_size=k, border=border)
    torch.testing.assert_close(cuda.downassemble(w, x, s, k, border), y)
    torch.testing.assert_close(cuda.down_correlate(g, x, w.shape, s, k, border), gw)
    torch.testing.assert_close(cuda.down_spread(w, g, x.shape, s, k, border), gx)


@pytest.mark.parametrize(
    ("border", "shared", "samples"),
    [
        ("zero", False, ()),
        ("replicate", True, ()),
        ("reflect", False, ()),
        ("zero", False, (3,)),
        ("reflect", True, (1,)),
    ],
)
def test_point_kernels_agree_with_the_definition_and_their_adjoint(
    border: str, shared: bool, samples: tuple[int, ...]
) -> None:
    batch, groups, channels, height, width, s = (2 if shared else 1), 2, 4, 2, 3, 2
    z, g = draw(batch, channels, height, width), draw(batch, channels, s * height, s * width)
    w = draw(1, groups, 4 * sum(samples or (1,)), s * height, s * width)
    generator = torch.Generator().manual_seed(3)
    shape = (batch, groups, *samples, 2, s * height, s * width)
    points = 7 * torch.rand(shape, generator=generator, dtype=torch.float64) - 2
    y, gw, gz = adjoints(reference.reassemble, w, z, g, scale=s, kernel_size=2, border=border, points=points)
    torch.testing.assert_close(cuda.reassemble(w, z, points, s, 2, border), y)
    torch.testing.assert_close(cuda.correlate(g, z, points, w.shape, s, 2, border), gw)
    torch.testing.assert_close(cuda.spread(w, g, points, z.shape, s, 2, border), gz)


def test_points_that_are_no_numbers_or_far_away_read_nothing_outside() -> None:
    z, w = draw(1, 1, 2, 2), draw(1, 1, 4, 2, 2)
    points = torch.tensor([[float("nan"), float("inf")], [-float("inf"), 1e30]]).expand(1, 1, 2, 2, 2)
    assert cuda.reassemble(w, z, points, 1, 2, "zero").abs().sum() == 0
    assert cuda.spread(w, draw(1, 1, 2, 2), points, z.shape, 1, 2, "zero").abs().sum() == 0


@pytest.mark.parametrize("case", [(3, 2, 1, 2, 2, 3, "zero", 2, 1), (3, 1, 2, 2, 2, 1, "reflect", 1, 1)], ids=str)
def test_one_phase_repeats_at_every_point_and_sums_its_gradient_over_them(case: tuple[Any, ...]) -> None:
    _, z, g, named, plain = window(case)
    w = draw(1, case[2], 9, case[1], case[1])
    y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
    torch.testing.assert_close(cuda.reassemble(w, z, None, *plain), y)
    torch.testing.assert_close(cuda.correlate(g, z, None, w.shape, *plain), gw)
    torch.testing.assert_close(cuda.spread(w, g, None, z.shape, *plain), gz)


def test_points_of_a_cell_are_summed_in_the_order_of_the_map_however_they_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from upsamplers.primitive.cuda import sampling
    from upsamplers.primitive.cuda.launch import launch

    def backwards(plan: Any, device: torch.device, *tensors: Tensor) -> None:
        launch(plan, device, *tensors)
        if plan.kernel.fn.__name__ == "points_place":
            order = tensors[-1]
            order.copy_(order.flip(0))

    monkeypatch.setattr(sampling, "launch", backwards)
    # in float32, 2²⁴ + 1 is 2²⁴: what the three sum to depends on their order
    w = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 4, 1, 1).expand(1, 1, 4, 2, 2)
    g = torch.tensor([[2.0**24, -(2.0**24)], [1.0, 0.0]]).view(1, 1, 2, 2)
    points = torch.zeros(1, 1, 2, 2, 2)
    assert cuda.spread(w, g, points, (1, 1, 1, 1), 2, 2, "zero").item() == 1
    g = torch.tensor([[2.0**24, 1.0], [-(2.0**24), 0.0]]).view(1, 1, 2, 2)
    assert cuda.spread(w, g, points, (1, 1, 1, 1), 2, 2, "zero").item() == 0


def test_points_of_very_large_maps_are_written_in_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from upsamplers.primitive.cuda import sampling

    monkeypatch.setattr(sampling, "NARROW", 1)
    w, z, g = draw(1, 2, 4, 2, 4), draw(1, 4, 1, 2), draw(1, 4, 2, 4)
    points = draw(1, 2, 2, 2, 4)
    _, _, gz = adjoints(reference.reassemble, w, z, g, scale=2, kernel_size=2, border="replicate", points=points)
    torch.testing.assert_close(cuda.spread(w, g, points, z.shape, 2, 2, "replicate"), gz)


def test_channels_last_and_strided_inputs_give_the_same_numbers_in_the_same_layout() -> None:
    w, z, g, named, plain = window((3, 2, 1, 3, 2, 2, "zero", 1, 1))
    y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
    last_z, last_g = (t.to(memory_format=torch.channels_last) for t in (z, g))
    ours = cuda.reassemble(w, last_z, None, *plain)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours, y)
    torch.testing.assert_close(cuda.correlate(last_g, last_z, None, w.shape, *plain), gw)
    spread = cuda.spread(w, last_g, None, z.shape, *plain)
    assert spread.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(spread, gz)
    odd_w = torch.stack((w, w), -1)[..., 0]
    odd_z = torch.nn.functional.pad(z, (1, 2))[..., 1:-2]
    odd_g = g.transpose(2, 3).contiguous().transpose(2, 3)
    torch.testing.assert_close(cuda.reassemble(odd_w, odd_z, None, *plain), y)
    torch.testing.assert_close(cuda.correlate(odd_g, odd_z, None, w.shape, *plain), gw)
    torch.testing.assert_close(cuda.spread(odd_w, odd_g, None, z.shape, *plain), gz)


def test_channels_last_points_give_the_same_numbers() -> None:
    w, z, g = draw(1, 1, 4, 2, 4), draw(1, 3, 1, 2), draw(1, 3, 2, 4)
    points = draw(1, 1, 2, 2, 4)
    y, gw, gz = adjoints(reference.reassemble, w, z, g, scale=2, kernel_size=2, border="zero", points=points)
    z, g = (t.to(memory_format=torch.channels_last) for t in (z, g))
    torch.testing.assert_close(cuda.reassemble(w, z, points, 2, 2, "zero"), y)
    torch.testing.assert_close(cuda.correlate(g, z, points, w.shape, 2, 2, "zero"), gw)
    spread = cuda.spread(w, g, points, z.shape, 2, 2, "zero")
    assert spread.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(spread, gz)


@pytest.mark.parametrize(
    "kinds", [(torch.float32,) * 2, (torch.float16,) * 2, (torch.bfloat16, torch.float32)], ids=str
)
def test_half_types_are_summed_in_float32_and_the_wider_type_wins(kinds: tuple[torch.dtype, torch.dtype]) -> None:
    w, z, g, named, plain = window((3, 2, 1, 2, 2, 3, "zero", 1, 1))
    y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
    wide = torch.promote_types(*kinds)
    w, z, g = w.to(kinds[0]), z.to(kinds[1]), g.to(kinds[1])
    for ours, exact in (
        (cuda.reassemble(w, z, None, *plain), y),
        (cuda.correlate(g, z, None, w.shape, *plain), gw.to(kinds[1])),
        (cuda.spread(w, g, None, z.shape, *plain), gz),
    ):
        torch.testing.assert_close(ours, exact.to(ours.dtype))
    assert cuda.reassemble(w, z, None, *plain).dtype == wide


def test_what_is_not_a_number_reaches_only_the_outputs_that_read_it() -> None:
    w, z, _, named, plain = window((3, 2, 1, 2, 4, 5, "zero", 1, 1))
    z[0, 0, 1, 2] = float("nan")
    torch.testing.assert_close(cuda.reassemble(w, z, None, *plain), reference.reassemble(w, z, **named), equal_nan=True)


@pytest.mark.parametrize(
    "case",
    [(5, 2, 1, 2, 19, 6, "zero", 1, 1), (5, 2, 1, 2, 19, 7, "reflect", 1, 1), (3, 2, 1, 2, 33, 4, "zero", 1, 1)],
    ids=str,
)
def test_gradients_that_are_no_numbers_reach_only_the_points_that_were_read(case: tuple[Any, ...]) -> None:
    w, z, g, named, plain = window(case)
    w, z, g = w.float(), z.float(), g.float()
    for row, column in ((0, 0), (9, -1), (20, 0), (-1, -1)):
        g[0, 0, row, column] = float("nan")
    _, _, gz = adjoints(reference.reassemble, w, z, g, **named)
    torch.testing.assert_close(cuda.spread(w, g, None, z.shape, *plain), gz, equal_nan=True)


@pytest.mark.parametrize(("border", "channels_last"), [("zero", False), ("replicate", False), ("zero", True)])
def test_programs_that_go_on_in_the_next_tile_give_the_same_bits(
    border: str, channels_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upsamplers.primitive.cuda import launch, tiling

    monkeypatch.setattr(tiling, "THREADS", 16)
    w, z, _, _, plain = window((5, 2, 2, 6, 3, 8, border, 2, 2))
    w, z = w.float(), z.float()
    if channels_last:
        z = z.contiguous(memory_format=torch.channels_last)
    found = []
    for span in (None, 2, 7):  # a group has 3 channels; those that are innermost 1 step of 4
        monkeypatch.setattr(launch, "_made", Kept())
        if span is not None:
            monkeypatch.setattr(tiling, "stretches", lambda sets, steps, *rest, span=span: (steps, span))
        found.append(cuda.reassemble(w, z, None, *plain))
    assert not found[0].isnan().any()
    assert all(torch.equal(one, found[0]) for one in found[1:])
    torch.testing.assert_close(found[0], reference.reassemble(w, z, scale=2, kernel_size=5, border=border))


def test_rows_of_pairs_that_are_no_aligned_fours_agree() -> None:
    w, z, g, named, plain = window((5, 2, 1, 2, 6, 4, "zero", 1, 1))
    y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
    for before in (1, 2):
        wide = [torch.nn.functional.pad(t.float(), (before, 4 - before))[..., before : before - 4] for t in (w, z, g)]
        torch.testing.assert_close(cuda.reassemble(wide[0], wide[1], None, *plain), y.float())
        torch.testing.assert_close(cuda.correlate(wide[2], wide[1], None, w.shape, *plain), gw.float())
        torch.testing.assert_close(cuda.spread(wide[0], wide[2], None, z.shape, *plain), gz.float())


def test_maps_wider_than_a_tile_and_offsets_past_32_bits_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from upsamplers.primitive.cuda import launch, tiling

    monkeypatch.setattr(launch, "_made", Kept())
    monkeypatch.setattr(tiling, "wide", lambda *maps: True)
    monkeypatch.setattr(tiling, "THREADS", 4)
    for k, width in ((3, 9), (5, 10)):
        w, z, g, named, plain = window((k, 2, 1, 4, 5, width, "zero", 1, 1))
        y, gw, gz = adjoints(reference.reassemble, w, z, g, **named)
        w, z, g, y, gw, gz = (t if k == 3 else t.float() for t in (w, z, g, y, gw, gz))
        torch.testing.assert_close(cuda.reassemble(w, z, None, *plain), y)
        torch.testing.assert_close(cuda.correlate(g, z, None, w.shape, *plain), gw)
        torch.testing.assert_close(cuda.spread(w, g, None, z.shape, *plain), gz)
