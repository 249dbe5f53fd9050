"""A compiled kernel started without Triton's binder against Triton's own launch, on a GPU that is not there."""

from __future__ import annotations

import importlib.util
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from upsamplers import correlate, downassemble, reassemble
from upsamplers.primitive import plans

if importlib.util.find_spec("triton") is None or os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("needs Triton (pip install triton, on Linux), not its interpreter", allow_module_level=True)

import triton_compiler
from fake_triton import KNOBS, FakeDriver, Start, fake_triton, forget
from triton.backends.compiler import GPUTarget
from triton.compiler import CompiledKernel
from triton.runtime.jit import JITFunction

from upsamplers.primitive.cuda import backend as cuda
from upsamplers.primitive.cuda import compiled, geometry, launch, normalising, pooling
from upsamplers.primitive.cuda.window import window_sum


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeDriver]:
    with fake_triton(monkeypatch, tmp_path) as driver:
        yield driver


def zeros(*shape: int, offset: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Zeros that begin `offset` elements after an address that is a multiple of 64."""
    numel = torch.Size(shape).numel()
    return torch.zeros(numel + offset, dtype=dtype)[offset:].view(shape)


def half(*shape: int) -> Tensor:
    return zeros(*shape, dtype=torch.bfloat16)


def last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def strided(tensor: Tensor) -> Tensor:
    """The same, whose rows are apart."""
    return torch.nn.functional.pad(tensor, (0, 3))[..., :-3]


def up(w: Tensor, z: Tensor, **options: Any) -> Tensor:
    return reassemble(w, z, **{"scale": 2, "kernel_size": 3, "backend": "triton", **options})


def sampled(w: Tensor, z: Tensor, points: Tensor) -> Tensor:
    return up(w, z, kernel_size=2, points=points)


def affinity(g: Tensor, z: Tensor, **options: Any) -> Tensor:
    return correlate(g, z, **{"scale": 2, "kernel_size": 3, "backend": "triton", **options})


def down(w: Tensor, x: Tensor, **options: Any) -> Tensor:
    return downassemble(w, x, 2, 3, **{"backend": "triton", **options})


def gradients(w: Tensor, z: Tensor) -> Tensor:
    """Through the registered operators: the value and both adjoints."""
    w, z = w.detach().requires_grad_(), z.detach().requires_grad_()
    y = up(w, z)
    torch.autograd.grad(y, (w, z), torch.zeros_like(y))
    return y.detach()


W, Z, G = zeros(1, 1, 9, 32, 48), zeros(1, 16, 16, 24), zeros(1, 16, 32, 48)
CALLS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, Tensor], dict[str, Any]]] = {
    "a window": (up, (W, Z), {}),
    "w apart from 16 bytes": (up, (zeros(*W.shape, offset=1), Z), {}),
    "w apart from 8 bytes alone": (up, (zeros(*W.shape, offset=2), Z), {}),
    "z apart from 16 bytes": (up, (W, zeros(*Z.shape, offset=3)), {}),
    "half types": (up, (half(*W.shape), half(*Z.shape)), {}),
    "two types": (up, (half(*W.shape), Z), {}),
    "float64": (up, (W.double(), Z.double()), {}),
    "channels last": (up, (W, last(Z)), {}),
    "pairs of columns": (up, (zeros(1, 1, 25, 32, 48), Z), {"kernel_size": 5}),
    "an affinity of pairs of columns": (affinity, (G, Z), {"kernel_size": 5}),
    "rows apart": (up, (strided(W), strided(Z)), {}),
    "odd sizes": (up, (zeros(1, 1, 9, 10, 6), zeros(1, 3, 5, 3)), {}),
    "ones": (up, (zeros(1, 1, 9, 2, 2), zeros(1, 1, 1, 1)), {}),
    "reflected": (up, (W, Z), {"border": "reflect"}),
    "two maps": (up, (zeros(2, 4, 9, 32, 48), zeros(2, 16, 16, 24)), {}),
    "two maps of one w": (up, (W, zeros(2, 16, 16, 24)), {}),
    "one phase": (up, (zeros(1, 1, 9, 2, 2), Z), {}),
    "one tap and channel": (up, (zeros(1, 16, 1, 32, 48), Z), {"kernel_size": 1}),
    "points": (sampled, (zeros(1, 4, 4, 32, 48), Z), {"points": zeros(1, 4, 2, 32, 48)}),
    "points apart from 16 bytes": (
        sampled,
        (zeros(1, 4, 4, 32, 48), Z),
        {"points": zeros(1, 4, 2, 32, 48, offset=1)},
    ),
    "an affinity": (affinity, (G, Z), {}),
    "an affinity of one tensor": (affinity, (Z, Z), {"scale": 1}),
    "downsampling": (down, (zeros(1, 1, 9, 16, 24), G), {}),
    "with gradients": (gradients, (W, Z), {}),
}


def same(one: Start, other: Start) -> bool:
    """Whether two starts are one, but for the address of what each allocated."""
    return replace(one, addresses=()) == replace(other, addresses=())


@pytest.mark.parametrize("what", CALLS)
def test_a_second_call_starts_what_triton_would_with_the_same_parameters(what: str, fake: FakeDriver) -> None:
    call, inputs, options = CALLS[what]
    call(*inputs, **options)
    count = len(fake.bound)
    assert count == len(fake.starts) > 0
    out = call(*inputs, **options)
    assert len(fake.bound) == count, "Triton's binder is asked again"
    direct = fake.starts[count:]
    forget()
    again = call(*inputs, **options)  # by Triton's binder
    bound = fake.starts[2 * count :]
    assert len(fake.bound) == 2 * count
    assert all(map(same, direct, bound)) and len(direct) == len(bound)
    if count == 1:
        ours, theirs = direct[0].addresses, bound[0].addresses
        assert (*ours[:-1], theirs[-1]) == theirs
        assert (ours[-1], theirs[-1]) == (out.data_ptr(), again.data_ptr())


def test_every_kernel_of_primitives_and_fused_passes_is_started_so(fake: FakeDriver) -> None:
    triton_compiler.everything()
    count, kinds = len(fake.starts), len(fake.bound)
    assert (count, kinds) == (35, 34)  # A2U's affinities of one map and of two share the kernel that makes norms lines
    triton_compiler.everything()
    assert len(fake.bound) == kinds
    forget()
    triton_compiler.everything()
    assert len(fake.bound) == 2 * kinds
    assert all(map(same, fake.starts[count : 2 * count], fake.starts[2 * count :]))


def test_every_kind_of_call_is_told_from_every_other(fake: FakeDriver) -> None:
    for call, inputs, options in CALLS.values():
        call(*inputs, **options)
    count = len(fake.starts)
    for call, inputs, options in CALLS.values():
        forget()
        call(*inputs, **options)
    assert len(fake.starts) == 2 * count
    assert all(map(same, fake.starts[:count], fake.starts[count:]))


def test_another_stream_is_the_stream_of_its_call_alone(fake: FakeDriver) -> None:
    for stream in (7, 7, 8, 9):
        fake.streams[0] = stream
        up(W, Z)
    assert [one.stream for one in fake.starts] == [7, 7, 8, 9]
    assert len(fake.bound) == len({one.function for one in fake.starts}) == 1


def test_another_device_has_a_kernel_and_a_stream_of_its_own(fake: FakeDriver) -> None:
    for place in ("cuda:0", "cuda:1", "cuda:0", "cuda:1"):
        fake.where = place
        up(W, Z)
        assert fake.device == 0, "the current device is left as it was"
    assert fake.loaded == [("window_sum", 0), ("window_sum", 1)]
    assert [(one.function, one.stream) for one in fake.starts] == [(1, 7), (2, 70)] * 2
    assert len(fake.bound) == 2


def test_each_alignment_has_a_kernel_of_its_own(fake: FakeDriver) -> None:
    for offsets in itertools.product((0, 1), (0, 1)):
        for _ in range(2):
            up(*(zeros(*one.shape, offset=offset) for one, offset in zip((W, Z), offsets, strict=True)))
    assert [one.function for one in fake.starts] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len(fake.bound) == 4


def test_a_result_that_lies_otherwise_is_another_launch(fake: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    up(W, Z)
    monkeypatch.setattr(torch, "empty", lambda shape, **options: zeros(*shape, offset=1))
    up(W, Z)
    assert len(fake.bound) == 2
    assert fake.starts[0].function != fake.starts[1].function
    assert fake.starts[0].values != fake.starts[1].values  # pairs of columns are no aligned access


def test_kernels_that_are_given_the_same_are_told_apart(fake: FakeDriver) -> None:
    w, z, line = zeros(1, 1, 9, 16, 24), zeros(1, 16, 16, 24), zeros(1, 16, 1, 8)
    for _ in range(2):
        cuda.reassemble(w, z, None, 1, 3, "zero")
        cuda.spread(w, z, None, z.shape, 1, 3, "zero")
        pooling.backward(pooling.forward(line, 2), line, 2, [True])
    assert fake.bound == ["window_sum", "window_scatter", "cell_means", "cell_shares"]
    assert [one.function for one in fake.starts] == [1, 2, 3, 4] * 2


def test_numbers_that_are_equal_but_of_another_type_are_another_launch(fake: FakeDriver) -> None:
    logits = zeros(1, 9, 4, 4)
    for factor in (2.0, 2, 2.0, 2):
        normalising.forward(logits, None, 1, 1, 1, True, factor, False, True)
    assert [one.function for one in fake.starts] == [1, 2, 1, 2]
    assert len(fake.bound) == 2


def test_the_registers_that_a_thread_may_have_are_part_of_a_launch(fake: FakeDriver) -> None:
    plan = launch.planned(geometry.sum_of, (W, Z, G), (16, 24), launch.Window(2, 3, 1, -1, "zero"), False)
    for registers in (plan.registers, None, plan.registers, None):
        launch.launch(replace(plan, registers=registers), Z.device, W, Z, G)
    assert [one.function for one in fake.starts] == [1, 2, 1, 2]
    assert len(fake.bound) == 2


@pytest.mark.parametrize("name", ["launch_enter_hook", "launch_exit_hook"])
def test_a_hook_of_launches_sees_every_start(name: str, fake: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    up(W, Z)
    monkeypatch.setattr(CompiledKernel if KNOBS is None else KNOBS.runtime, name, len)
    up(W, Z)
    forget()
    up(W, Z)
    assert len(fake.bound) == 2
    assert len in fake.starts[1].hooks
    assert same(*fake.starts[1:])


def debug(patch: pytest.MonkeyPatch) -> None:
    if KNOBS is None:
        patch.setenv("TRITON_DEBUG", "1")
    else:
        patch.setattr(KNOBS.runtime, "debug", True)


def instrumentation(patch: pytest.MonkeyPatch) -> None:
    if not hasattr(getattr(KNOBS, "compilation", None), "instrumentation_mode"):
        pytest.skip("this Triton has no such setting")
    patch.setattr(KNOBS.compilation, "instrumentation_mode", "consan")


@pytest.mark.parametrize("change", [debug, instrumentation])
def test_what_triton_also_compiles_by_is_asked_at_each_start(
    change: Callable[[pytest.MonkeyPatch], None], fake: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(W, Z)
    with monkeypatch.context() as patch:
        change(patch)
        up(W, Z)
        up(W, Z)
    up(W, Z)
    assert [one.function for one in fake.starts] == [1, 2, 2, 1]
    assert len(fake.bound) == 2


def unknown_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = JITFunction.run

    def run(*arguments: Any, **options: Any) -> Any:
        found = plain(*arguments, **options)
        found.src.signature = {name: kind for name, kind in found.src.signature.items() if kind != "constexpr"}
        return found

    monkeypatch.setattr(JITFunction, "run", run)


def another_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = JITFunction.run

    def run(*arguments: Any, **options: Any) -> Any:
        found = plain(*arguments, **options)
        found.metadata = found.metadata._replace(target=GPUTarget("hip", "gfx942", 64))
        return found

    monkeypatch.setattr(JITFunction, "run", run)


def no_kernel_in_return(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = JITFunction.run
    monkeypatch.setattr(JITFunction, "run", lambda *given, **options: (plain(*given, **options), None)[1])


def hook_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(getattr(KNOBS, "runtime", None), "add_stages_inspection_hook"):
        pytest.skip("this Triton has no such hook")
    monkeypatch.setattr(KNOBS.runtime, "add_stages_inspection_hook", lambda *given: ("key", "hash"))


WAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "an unknown version": lambda patch: patch.setattr(compiled, "VERSIONS", ("2.0.",)),
    "an unknown signature": unknown_signature,
    "another maker's GPU": another_maker,
    "no kernel in return": no_kernel_in_return,
    "a hook of the kernel": lambda patch: patch.setattr(window_sum, "pre_run_hooks", [lambda *given, **options: None]),
    "a hook of the compiler": hook_of_the_compiler,
    "another kind of kernel": lambda patch: patch.setattr(compiled, "JITFunction", object),
}


@pytest.mark.parametrize("why", WAYS)
@pytest.mark.parametrize("before", [False, True])
def test_a_triton_that_must_be_asked_each_time_is(
    why: str, before: bool, fake: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before and "hook" in why:  # set once there is a compiled kernel
        up(W, Z)
    known = len(fake.bound)
    WAYS[why](monkeypatch)
    for turn in range(3):
        up(W, Z)
        assert len(fake.bound) == known + turn + 1


def test_nothing_that_is_kept_holds_a_tensor(fake: FakeDriver) -> None:
    w, z = zeros(*W.shape), zeros(*Z.shape)
    found = [weakref.ref(one) for one in (w, z, up(w, z), up(w, z), gradients(w, z))]
    del w, z
    assert [one() for one in found] == [None] * len(found)


def test_compiled_kernels_are_few_and_threads_may_push_out_each_others(
    fake: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for store in (plans._kept, launch._made, compiled._started):
        monkeypatch.setattr(store, "most", 2)
    inputs = [(zeros(1, 1, 9, 8, 2 * width), zeros(1, 16, 4, width)) for width in (3, 4, 5, 6)]
    for one in inputs:
        up(*one)
    alone = {one.values: one.function for one in fake.starts}
    errors: list[Exception] = []

    def work(first: int) -> None:
        try:
            for turn in range(40):
                up(*inputs[(first + turn) % 4])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(fake.starts) == 4 + 160
    assert all(alone[one.values] == one.function for one in fake.starts)
    assert len(compiled._started) <= 2 and len(launch._made) <= 2
