"""The direct launch of a compiled kernel against Triton's own launch of it, on a GPU that is not there."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from upsamplers import correlate, downassemble, reassemble
from upsamplers.primitive import plans

if importlib.util.find_spec("triton") is None:
    pytest.skip("pip install triton (Linux)", allow_module_level=True)

from faked_cuda import Fake, addresses, faked_cuda

from upsamplers.primitive.cuda import backend as cuda
from upsamplers.primitive.cuda import replay

FORCED: dict[str, Any] = {"backend": "triton"}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fake]:
    with faked_cuda(monkeypatch, tmp_path) as faked:
        yield faked


def zeros(*shape: int, offset: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Zeros that begin `offset` elements after an address that is a multiple of 64."""
    numel = torch.Size(shape).numel()
    return torch.zeros(numel + offset, dtype=dtype)[offset:].view(shape)


def last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def windows(w: Tensor, z: Tensor, **options: Any) -> Tensor:
    return reassemble(w, z, **{"scale": 2, "kernel_size": 3, **FORCED, **options})


def sampled(w: Tensor, z: Tensor, offset: int = 0, **options: Any) -> Tensor:
    points = zeros(z.shape[0], w.shape[1], 2, *w.shape[3:], offset=offset)
    return reassemble(w, z, scale=2, kernel_size=2, points=points, **FORCED, **options)


def affinity(g: Tensor, z: Tensor, **options: Any) -> Tensor:
    return correlate(g, z, scale=2, kernel_size=3, **FORCED, **options)


def halved(w: Tensor, x: Tensor, **options: Any) -> Tensor:
    return downassemble(w, x, 2, 3, **FORCED, **options)


Call = tuple[Callable[..., Tensor], Callable[[], tuple[Tensor, Tensor]], dict[str, Any]]
CALLS: dict[str, Call] = {
    "a window": (windows, lambda: (zeros(1, 1, 9, 32, 48), zeros(1, 16, 16, 24)), {}),
    "w apart from 16 bytes": (windows, lambda: (zeros(1, 1, 9, 32, 48, offset=1), zeros(1, 16, 16, 24)), {}),
    "z apart from 16 bytes": (windows, lambda: (zeros(1, 1, 9, 32, 48), zeros(1, 16, 16, 24, offset=3)), {}),
    "w apart from 8 bytes": (windows, lambda: (zeros(1, 1, 9, 32, 48, offset=1), zeros(1, 16, 16, 24, offset=2)), {}),
    "odd sizes": (windows, lambda: (zeros(1, 1, 9, 10, 6), zeros(1, 3, 5, 3)), {}),
    "ones": (windows, lambda: (zeros(1, 1, 9, 2, 2), zeros(1, 1, 1, 1)), {}),
    "reflected": (windows, lambda: (zeros(1, 1, 9, 32, 48), zeros(1, 16, 16, 24)), {"border": "reflect"}),
    "two maps": (windows, lambda: (zeros(2, 4, 9, 32, 48), zeros(2, 16, 16, 24)), {}),
    "one phase": (windows, lambda: (zeros(1, 1, 9, 2, 2), zeros(1, 16, 16, 24)), {}),
    "channels last": (windows, lambda: (zeros(1, 1, 9, 32, 48), last(zeros(1, 16, 16, 24))), {}),
    "half types": (
        windows,
        lambda: (zeros(1, 1, 9, 32, 48, dtype=torch.bfloat16), zeros(1, 16, 16, 24, dtype=torch.bfloat16)),
        {},
    ),
    "two types": (windows, lambda: (zeros(1, 1, 9, 32, 48, dtype=torch.bfloat16), zeros(1, 16, 16, 24)), {}),
    "points": (sampled, lambda: (zeros(1, 4, 4, 32, 48), zeros(1, 16, 16, 24)), {}),
    "points apart from 16 bytes": (sampled, lambda: (zeros(1, 4, 4, 32, 48), zeros(1, 16, 16, 24)), {"offset": 1}),
    "an affinity": (affinity, lambda: (zeros(1, 16, 32, 48), zeros(1, 16, 16, 24)), {}),
    "downsampling": (halved, lambda: (zeros(1, 1, 9, 16, 24), zeros(1, 16, 32, 48)), {}),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_second_call_launches_what_triton_would(what: str, fake: Fake) -> None:
    call, make, options = CALLS[what]
    call(*make(), **options)
    assert len(fake.bound) == len(fake.seen) == 1
    inputs = make()
    out = call(*inputs, **options)
    assert len(fake.bound) == 1, "Triton's binder is asked again"
    direct = fake.seen[-1]
    assert all(not isinstance(value, Tensor) for value in direct["values"])
    plans.clear()
    again = call(*inputs, **options)  # by Triton's binder, of the same inputs
    bound = fake.seen[-1]
    assert len(fake.bound) == 2 and len(fake.compiled) == 1
    assert {**direct, "values": None} == {**bound, "values": None}
    expected = [out.data_ptr() if value == again.data_ptr() else value for value in addresses(bound["values"])]
    assert list(direct["values"]) == expected
    assert (out.shape, out.stride(), out.dtype) == (again.shape, again.stride(), again.dtype)


def test_another_alignment_is_another_plan_and_another_kernel(fake: Fake) -> None:
    for w_offset, z_offset in itertools.product((0, 1), (0, 1)):
        for _ in range(2):
            windows(zeros(1, 1, 9, 32, 48, offset=w_offset), zeros(1, 16, 16, 24, offset=z_offset))
    assert len(fake.bound) == len(fake.compiled) == 4
    assert [one["function"] for one in fake.seen] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_strides_past_two_to_the_31_go_to_the_kernel_of_64_bits(fake: Fake) -> None:
    far = (1 << 31) + 16
    try:
        room = torch.empty(far + 16 * 16 * 24, dtype=torch.float32)  # no page of it is touched
    except RuntimeError:
        pytest.skip("no room for 8 GiB of addresses")
    w, near = zeros(1, 1, 9, 32, 48), zeros(2, 16, 16, 24)
    for z in (near, room.as_strided(near.shape, (far, *near.stride()[1:]))):
        for _ in range(2):
            windows(w, z)
    assert len(fake.bound) == len(fake.compiled) == 2
    assert any(isinstance(value, tuple) and far in value for value in fake.seen[-1]["values"])
    assert fake.seen[-1]["function"] != fake.seen[0]["function"]


def test_an_output_that_lies_otherwise_is_left_to_triton(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = CALLS["a window"][1]()
    windows(*inputs)
    plain = torch.empty_strided
    monkeypatch.setattr(torch, "empty_strided", lambda shape, strides, **o: zeros(*shape, offset=1))
    windows(*inputs)
    assert len(fake.bound) == 2
    monkeypatch.setattr(torch, "empty_strided", plain)
    windows(*inputs)
    assert len(fake.bound) == 2


def test_every_launch_is_on_the_stream_of_its_time(fake: Fake) -> None:
    inputs = CALLS["a window"][1]()
    for stream in (7, 7, 8, 9):
        fake.driver.stream = stream
        windows(*inputs)
    assert [one["stream"] for one in fake.seen] == [7, 7, 8, 9] and len(fake.bound) == 1


def test_hooks_that_are_set_later_see_the_launch(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    from triton import knobs

    inputs = CALLS["a window"][1]()
    windows(*inputs)
    hook = len
    monkeypatch.setattr(knobs.runtime, "launch_exit_hook", hook)
    windows(*inputs)
    assert fake.seen[-1]["hooks"][1] is hook


def test_one_tensor_for_two_is_no_rule_for_the_next_call(fake: Fake) -> None:
    both, other = zeros(1, 16, 16, 24), zeros(1, 16, 16, 24)
    same = {"scale": 1, "kernel_size": 1, **FORCED}
    correlate(both, both, **same)
    correlate(both, other, **same)
    assert len(fake.bound) == 1
    assert list(fake.seen[-1]["values"][:2]) == [both.data_ptr(), other.data_ptr()]


def test_what_does_more_than_launch_is_done_anew_each_time(fake: Fake) -> None:
    g, z = zeros(1, 16, 32, 48), zeros(1, 16, 16, 24)
    for turn in range(2):
        torch.ops.upsamplers.correlate(g, z, None, (1, 1, 9, 2, 2), 2, 3, "zero", "triton")  # parts, then their sum
        assert len(fake.bound) == turn + 1
    w, points = zeros(1, 1, 4, 32, 48), zeros(1, 1, 2, 32, 48)
    launches = len(fake.bound)
    for _ in range(2):
        torch.ops.upsamplers.spread(w, g, points, z.shape, 2, 2, "zero", "triton")  # sorted, then gathered
    assert len(fake.bound) >= launches + 2
    nothing = zeros(1, 1, 9, 0, 0), zeros(1, 2, 0, 0)
    empty = torch.ops.upsamplers.spread(*nothing, None, (1, 2, 3, 4), 2, 3, "zero", "triton")
    assert torch.equal(empty, torch.zeros(1, 2, 3, 4))


@pytest.mark.parametrize("change", ["a signature without constants", "a hook of the kernel", "an interpreter"])
def test_a_triton_that_launches_otherwise_is_asked_each_time(
    change: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upsamplers.primitive.cuda.window import window_sum

    inputs = CALLS["a window"][1]()
    if change == "a hook of the kernel":
        monkeypatch.setattr(window_sum, "pre_run_hooks", [lambda *a, **k: None])
    elif change == "an interpreter":
        plain = type(window_sum).run
        monkeypatch.setattr(type(window_sum), "run", lambda *a, **k: (plain(*a, **k), None)[1])
    else:
        plain = type(window_sum).run

        def run(*arguments: Any, **options: Any) -> Any:
            compiled = plain(*arguments, **options)
            compiled.src.signature = {k: v for k, v in compiled.src.signature.items() if v != "constexpr"}
            return compiled

        monkeypatch.setattr(type(window_sum), "run", run)
    for turn in range(3):
        windows(*inputs)
        assert len(fake.bound) == turn + 1


def test_the_kernel_of_every_primitive_is_launched_directly_by_the_second_call(fake: Fake) -> None:
    w, z, g = zeros(1, 1, 9, 32, 48), zeros(1, 16, 16, 24), zeros(1, 16, 32, 48)
    down = zeros(1, 1, 9, 16, 24)
    calls: dict[str, tuple[Tensor, Tensor, tuple[int, ...]]] = {
        "reassemble": (w, z, ()),
        "correlate": (g, z, tuple(w.shape)),
        "spread": (w, g, tuple(z.shape)),
        "downassemble": (down, g, ()),
        "down_correlate": (z, g, tuple(down.shape)),
        "down_spread": (down, z, tuple(g.shape)),
    }
    for primitive, (first, second, shape) in calls.items():
        plan = cuda.plan(primitive, first, second, None, shape, 2, 3, "zero")
        plan(first, second, None)
        bound = len(fake.bound)
        assert isinstance(plan, replay.Repeated) and plan.again is not plan.function, primitive
        plan(first, second, None)
        assert len(fake.bound) == bound, primitive
