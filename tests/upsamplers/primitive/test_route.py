"""Which way a call takes: straight to its backend by a kept plan or through the registered operator; never stale."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import upsamplers
from upsamplers import correlate, downassemble, reassemble, reference
from upsamplers.primitive import BACKENDS, library, plans

CPU = [name for name in BACKENDS if name != "triton"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + sum(shape)))


W, Z, X = noise(1, 2, 9, 8, 10), noise(2, 4, 4, 5), noise(2, 4, 8, 10)
CORNERS, POINTS = noise(1, 2, 4, 8, 10), noise(2, 2, 2, 8, 10) * 3


def up(w: Tensor = W, z: Tensor = Z, **options: Any) -> Tensor:
    return reassemble(w, z, **{"scale": 2, "kernel_size": 3, **options})


CALLS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, Tensor]]] = {
    "reassemble": (up, (W, Z)),
    "points": (lambda w, z, **o: reassemble(w, z, scale=2, kernel_size=2, points=POINTS, **o), (CORNERS, Z)),
    "correlate": (lambda g, z, **o: correlate(g, z, groups=2, scale=2, kernel_size=3, **o), (X, Z)),
    "downassemble": (lambda w, x, **o: downassemble(w, x, 2, 3, **o), (noise(1, 2, 9, 4, 5), X)),
}


class Counts:
    """How often the registered operators were entered, and how often a plan was made."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.planned: list[str] = []


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    found, entered = Counts(), library.planned

    def operator(primitive: str, *arguments: Any) -> Tensor:
        found.entered.append(primitive)
        return entered(primitive, *arguments)

    def counted(planner: Any) -> Any:
        def plan(primitive: str, *arguments: Any) -> Any:
            found.planned.append(primitive)
            return planner(primitive, *arguments)

        return plan

    monkeypatch.setattr(library, "planned", operator)
    for name in CPU:
        monkeypatch.setitem(BACKENDS, name, counted(BACKENDS[name]))
    plans.clear()
    yield found
    plans.clear()


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize("verb", CALLS)
def test_without_a_gradient_no_operator_is_entered_and_a_second_call_plans_nothing(
    verb: str, backend: str, counts: Counts
) -> None:
    call, inputs = CALLS[verb]
    first = call(*inputs, backend=backend)
    assert (counts.entered, len(counts.planned)) == ([], 1)
    again = call(*(one.clone() for one in inputs), backend=backend)
    assert (counts.entered, len(counts.planned)) == ([], 1)
    assert torch.equal(first, again)


@pytest.mark.parametrize("verb", CALLS)
def test_parameters_whose_gradient_nobody_asks_for_go_straight(verb: str, counts: Counts) -> None:
    call, inputs = CALLS[verb]
    learnt = [torch.nn.Parameter(one) for one in inputs]
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            y = call(*learnt)
        assert_close(y, call(*inputs))
        assert not y.requires_grad
    assert counts.entered == []


@pytest.mark.parametrize("verb", CALLS)
def test_only_the_forward_pass_of_a_first_derivative_enters_an_operator(verb: str, counts: Counts) -> None:
    call, inputs = CALLS[verb]
    leaves = [one.clone().requires_grad_() for one in inputs]
    y = call(*leaves)
    assert y.requires_grad and len(counts.entered) == 1
    torch.autograd.grad(y, leaves, torch.ones_like(y), retain_graph=True)
    assert len(counts.entered) == 1
    twice = torch.autograd.grad(y, leaves, torch.ones_like(y), create_graph=True)
    assert len(counts.entered) == 3 and all(one.requires_grad for one in twice)


class Seeing(TorchDispatchMode):
    """The names of what reaches a device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func).split(".")[1])
        return func(*args, **(kwargs or {}))


class Hearing(TorchFunctionMode):
    """The names of what is called of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func).split(".")[-1])
        return func(*args, **(kwargs or {}))


class Named(Tensor):
    """A subclass that is told of every operator."""


@pytest.mark.parametrize("mode", [Seeing, Hearing])
@pytest.mark.parametrize("verb", CALLS)
def test_modes_see_the_operator_also_after_a_plan_was_kept(verb: str, mode: Any) -> None:
    call, inputs = CALLS[verb]
    plain = call(*inputs)
    with mode() as seen:
        assert torch.equal(call(*inputs), plain)
    assert {"points": "reassemble"}.get(verb, verb) in seen.names


@pytest.mark.parametrize("verb", CALLS)
def test_counters_profilers_and_traces_see_the_operator(verb: str) -> None:
    call, inputs = CALLS[verb]
    plain, name = call(*inputs), {"points": "reassemble"}.get(verb, verb)
    with FlopCounterMode(display=False) as counter:
        call(*inputs)
    assert counter.get_total_flops() > 0
    with torch.profiler.profile() as profile:
        call(*inputs)
    assert f"upsamplers::{name}" in {event.key for event in profile.key_averages()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(call, inputs, check_trace=False)
    assert f"upsamplers::{name}" in str(traced.graph)
    assert_close(traced(*inputs), plain)


@pytest.mark.parametrize("verb", CALLS)
def test_tensors_that_are_more_than_memory_are_served_by_the_operator(verb: str, counts: Counts) -> None:
    call, inputs = CALLS[verb]
    plain = call(*inputs)
    subclass = call(*(one.as_subclass(Named) for one in inputs))
    assert type(subclass) is Named and torch.equal(subclass, plain)
    negative = [torch.complex(torch.zeros_like(one), -one).conj().imag for one in inputs]
    assert all(one.is_neg() for one in negative)
    assert_close(call(*negative), plain)
    assert len(counts.entered) == 2
    with FakeTensorMode(allow_non_fake_inputs=True):
        fake = call(*(torch.empty(one.shape, dtype=one.dtype) for one in inputs))
    assert type(fake).__name__ == "FakeTensor" and fake.shape == plain.shape
    assert call(*(one.to("meta") for one in inputs)).is_meta if verb != "points" else True


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own forward derivatives
@pytest.mark.parametrize("verb", CALLS)
def test_function_transforms_give_what_they_gave_without_plans(verb: str) -> None:
    call, inputs = CALLS[verb]
    plain = call(*inputs)
    mapped = torch.vmap(call)(*(torch.stack([one, 2 * one]) for one in inputs))
    assert_close(mapped, torch.stack([plain, 4 * plain]))
    gradient = torch.func.grad(lambda w: call(w, inputs[1]).sum())(inputs[0])
    leaf = inputs[0].clone().requires_grad_()
    assert_close(gradient, torch.autograd.grad(call(leaf, inputs[1]).sum(), leaf)[0])
    assert_close(torch.func.jvp(lambda w: call(w, inputs[1]), (inputs[0],), (inputs[0],))[1], plain)
    assert_close(torch.func.functionalize(call)(*inputs), plain)
    with forward_ad.dual_level(), torch.no_grad():
        y = call(forward_ad.make_dual(inputs[0], inputs[0]), inputs[1])
        assert_close(forward_ad.unpack_dual(y).tangent, plain)


@pytest.mark.parametrize("verb", CALLS)
def test_autocast_changes_nothing_and_is_no_reason_for_the_operator(verb: str, counts: Counts) -> None:
    call, inputs = CALLS[verb]
    low = [inputs[0].bfloat16(), inputs[1].float()]
    plain = call(*low)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(call(*low), plain)
        leaves = [one.clone().requires_grad_() for one in low]
        assert torch.equal(call(*leaves), plain)
    assert plain.dtype == torch.float32 and len(counts.entered) == 1


@pytest.mark.parametrize("backend", CPU)
def test_whatever_differs_between_two_calls_is_met_by_another_plan(backend: str) -> None:
    phase, last = W[..., :2, :2].contiguous(), torch.channels_last
    wide = noise(2, 4, 4, 10)[..., ::2]
    cases: list[tuple[Tensor, Tensor, dict[str, Any]]] = [
        (W, Z, {}),
        (W, Z, {"border": "replicate"}),
        (W, Z, {"border": "reflect"}),
        (W, Z.contiguous(memory_format=last), {}),
        (W, wide, {}),
        (W.transpose(-1, -2).contiguous().transpose(-1, -2), Z, {}),
        (W.float(), Z, {}),
        (W, Z.float(), {}),
        (W.float(), Z.float(), {}),
        (W.expand(2, -1, -1, -1, -1), Z, {}),
        (W[:, :1], Z, {}),
        (phase, Z, {}),
        (W[:, :, :4], Z, {"points": POINTS, "kernel_size": 2}),
        (W[:, :, :4], Z, {"points": POINTS.float(), "kernel_size": 2}),
        (W[:, :, :4], Z, {"points": POINTS.transpose(-1, -2).contiguous().transpose(-1, -2), "kernel_size": 2}),
        (noise(1, 2, 25, 8, 10), Z, {"kernel_size": 5}),
        (noise(1, 2, 9, 4, 5), Z, {"scale": 1}),
        (noise(1, 2, 9, 6, 4), noise(2, 4, 3, 2), {}),
    ]
    for _ in range(2):
        for w, z, options in cases:
            exact = reference.reassemble(w.double(), z.double(), **{"scale": 2, "kernel_size": 3, **options})
            ours = up(w, z, backend=backend, **options)
            assert ours.dtype == torch.promote_types(w.dtype, z.dtype)
            assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)
    for groups in (1, 2, 4, 1):
        w = correlate(X, Z, groups=groups, scale=2, kernel_size=3, backend=backend)
        assert w.shape[1] == groups


def test_a_plan_is_not_asked_which_backend_was_forced_since(monkeypatch: pytest.MonkeyPatch, counts: Counts) -> None:
    used: list[str] = []
    for name in CPU:
        plain = BACKENDS[name]
        monkeypatch.setitem(BACKENDS, name, lambda *a, p=plain, n=name: (used.append(n), p(*a))[1])  # type: ignore[func-returns-value]
    up()
    monkeypatch.setenv(upsamplers.primitive.ENVIRONMENT, "eager")
    up()
    monkeypatch.delenv(upsamplers.primitive.ENVIRONMENT)
    up()
    up(backend="eager")
    assert used == ["numba", "eager"]


def test_another_number_of_threads_is_another_plan(counts: Counts) -> None:
    count, z, w = torch.get_num_threads(), noise(1, 32, 30, 40), noise(1, 1, 9, 60, 80)
    try:
        torch.set_num_threads(1)
        alone = up(w, z)
        torch.set_num_threads(2)
        assert torch.equal(up(w, z), alone)
        assert len(counts.planned) == 2
    finally:
        torch.set_num_threads(count)


def test_uninitialised_memory_is_filled_where_a_later_call_asks_for_determinism() -> None:
    z = noise(1, 2, 0, 3)
    plain = up(noise(1, 1, 9, 0, 6), z)
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(up(W, Z), up(W, Z))
        assert up(noise(1, 1, 9, 0, 6), z).shape == plain.shape
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scale": 2.0}, None),
        ({"kernel_size": 3.0}, None),
        ({"border": "wrap"}, "no border 'wrap'"),
        ({"border": ["zero"]}, None),
        ({"backend": "numab"}, "no backend 'numab'"),
    ],
    ids=str,
)
def test_an_option_that_only_equals_a_right_one_is_refused_after_a_right_call_as_before(
    given: dict[str, Any], said: str | None, counts: Counts
) -> None:
    before = raised(given)
    up()
    after = raised(given)
    assert (type(before), str(before)) == (type(after), str(after))
    assert said is None or said in str(after)


def raised(options: dict[str, Any]) -> Exception:
    try:
        up(**options)
    except Exception as error:
        return error
    pytest.fail(f"{options} is taken")


def test_tensors_of_other_sizes_are_refused_after_a_right_call(counts: Counts) -> None:
    up()
    with pytest.raises(ValueError, match="w must be"):
        up(W[..., :-1], Z)
    with pytest.raises(ValueError, match="must be on one device"):
        up(W, Z.to("meta"))


def test_what_calls_an_operator_itself_passes_no_check_and_leaves_no_checked_plan(counts: Counts) -> None:
    torch.ops.upsamplers.reassemble(W, Z[:, :3], None, 2, 3, "zero", "numba")
    with pytest.raises(ValueError, match="G must divide C"):
        up(W, Z[:, :3])


def test_plans_are_few_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch, counts: Counts) -> None:
    monkeypatch.setattr(plans._kept, "most", 3)
    sizes = [noise(1, 4, 4, 5 + number) for number in range(5)]
    for z in sizes:
        up(noise(1, 2, 9, 8, 2 * z.shape[3]), z)
    assert len(plans._kept) == 3
    made = len(counts.planned)
    up(noise(1, 2, 9, 8, 18), sizes[4])
    assert len(counts.planned) == made
    up(noise(1, 2, 9, 8, 10), sizes[0])
    assert len(counts.planned) == made + 1


@pytest.mark.parametrize("backend", CPU)
def test_concurrent_callers_may_push_out_each_others_plans(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans._kept, "most", 2)
    plans.clear()
    inputs = [(noise(1, 2, 9, 8, 2 * n), noise(1, 4, 4, n)) for n in (3, 4, 5, 6)]
    expected = [reference.reassemble(*one, scale=2, kernel_size=3) for one in inputs]
    wrong: list[Exception] = []

    def work(start: int) -> None:
        try:
            for turn in range(60):
                number = (start + turn) % len(inputs)
                assert_close(up(*inputs[number], backend=backend), expected[number])
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(plans._kept) <= 2
    plans.clear()
