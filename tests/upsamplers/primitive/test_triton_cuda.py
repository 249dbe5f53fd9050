"""The Triton kernels on a GPU: numbers, repeatability and memory. Without one, test_triton.py checks what it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import upsamplers
from upsamplers import reference

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch: pip install torch, on Linux"
)
TOLERANCE = {
    torch.float64: (1e-12, 1e-12),
    torch.float32: (1e-5, 1e-5),
    torch.float16: (2e-3, 2e-3),
    torch.bfloat16: (1.6e-2, 1.6e-2),
}
Case = tuple[int, int, int, int, int, int, str, int, int]
CASES: list[Case] = [  # kernel, scale, groups, channels, height, width, border, batch, batch of w
    (5, 2, 1, 256, 30, 41, "zero", 1, 1),
    (3, 2, 4, 64, 33, 64, "replicate", 2, 2),
    (5, 2, 1, 24, 40, 33, "reflect", 2, 1),
    (3, 3, 2, 10, 17, 35, "zero", 2, 2),
    (1, 2, 128, 128, 20, 28, "zero", 1, 1),
    (3, 4, 1, 7, 9, 70, "replicate", 1, 1),
    (7, 8, 1, 5, 6, 5, "zero", 1, 1),
    (5, 1, 3, 9, 1, 1, "reflect", 2, 2),
]


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, device="cuda", dtype=torch.float64).to(dtype)


def tensors(case: Case, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, dict[str, Any]]:
    k, s, groups, channels, height, width, border, batch, shared = case
    w = torch.softmax(draw(shared, groups, k * k, s * height, s * width), 2).to(dtype)
    z, g = draw(batch, channels, height, width, dtype=dtype), draw(batch, channels, s * height, s * width, dtype=dtype)
    return w, z, g, {"scale": s, "kernel_size": k, "border": border}


def gradients(verb: Callable[..., Tensor], w: Tensor, z: Tensor, g: Tensor, **named: Any) -> list[Tensor]:
    w, z = w.detach().requires_grad_(), z.detach().requires_grad_()
    y = verb(w, z, **named)
    return [y.detach(), *torch.autograd.grad(y, (w, z), g)]


def exact(verb: Callable[..., Tensor], w: Tensor, z: Tensor, g: Tensor, **named: Any) -> list[Tensor]:
    return gradients(verb, w.double().cpu(), z.double().cpu(), g.double().cpu(), **named)


def compare(ours: list[Tensor], definition: list[Tensor], dtype: torch.dtype) -> None:
    relative, absolute = TOLERANCE[dtype]
    for one, other in zip(ours, definition, strict=True):
        size = float(other.abs().max())
        torch.testing.assert_close(one.cpu().double(), other, rtol=relative, atol=absolute * max(size, 1))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_both_gradients_agree_with_the_definition(case: Case, dtype: torch.dtype) -> None:
    w, z, g, named = tensors(case, dtype)
    ours = gradients(upsamplers.reassemble, w, z, g, backend="triton", **named)
    compare(ours, exact(reference.reassemble, w, z, g, **named), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_channels_last_in_gives_channels_last_out_and_the_same_numbers(case: Case, dtype: torch.dtype) -> None:
    w, z, g, named = tensors(case, dtype)
    z, g = (t.to(memory_format=torch.channels_last) for t in (z, g))
    ours = gradients(upsamplers.reassemble, w, z, g, backend="triton", **named)
    for one in (ours[0], ours[2]):
        assert one.is_contiguous(memory_format=torch.channels_last)
    compare(ours, exact(reference.reassemble, w, z, g, **named), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("k", "s", "border"), [(2, 2, "zero"), (4, 2, "zero"), (5, 2, "replicate"), (3, 3, "reflect")])
def test_downassemble_and_its_gradients_agree(k: int, s: int, border: str, dtype: torch.dtype) -> None:
    w = torch.softmax(draw(2, 2, k * k, 11, 19), 2).to(dtype)
    x, g = draw(2, 12, s * 11, s * 19, dtype=dtype), draw(2, 12, 11, 19, dtype=dtype)
    named = {"scale": s, "kernel_size": k, "border": border}
    ours = gradients(upsamplers.downassemble, w, x, g, backend="triton", **named)
    compare(ours, exact(reference.downassemble, w, x, g, **named), dtype)


def sampled(batch: int, groups: int, height: int, width: int) -> Tensor:
    """Points of a regular grid, moved by about a pixel."""
    y, x = torch.meshgrid(torch.arange(2 * height) / 2, torch.arange(2 * width) / 2, indexing="ij")
    return torch.stack((x, y)).cuda() + draw(batch, groups, 2, 2 * height, 2 * width)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("border", ["zero", "replicate", "reflect"])
def test_sampled_points_and_their_gradients_agree(border: str, dtype: torch.dtype) -> None:
    points = sampled(2, 4, 13, 21)
    w = torch.softmax(draw(2, 4, 4, 26, 42), 2).to(dtype)
    z, g = draw(2, 64, 13, 21, dtype=dtype), draw(2, 64, 26, 42, dtype=dtype)
    named = {"scale": 2, "kernel_size": 2, "border": border}
    ours = gradients(upsamplers.reassemble, w, z, g, points=points, backend="triton", **named)
    compare(ours, exact(reference.reassemble, w, z, g, points=points.cpu(), **named), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_two_runs_give_the_same_bits(dtype: torch.dtype) -> None:
    w, z, g, named = tensors((5, 2, 1, 256, 60, 60, "replicate", 1, 1), dtype)
    runs = [gradients(upsamplers.reassemble, w, z, g, backend="triton", **named) for _ in range(2)]
    corners, points = torch.softmax(draw(1, 4, 4, 120, 120), 2).to(dtype), sampled(1, 4, 60, 60)
    again = {"scale": 2, "kernel_size": 2, "points": points, "backend": "triton"}
    runs = [a + gradients(upsamplers.reassemble, corners, z, g, **again) for a in runs]
    for one, other in zip(*runs, strict=True):
        assert torch.equal(one, other)


def test_a_kernel_that_is_started_again_gives_the_same_numbers() -> None:
    w, z, _, named = tensors(CASES[1], torch.float32)
    first = upsamplers.reassemble(w, z, **named)
    results = [upsamplers.reassemble(w, z, **named)]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        results.append(upsamplers.reassemble(w, z, **named))
    stream.synchronize()
    for one in (w, z):  # from addresses that are no multiples of 16
        moved = torch.empty(one.numel() + 1, device="cuda")[1:].view(one.shape).copy_(one)
        results.append(upsamplers.reassemble(*((moved, z) if one is w else (w, moved)), **named))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = upsamplers.reassemble(w, z, **named)
    captured.zero_()
    graph.replay()
    torch.cuda.synchronize()
    for one in (*results, captured):
        torch.testing.assert_close(one, first, rtol=1e-5, atol=1e-5)
    assert torch.equal(results[0], first)
    assert torch.equal(results[1], first)
    assert torch.equal(captured, first)


def peak(call: Callable[[], Any]) -> tuple[int, Any]:
    """Bytes allocated at once beyond what was there before, and the result."""
    call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    result = call()
    return torch.cuda.max_memory_allocated() - before, result


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("form", ["window", "down", "points"])
def test_nothing_beyond_output_and_gradients_is_allocated(form: str, dtype: torch.dtype) -> None:
    named: dict[str, Any]
    verb: Callable[..., Tensor] = upsamplers.reassemble
    w, z, g, named = tensors((5, 2, 1, 256, 120, 120, "zero", 1, 1), dtype)
    if form == "points":
        w = torch.softmax(draw(1, 4, 4, 240, 240), 2).to(dtype)
        named = {"scale": 2, "kernel_size": 2, "border": "replicate", "points": sampled(1, 4, 120, 120)}
    if form == "down":
        verb, named = upsamplers.downassemble, {"scale": 2, "kernel_size": 5}
        w, z, g = torch.softmax(draw(1, 1, 25, 120, 120), 2).to(dtype), g, z
    forward, y = peak(lambda: verb(w, z, backend="triton", **named))
    assert forward <= 1.15 * y.numel() * y.element_size()
    training, results = peak(lambda: gradients(verb, w, z, g, backend="triton", **named))
    assert training <= 1.15 * sum(r.numel() * r.element_size() for r in results)


def test_the_shape_of_the_tables_agrees_with_plain_pytorch() -> None:
    w, z, g, named = tensors((5, 2, 1, 256, 120, 120, "zero", 1, 1), torch.float64)
    ours = gradients(upsamplers.reassemble, w.float(), z.float(), g.float(), backend="triton", **named)
    eager = gradients(upsamplers.reassemble, w, z, g, backend="eager", **named)
    compare(ours, [t.cpu() for t in eager], torch.float32)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 23200, 23200), (512, 1056, 1024)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_maps_past_two_to_the_31_elements_are_written_whole(
    channels: int, height: int, width: int, layout: torch.memory_format
) -> None:
    if torch.cuda.mem_get_info()[0] < 24 * 2**30:
        pytest.skip("needs 24 GiB of free GPU memory")
    z = torch.zeros(1, channels, height, width, device="cuda", dtype=torch.float16).to(memory_format=layout)
    z[..., -1, -1] = 2
    w = torch.ones(1, 1, 1, 2, 2, device="cuda", dtype=torch.float16)
    y = upsamplers.reassemble(w, z, scale=2, kernel_size=1, backend="triton")
    assert y.numel() > 2**31
    assert bool((y[..., -2:, -2:] == 2).all())
    assert int(y.count_nonzero()) == 4 * channels


def test_cuda_tensors_are_served_by_triton_unless_told_otherwise() -> None:
    from upsamplers.primitive.backends import choose

    assert choose(draw(1), None) == "triton"
    assert choose(draw(1), "eager") == "eager"
