"""Tables go to a device once: later calls find them there, and modes and transforms have tensors of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close

import upsamplers
from upsamplers import Taps, image_guided, reassemble, reference, testing
from upsamplers.primitive import uploads

BY_TABLE = [name for name in upsamplers.names() if upsamplers.facts(name).border == "table"]
ROWS, COLUMNS = ((0, 1), (-1, 1), (2, 0)), ((0, 0), (1, 0))


@pytest.fixture(autouse=True)
def nothing_uploaded() -> None:
    uploads._kept.clear()


def made_by(call: Callable[[], Any]) -> int:
    """How often a call makes a tensor of numbers. torch's function stays in its place: compilers know it by that."""
    found = []

    def note(frame: Any, event: str, called: Any) -> None:
        if event == "c_call" and called == torch.tensor:
            found.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return len(found)


@pytest.mark.parametrize("largest", [image_guided.LARGEST, 1], ids=["whole", "in blocks"])
@pytest.mark.parametrize("name", BY_TABLE)
def test_a_second_call_makes_no_tensor_of_numbers(name: str, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_guided, "LARGEST", largest)
    op = upsamplers.create(name, channels=4).eval()
    z, guide = (one.float() for one in testing.inputs(op, batch=1, height=9, width=11) if one is not None)
    first = made_by(lambda: op(z, guide))
    assert first > 0 or name == "jafar"  # which reads all of z
    assert made_by(lambda: op(z, guide)) == 0


def test_whoever_comes_first_another_may_differentiate_or_pretend() -> None:
    taps, w, z = Taps(ROWS, COLUMNS), torch.randn(1, 1, 2, 3, 2), torch.randn(1, 2, 3, 2)
    for mode in (FakeTensorMode(), torch.inference_mode(), FakeTensorMode()):
        with mode:
            reassemble(torch.empty(w.shape), torch.empty(z.shape), taps=taps)
    leaf = z.clone().requires_grad_()
    (found,) = torch.autograd.grad(reassemble(w, leaf, taps=taps).sum(), leaf)
    (exact,) = torch.autograd.grad(reference.reassemble(w, leaf, taps=taps).sum(), leaf)
    assert_close(found, exact)
    assert_close(torch.func.grad(lambda z: reassemble(w, z, taps=taps).sum())(z), exact)
    assert len(uploads._kept)
    assert all(type(tensor) is torch.Tensor for _, tensor in uploads._kept._results.values())


def test_types_are_kept_apart_and_the_oldest_go_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads._kept, "most", 4)
    values, like = (1, 2), torch.zeros(())
    whole, single = uploads.integers(values, like.device), uploads.numbers(values, like)
    double = uploads.numbers(values, like.double())
    for tensor, kind in ((whole, torch.int64), (single, torch.float32), (double, torch.float64)):
        assert tensor.tolist() == [1, 2] and tensor.dtype == kind
    assert uploads.numbers(values, like) is single
    assert uploads.integers(values, like.device) is not whole
    assert uploads.integers(tuple(range(9)), like.device).tolist() == list(range(9))
    assert len(uploads._kept) == 0
