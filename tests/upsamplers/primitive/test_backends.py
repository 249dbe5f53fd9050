"""Every backend of the primitive against the definition over its own grid, and what must hold whichever runs."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from upsamplers import correlate, downassemble, reassemble, reference
from upsamplers.primitive import BACKENDS, ENVIRONMENT
from upsamplers.primitive.backends import choose

CPU = [name for name in BACKENDS if name != "triton"]
BORDERS = ("zero", "replicate", "reflect")
SIZES = ((1, 1), (4, 3), (2, 18))
TOLERANCE: dict[torch.dtype, dict[str, Any]] = {
    torch.float64: {"rtol": 1e-10, "atol": 1e-10},
    torch.float32: {"rtol": 1e-4, "atol": 1e-4},
    torch.float16: {"rtol": 2e-3, "atol": 2e-2},
    torch.bfloat16: {"rtol": 2e-2, "atol": 2e-1},
}


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)


def kernels(kind: str, batch: int, groups: int, taps: int, scale: int, height: int, width: int) -> Tensor:
    if kind == "phase":
        return noise(1, groups, taps, scale, scale)
    return noise(batch if kind == "each" else 1, groups, taps, scale * height, scale * width)


def with_gradients(function: Any, *inputs: Tensor, cotangent: Tensor | None = None) -> list[Tensor]:
    """The output and the gradient in each input, from a cotangent that does not depend on who computes."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = function(*leaves)
    cotangent = noise(*y.shape, seed=9) if cotangent is None else cotangent
    return [y.detach(), *torch.autograd.grad(y, leaves, cotangent.to(y.dtype))]


@functools.cache
def reassemble_case(
    kernel_size: int, scale: int, border: str, height: int, width: int, kind: str, groups: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """w, z, and what the definition makes of them: the output and both gradients."""
    z, w = noise(2, 4, height, width), kernels(kind, 2, groups, kernel_size**2, scale, height, width)
    exact = with_gradients(
        lambda w, z: reference.reassemble(w, z, scale=scale, kernel_size=kernel_size, border=border), w, z
    )
    return w, z, exact


@functools.cache
def downassemble_case(
    kernel_size: int, scale: int, border: str, height: int, width: int, kind: str, groups: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """w, x, and what the definition makes of them."""
    x, w = noise(2, 4, scale * height, scale * width), kernels(kind, 2, groups, kernel_size**2, 1, height, width)
    exact = with_gradients(lambda w, x: reference.downassemble(w, x, scale, kernel_size, border), w, x)
    return w, x, exact


class Forced:
    """The public verbs under one backend, with the signatures of the definition."""

    def __init__(self, backend: str) -> None:
        self.reassemble = functools.partial(reassemble, backend=backend)
        self.downassemble = functools.partial(downassemble, backend=backend)


def naming(*case: object) -> Callable[[str], str]:
    """A failure's message that begins with the case."""
    return lambda message: f"{case}: {message}"


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Uninitialised memory holds NaN, so that an output that is not written everywhere shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_reassemble_and_its_gradients_equal_the_definition(
    backend: str, kernel_size: int, scale: int, poisoned: None
) -> None:
    grid = itertools.product(BORDERS, SIZES, ("each", "shared", "phase"))
    for number, (border, (height, width), kind) in enumerate(grid):
        w, z, exact = reassemble_case(kernel_size, scale, border, height, width, kind, 1 + number % 2)
        options: dict[str, Any] = {"scale": scale, "kernel_size": kernel_size, "border": border}
        ours = with_gradients(lambda w, z, o=options: reassemble(w, z, backend=backend, **o), w, z)
        for a, b in zip(ours, exact, strict=True):
            assert_close(a, b, **TOLERANCE[torch.float64], msg=naming(border, height, width, kind))


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_downassemble_and_its_gradients_equal_the_definition(
    backend: str, kernel_size: int, scale: int, poisoned: None
) -> None:
    for number, (border, (height, width), kind) in enumerate(itertools.product(BORDERS, SIZES, ("each", "shared"))):
        w, x, exact = downassemble_case(kernel_size, scale, border, height, width, kind, 1 + number % 2)
        ours = with_gradients(lambda w, x, b=border: downassemble(w, x, scale, kernel_size, b, backend), w, x)
        for a, b in zip(ours, exact, strict=True):
            assert_close(a, b, **TOLERANCE[torch.float64], msg=naming(border, height, width, kind))


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("border", BORDERS)
def test_points_and_their_gradients_equal_the_definition(backend: str, border: str, poisoned: None) -> None:
    for scale, (height, width), groups, batch in itertools.product((1, 2, 3), SIZES, (1, 2), (1, 2)):
        z, w = noise(2, 4, height, width), noise(batch, groups, 4, scale * height, scale * width)
        points = noise(2, groups, 2, scale * height, scale * width) * max(height, width)
        options: dict[str, Any] = {"scale": scale, "kernel_size": 2, "border": border, "points": points}
        ours = with_gradients(lambda w, z, o=options: reassemble(w, z, backend=backend, **o), w, z)
        exact = with_gradients(lambda w, z, o=options: reference.reassemble(w, z, **o), w, z)
        for a, b in zip(ours, exact, strict=True):
            assert_close(a, b, **TOLERANCE[torch.float64])


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_every_dtype_and_large_enough_maps_for_several_threads(backend: str, dtype: torch.dtype) -> None:
    cases = ((3, 2, 12, 2, 37), (3, 1, 27, 1, 40), (5, 2, 7, 1, 40), (1, 2, 16, 16, 70))
    for kernel_size, scale, channels, groups, width in cases:
        z = noise(1, channels, 16, width, dtype=dtype)
        w = noise(1, groups, kernel_size**2, scale * 16, scale * width, dtype=dtype)
        options: dict[str, Any] = {"scale": scale, "kernel_size": kernel_size, "border": "replicate"}
        ours = with_gradients(lambda w, z, o=options: reassemble(w, z, backend=backend, **o), w, z)
        exact = with_gradients(lambda w, z, o=options: reference.reassemble(w, z, **o), w.double(), z.double())
        for a, b in zip(ours, exact, strict=True):
            assert a.dtype == dtype
            assert_close(a.double(), b, **TOLERANCE[dtype])


@pytest.mark.parametrize("backend", CPU)
def test_kernels_and_features_may_differ_in_dtype(backend: str) -> None:
    for first, second in itertools.permutations(TOLERANCE, 2):
        w, z = noise(1, 1, 9, 8, 10, dtype=first), noise(1, 3, 4, 5, dtype=second)
        y, gw, gz = with_gradients(lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), w, z)
        assert (y.dtype, gw.dtype, gz.dtype) == (torch.promote_types(first, second), first, second)
        loosest = max((TOLERANCE[first], TOLERANCE[second]), key=lambda t: t["rtol"])
        assert_close(y.double(), reference.reassemble(w.double(), z.double(), scale=2, kernel_size=3), **loosest)


@pytest.mark.parametrize("backend", CPU)
def test_points_of_every_dtype_are_read_in_at_least_float32(backend: str) -> None:
    for dtype in TOLERANCE:
        z, w, points = noise(1, 2, 4, 300, dtype=torch.float32), noise(1, 1, 4, 4, 300, dtype=torch.float32), None
        points = (torch.rand(1, 1, 2, 4, 300, dtype=torch.float64) * 255).to(dtype)
        y = reassemble(w, z, scale=1, kernel_size=2, points=points, backend=backend)
        exact = reference.reassemble(w, z, scale=1, kernel_size=2, points=points.double())
        assert_close(y, exact, **TOLERANCE[torch.float32])


def mixing(backend: str) -> Tensor:
    return reassemble(noise(1, 5, 27, 2, 2), noise(2, 3, 4, 5), scale=2, kernel_size=3, backend=backend)


@pytest.mark.parametrize("backend", CPU)
def test_kernels_that_mix_channels_equal_the_definition(backend: str) -> None:
    exact = reference.reassemble(noise(1, 5, 27, 2, 2), noise(2, 3, 4, 5), scale=2, kernel_size=3)
    assert_close(mixing(backend), exact)


@pytest.mark.parametrize("backend", CPU)
def test_any_strides_are_read_where_they_lie(backend: str) -> None:
    options: dict[str, Any] = {"scale": 2, "kernel_size": 3, "border": "reflect"}
    plain_z, plain_w = noise(2, 6, 5, 7), noise(2, 2, 9, 10, 14)
    maps = {
        "channels last": plain_z.contiguous(memory_format=torch.channels_last),
        "every other column": noise(2, 6, 5, 14)[..., ::2],
        "a slice of a larger map": noise(2, 9, 9, 11)[:, 2:8, 3:8, 1:8],
        "expanded over batch": noise(1, 6, 5, 7).expand(2, -1, -1, -1),
        "expanded over rows": noise(2, 6, 1, 7).expand(-1, -1, 5, -1),
        "rows and columns swapped": noise(2, 6, 7, 5).transpose(-1, -2),
    }
    weights = {
        "plain": plain_w,
        "taps last": noise(2, 2, 10, 14, 9).movedim(-1, 2),
        "expanded over groups": noise(2, 1, 9, 10, 14).expand(-1, 2, -1, -1, -1),
        "expanded over taps": noise(2, 2, 1, 10, 14).expand(-1, -1, 9, -1, -1),
    }
    for (which, z), (how, w) in itertools.product(maps.items(), weights.items()):
        cotangents = (None, noise(2, 6, 10, 1).expand(-1, -1, -1, 14), noise(2, 10, 14, 6).movedim(-1, 1))
        for cotangent in cotangents:
            ours = with_gradients(lambda w, z: reassemble(w, z, backend=backend, **options), w, z, cotangent=cotangent)
            exact = with_gradients(lambda w, z: reference.reassemble(w, z, **options), w, z, cotangent=cotangent)
            for a, b in zip(ours, exact, strict=True):
                assert_close(a, b, msg=naming(which, how))


@pytest.mark.parametrize("backend", CPU)
def test_a_channels_last_map_gives_a_channels_last_map(backend: str) -> None:
    z = noise(2, 6, 4, 5).contiguous(memory_format=torch.channels_last)
    y = reassemble(noise(2, 1, 9, 8, 10), z, scale=2, kernel_size=3, backend=backend)
    down = downassemble(noise(2, 1, 16, 4, 5), y, 2, 4, backend=backend)
    for one in (y, down):
        assert one.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("channels", [6, 32])
def test_a_channels_last_gradient_of_the_output_gives_one_of_the_map_also_where_shapes_alone_are_known(
    backend: str, channels: int, poisoned: None
) -> None:
    z, x = noise(2, channels, 4, 5), noise(2, channels, 8, 10)
    w, points = noise(2, 2, 9, 8, 10), noise(2, 2, 2, 8, 10) * 3
    sampled: dict[str, Any] = {"scale": 2, "kernel_size": 2, "points": points, "border": "replicate"}
    calls: tuple[tuple[Any, Tensor, Tensor, Tensor], ...] = (
        (lambda w, z, f: f.reassemble(w, z, scale=2, kernel_size=3, border="reflect"), w, z, x),
        (lambda w, z, f: f.reassemble(w, z, **{**sampled, "points": points.to(z.device)}), w[:, :, :4], z, x),
        (lambda w, x, f: f.downassemble(w, x, 2, 3, "replicate"), w[..., :4, :5], x, z),
    )
    for function, first, second, cotangent in calls:
        last = [one.contiguous(memory_format=torch.channels_last) for one in (second, cotangent)]
        forced = functools.partial(function, f=Forced(backend))
        ours = with_gradients(forced, first, last[0], cotangent=last[1])
        exact = with_gradients(functools.partial(function, f=reference), first, second, cotangent=cotangent)
        for a, b in zip(ours, exact, strict=True):
            assert_close(a, b)
        foreseen = with_gradients(forced, first.to("meta"), last[0].to("meta"), cotangent=last[1].to("meta"))
        for map in (ours[2], foreseen[2]):
            assert map.is_contiguous(memory_format=torch.channels_last) and not map.is_contiguous()


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_channels_last_maps_wide_enough_for_vectors_of_channels(
    backend: str, dtype: torch.dtype, poisoned: None
) -> None:
    grid = itertools.product((1, 3, 5), (1, 2, 3), BORDERS, ((1, 2), (5, 4)), ("each", "shared", "phase"))
    for number, (kernel_size, scale, border, (height, width), kind) in enumerate(grid):
        if number % (5 if dtype == torch.float64 else 7):
            continue
        groups = 1 + number % 2
        z = noise(2, 32, height, width, dtype=dtype).contiguous(memory_format=torch.channels_last)
        x = noise(2, 32, scale * height, scale * width, dtype=dtype).contiguous(memory_format=torch.channels_last)
        w = kernels(kind, 2, groups, kernel_size**2, scale, height, width).to(dtype)
        down = kernels("shared" if kind == "phase" else kind, 2, groups, kernel_size**2, 1, height, width).to(dtype)
        options: dict[str, Any] = {"scale": scale, "kernel_size": kernel_size, "border": border}
        calls = (
            (lambda w, z, f, o=options: f.reassemble(w, z, **o), w, z, x),
            (lambda w, x, f, o=options: f.downassemble(w, x, *o.values()), down, x, z),
        )
        for function, first, second, cotangent in calls:
            forced = functools.partial(function, f=Forced(backend))
            exactly = functools.partial(function, f=reference)
            ours = with_gradients(forced, first, second, cotangent=cotangent)
            exact = with_gradients(exactly, first.double(), second.double(), cotangent=cotangent)
            for a, b in zip(ours, exact, strict=True):
                assert_close(a.double(), b, **TOLERANCE[dtype], msg=naming(number, kernel_size, scale, border, kind))


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("shape", [(0, 4, 3, 3), (2, 4, 0, 3), (2, 4, 3, 0), (2, 0, 3, 3)], ids=str)
def test_empty_maps_give_empty_maps_and_zero_gradients(backend: str, shape: tuple[int, ...]) -> None:
    batch, _, height, width = shape
    w = noise(batch, 1, 9, 2 * height, 2 * width)
    y, gw, gz = with_gradients(
        lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), w, torch.zeros(shape).double()
    )
    assert y.shape == (batch, shape[1], 2 * height, 2 * width)
    assert_close(gw, torch.zeros_like(w))
    assert gz.shape == shape
    x = torch.zeros(batch, shape[1], 2 * height, 2 * width)
    assert downassemble(torch.zeros(batch, 1, 4, height, width), x, 2, 2, backend=backend).shape == shape


@pytest.mark.parametrize("backend", CPU)
def test_derivatives_of_both_orders_are_right(backend: str) -> None:
    w, z = noise(1, 1, 9, 4, 6).requires_grad_(), noise(1, 2, 2, 3).requires_grad_()
    phase = noise(1, 2, 9, 2, 2).requires_grad_()
    down, x = noise(1, 1, 9, 2, 3).requires_grad_(), noise(1, 2, 4, 6).requires_grad_()
    corner, points = noise(1, 2, 4, 4, 6).requires_grad_(), noise(1, 2, 2, 4, 6)
    functions: tuple[tuple[Any, tuple[Tensor, ...]], ...] = (
        (lambda w, z: reassemble(w, z, scale=2, kernel_size=3, border="replicate", backend=backend), (w, z)),
        (lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), (phase, z)),
        (lambda w, z: reassemble(w, z, scale=2, kernel_size=2, points=points, backend=backend), (corner, z)),
        (lambda w, x: downassemble(w, x, 2, 3, "reflect", backend), (down, x)),
        (lambda x, z: correlate(x, z, scale=2, kernel_size=3, backend=backend), (x, z)),
    )
    for function, inputs in functions:
        assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
        assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_reaches_what_reads_it_and_nothing_else(backend: str, value: float) -> None:
    options: dict[str, Any] = {"scale": 2, "kernel_size": 3}
    for dtype, border in itertools.product((torch.float64, torch.float32, torch.float16), ("zero", "replicate")):
        z, w = noise(1, 5, 9, 20, dtype=dtype), noise(1, 1, 9, 18, 40, dtype=dtype).abs() + 0.1
        z[0, 3, 4, 9] = value
        y = reassemble(w, z, border=border, backend=backend, **options)
        touched = torch.zeros(1, 5, 18, 40, dtype=torch.bool)
        touched[0, 3, 6:12, 16:22] = True
        assert torch.equal(~y.isfinite(), touched)
        assert torch.equal(y.isnan(), touched & (value != value))
        w = noise(1, 1, 9, 18, 40, dtype=dtype)
        w[0, 0, 4, 7, 11] = value
        y = reassemble(w, z.nan_to_num(posinf=0), border=border, backend=backend, **options)
        assert torch.equal((~y.isfinite())[0].any(0).nonzero(), torch.tensor([[7, 11]]))
    points = torch.full((1, 1, 2, 18, 40), value, dtype=torch.float64)
    y = reassemble(noise(1, 1, 4, 18, 40), noise(1, 5, 9, 20), scale=2, kernel_size=2, points=points, backend=backend)
    assert_close(y, torch.zeros_like(y))


@pytest.mark.parametrize("backend", CPU)
def test_the_same_call_gives_the_same_bits_on_any_number_of_threads(backend: str) -> None:
    z, w = noise(2, 12, 12, 33, dtype=torch.float32), noise(2, 2, 9, 24, 66, dtype=torch.float32)
    points = noise(2, 2, 2, 24, 66).abs() * 9

    def everything() -> list[Tensor]:
        windows = with_gradients(lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), w, z)
        sampled = with_gradients(
            lambda w, z: reassemble(w, z, scale=2, kernel_size=2, points=points, backend=backend), w[:, :, :4], z
        )
        static = with_gradients(
            lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), w[:1, ..., :2, :2], z
        )
        return windows + sampled + static

    count = torch.get_num_threads()
    first, second = everything(), everything()
    torch.set_num_threads(1)
    try:
        alone = everything() if backend != "eager" else first  # torch's own sums depend on the threads
    finally:
        torch.set_num_threads(count)
    for a, b, c in zip(first, second, alone, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


@pytest.mark.parametrize("backend", CPU)
def test_concurrent_callers_get_what_one_gets(backend: str) -> None:
    inputs = [(noise(1, 1, 9, 20, 2 * n), noise(1, 16, 10, n)) for n in (30, 33, 36, 39)]

    def call(w: Tensor, z: Tensor) -> list[Tensor]:
        return with_gradients(lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), w, z)

    expected = [call(*one) for one in inputs]
    results: list[list[Tensor]] = [[] for _ in inputs]

    def work(number: int) -> None:
        for _ in range(4):
            results[number] = call(*inputs[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, alone in zip(results, expected, strict=True):
        for a, b in zip(ours, alone, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("backend", CPU)
def test_offsets_beyond_two_to_the_31_are_right(backend: str) -> None:
    far = 1 << 31  # elements between two samples; of the 8 GiB between them no page is touched
    try:
        room = torch.empty(far + 4096, dtype=torch.float32)
    except RuntimeError:
        pytest.skip("no room for 8 GiB of addresses")

    def apart(tensor: Tensor) -> Tensor:
        strides = tensor[:1].contiguous().stride()[1:]
        return room.as_strided(tensor.shape, (far, *strides)).copy_(tensor)

    z, w, x = (noise(*shape, dtype=torch.float32) for shape in ((2, 2, 4, 5), (2, 1, 9, 8, 10), (2, 2, 8, 10)))
    points = (noise(2, 1, 2, 8, 10).abs() * 3).float()
    calls: tuple[tuple[Any, tuple[Tensor, ...]], ...] = (
        (lambda w, z: reassemble(w, z, scale=2, kernel_size=3, backend=backend), (w, z)),
        (lambda w, z: reassemble(w, z, scale=2, kernel_size=2, points=points, backend=backend), (w[:, :, :4], z)),
        (lambda w, x: downassemble(w, x, 2, 3, backend=backend), (w[..., :4, :5], x)),
    )
    for function, inputs in calls:
        exact = with_gradients(function, *inputs)
        for place in range(2):
            moved = [apart(x) if number == place else x for number, x in enumerate(inputs)]
            for a, b in zip(with_gradients(function, *moved), exact, strict=True):
                assert_close(a, b)


def test_shapes_beyond_two_to_the_31_elements_are_computed_without_memory() -> None:
    z, w = torch.empty(4, 256, 1024, 1024, device="meta"), torch.empty(4, 1, 25, 2048, 2048, device="meta")
    y = reassemble(w, z, scale=2, kernel_size=5)
    assert y.shape == (4, 256, 2048, 2048) and y.numel() > 1 << 31
    assert correlate(y, z, scale=2, kernel_size=5).shape == w.shape
    assert downassemble(w[:, :, :4, ::2, ::2], y, 2, 2).shape == z.shape


def peak_bytes(function: Any) -> int:
    """The most that a call holds at once beyond what was there, from the allocator's own log."""
    with torch.profiler.profile(profile_memory=True) as profile:
        kept = function()
    del kept
    held = peak = 0
    events = (e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]")
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_compiled_backend_holds_little_more_than_its_results(dtype: torch.dtype) -> None:
    z, g = noise(1, 96, 64, 64, dtype=dtype), noise(1, 96, 128, 128, dtype=dtype)
    w = noise(1, 1, 25, 128, 128, dtype=dtype)

    def forward() -> Tensor:
        return reassemble(w, z, scale=2, kernel_size=5, backend="numba")

    def training() -> list[Tensor]:
        return with_gradients(lambda w, z: reassemble(w, z, scale=2, kernel_size=5, backend="numba"), w, z, cotangent=g)

    training()
    output = g.numel() * g.element_size()
    gradients = (w.numel() + z.numel()) * z.element_size()
    assert output <= peak_bytes(forward) <= 1.15 * output
    assert output + gradients <= peak_bytes(training) <= 1.15 * (output + gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("verb", ["points", "downassemble", "correlate", "channels last", "one phase"])
def test_no_verb_of_the_compiled_backend_holds_much_more_than_its_results(verb: str, dtype: torch.dtype) -> None:
    z, high = noise(1, 96, 64, 64, dtype=dtype), noise(1, 96, 128, 128, dtype=dtype)
    w, points = noise(1, 1, 25, 128, 128, dtype=dtype), noise(1, 1, 2, 128, 128, dtype=dtype).abs() * 20
    window: dict[str, Any] = {"scale": 2, "kernel_size": 5, "border": "reflect", "backend": "numba"}
    sampled: dict[str, Any] = {"scale": 2, "kernel_size": 2, "points": points, "backend": "numba"}
    function, *inputs = {
        "points": (lambda w, z: reassemble(w, z, **sampled), w[:, :, :4].contiguous(), z),
        "downassemble": (lambda w, x: downassemble(w, x, 2, 5, backend="numba"), w[..., :64, :64].contiguous(), high),
        "correlate": (lambda g, z: correlate(g, z, **window), high, z),
        "channels last": (
            lambda w, z: reassemble(w, z, **window),
            w,
            z.contiguous(memory_format=torch.channels_last),
        ),
        "one phase": (lambda w, z: reassemble(w, z, **window), w[..., :2, :2].contiguous(), z),
    }[verb]
    output = function(*inputs)
    cotangent = torch.ones_like(output)

    def training() -> list[Tensor]:
        return with_gradients(function, *inputs, cotangent=cotangent)

    training()
    results = sum(x.numel() * x.element_size() for x in (output, *inputs))
    size = output.numel() * output.element_size()
    assert size <= peak_bytes(lambda: function(*inputs)) <= 1.15 * size
    assert results <= peak_bytes(training) <= 1.15 * results


def test_the_backend_is_the_best_for_device_and_dtype_unless_one_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    for dtype in TOLERANCE:
        assert choose(torch.zeros(1, dtype=dtype), None) == "numba"
    assert choose(torch.zeros(1, device="meta"), None) == "eager"
    assert choose(torch.zeros(1), "eager") == "eager"
    monkeypatch.setenv(ENVIRONMENT, "eager")
    assert choose(torch.zeros(1), None) == "eager"
    assert choose(torch.zeros(1), "numba") == "numba"
    with pytest.raises(ValueError, match="no backend 'numab'; did you mean 'numba'"):
        reassemble(noise(1, 1, 1, 2, 2), noise(1, 1, 2, 2), scale=1, kernel_size=1, backend="numab")


FIRST = """
import logging, sys, torch, upsamplers
logger = logging.getLogger("upsamplers")
logger.setLevel(logging.INFO)
logger.addHandler(logging.StreamHandler(sys.stdout))
torch.set_num_threads(1)
w, z = torch.rand(1, 1, 1, 4, 4), torch.rand(1, 1, 2, 2)
for _ in range(2):
    upsamplers.reassemble(w, z, scale=2, kernel_size=1, backend="numba")
"""


def test_a_first_call_is_announced_once_and_what_it_compiles_stays_on_disk(tmp_path: Path) -> None:
    def call() -> tuple[list[str], dict[str, int]]:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), {str(file): file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb[ci]")}

    said, compiled = call()
    kinds = ", ".join(["torch.float32"] * 3)  # of w, of z and of the output
    assert said == [f"preparing the CPU kernel window.gather for {kinds} (compiled once, then cached on disk)"]
    assert compiled
    assert call() == (said, compiled)  # read, not written


PROCESS = """
import os, signal, sys, numpy, torch, upsamplers
assert "numba" not in sys.modules, "numba is imported before it is used"
torch.set_num_threads(2)
z, w = torch.randn(1, 32, 30, 40), torch.randn(1, 1, 9, 60, 80)
up = lambda: upsamplers.reassemble(w, z, scale=2, kernel_size=3, backend="numba")
before = up()
import numba
assert numba.threading_layer() in ("omp", "tbb"), numba.threading_layer()
assert torch.get_num_threads() == 2
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if numpy.array_equal(up().numpy(), before.numpy()) else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "a forked process cannot call the kernels"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_numba_loads_late_runs_on_a_safe_layer_and_survives_a_fork() -> None:
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", CPU)
def test_vmap_equals_a_loop(backend: str) -> None:
    w, z = noise(3, 1, 1, 9, 4, 6), noise(3, 2, 4, 2, 3)

    def up(w: Tensor, z: Tensor) -> Tensor:
        return reassemble(w, z, scale=2, kernel_size=3, backend=backend)

    def down(w: Tensor, x: Tensor) -> Tensor:
        return downassemble(w, x, 2, 3, backend=backend)

    ours = torch.vmap(up)(w, z)
    assert_close(ours, torch.stack([up(*one) for one in zip(w, z, strict=True)]))
    assert_close(torch.vmap(up, in_dims=(None, 1))(w[0], z), torch.stack([up(w[0], one) for one in z.unbind(1)]))
    small = w[..., ::2, ::2]
    assert_close(torch.vmap(down)(small, ours), torch.stack([down(*one) for one in zip(small, ours, strict=True)]))
    functions = (torch.vmap(up), lambda w, z: torch.stack([*map(up, w, z)]))
    for a, b in zip(*(with_gradients(one, w, z) for one in functions), strict=True):
        assert_close(a, b)


def test_the_compiler_takes_the_whole_graph_forwards_and_backwards() -> None:
    w, z = noise(1, 1, 9, 8, 10), noise(1, 3, 4, 5)

    def function(w: Tensor, z: Tensor) -> Tensor:
        up = reassemble(w.softmax(2), z.sin(), scale=2, kernel_size=3, border="replicate")
        return downassemble(w[..., ::2, ::2], up, 2, 3).cos()

    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for a, b in zip(with_gradients(compiled, w, z), with_gradients(function, w, z), strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("backend", CPU)
def test_autocast_kernels_meet_float32_features(backend: str) -> None:
    z, logits = noise(1, 3, 4, 5, dtype=torch.float32), torch.nn.Conv2d(3, 9, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        w = logits(noise(1, 3, 8, 10, dtype=torch.float32)).unsqueeze(1)
        y = reassemble(w, z, scale=2, kernel_size=3, backend=backend)
    assert (w.dtype, y.dtype) == (torch.bfloat16, torch.float32)
    assert_close(y, reference.reassemble(w.float(), z, scale=2, kernel_size=3), **TOLERANCE[torch.float32])
    y.square().mean().backward()
    assert logits.weight.grad is not None and logits.weight.grad.isfinite().all()


W, Z, X = noise(1, 2, 9, 8, 10), noise(1, 4, 4, 5), noise(1, 4, 8, 10)
WRONG: dict[str, tuple[Any, str]] = {
    "a negative scale": (lambda: reassemble(W, Z, scale=-2, kernel_size=3), "scale must be an integer >= 1; got -2"),
    "an even window": (lambda: reassemble(W, Z, scale=2, kernel_size=2), "kernel_size must be odd; got 2"),
    "groups that do not divide": (
        lambda: reassemble(noise(1, 3, 9, 8, 10), Z, scale=2, kernel_size=3),
        r"G must divide C; got w \(1, 3, 9, 8, 10\), z \(1, 4, 4, 5\)",
    ),
    "integers": (lambda: reassemble(W, Z.long(), scale=2, kernel_size=3), "floating point only; got .*int64"),
    "two devices": (lambda: reassemble(W, Z.to("meta"), scale=2, kernel_size=3), "w is on cpu, z on meta"),
    "a border": (lambda: reassemble(W, Z, scale=2, kernel_size=3, border="wrap"), "no border 'wrap'.*reflect"),
    "points of another size": (
        lambda: reassemble(W[:, :, :4], Z, scale=2, kernel_size=2, points=noise(1, 2, 2, 8, 9)),
        r"points must be \(1, 2, 2, 8, 10\), or have P after G; got \(1, 2, 2, 8, 9\)",
    ),
    "points elsewhere": (
        lambda: reassemble(W[:, :, :4], Z, scale=2, kernel_size=2, points=noise(1, 2, 2, 8, 10).to("meta")),
        "points are on meta, z on cpu",
    ),
    "maps that differ": (
        lambda: correlate(X, Z[:, :2], scale=2, kernel_size=3),
        r"sizes differ; got g \(1, 4, 8, 10\)",
    ),
    "groups of maps": (lambda: correlate(X, Z, groups=3, scale=2, kernel_size=3), "groups must divide C; got 3"),
    "maps on two devices": (lambda: correlate(X, Z.to("meta"), scale=2, kernel_size=3), "g is on cpu, z on meta"),
    "a map that is no multiple": (
        lambda: downassemble(W, X, 2, 3),
        r"x must be s times as large as w; got w \(1, 2, 9, 8, 10\), x \(1, 4, 8, 10\)",
    ),
    "a scale of 0": (lambda: downassemble(W, X, 0, 3), "scale must be an integer >= 1; got 0"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_said_with_what_was_given(what: str) -> None:
    call, said = WRONG[what]
    with pytest.raises(ValueError, match=said):
        call()


sides = st.integers(0, 4)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), backend=st.sampled_from(CPU))
def test_reassemble_is_right_or_says_which_shapes_do_not_fit(data: st.DataObject, backend: str) -> None:
    batch, groups, per, height, width = (data.draw(sides) for _ in range(5))
    scale, kernel_size = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 5))
    border = data.draw(st.sampled_from(BORDERS))
    z_shape = [batch, groups * per, height, width]
    w_shape = [data.draw(st.sampled_from((1, batch))), groups, kernel_size**2, scale * height, scale * width]
    if data.draw(st.integers(0, 3)) == 0:
        spoilt = data.draw(st.sampled_from((z_shape, w_shape)))
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] += data.draw(st.integers(1, 2))
    z, w = noise(*z_shape), noise(*w_shape)
    try:
        y = reassemble(w, z, scale=scale, kernel_size=kernel_size, border=border, backend=backend)
    except ValueError as error:
        assert str(error).startswith("reassemble: ")
        named = str(tuple(w_shape)) in str(error) or f"got {scale}" in str(error) or f"got {kernel_size}" in str(error)
        assert named, str(error)
        return
    if y.numel():
        exact = reference.reassemble(w, z, scale=scale, kernel_size=kernel_size, border=border)
        assert_close(y, exact)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), backend=st.sampled_from(CPU))
def test_downassemble_is_right_or_says_which_shapes_do_not_fit(data: st.DataObject, backend: str) -> None:
    batch, groups, per, height, width = (data.draw(sides) for _ in range(5))
    scale, kernel_size = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 5))
    border = data.draw(st.sampled_from(BORDERS))
    x_shape = [batch, groups * per, scale * height, scale * width]
    w_shape = [data.draw(st.sampled_from((1, batch))), groups, kernel_size**2, height, width]
    if data.draw(st.integers(0, 3)) == 0:
        spoilt = data.draw(st.sampled_from((x_shape, w_shape)))
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] += data.draw(st.integers(1, 2))
    x, w = noise(*x_shape), noise(*w_shape)
    try:
        y = downassemble(w, x, scale, kernel_size, border, backend)
    except ValueError as error:
        assert str(error).startswith("downassemble: ")
        return
    if y.numel():
        assert_close(y, reference.downassemble(w, x, scale, kernel_size, border))
