"""What the manifest says of TF32 and of the GPU, on one that is not there."""

from __future__ import annotations

import pytest
import torch
from fake_cuda import FakeGpus

from a2u_bench.measure.precision import multiply_in
from a2u_bench.measure.torch_facts import torch_facts


@pytest.fixture(autouse=True)
def whole_float32():
    """As every process that measures begins, and the facts are asked of one."""
    multiply_in("float32")
    yield
    multiply_in("float32")


def tf32() -> tuple[bool, bool]:
    facts = torch_facts()
    return facts["tf32_matmul"], facts["tf32_cudnn"]


def test_tf32_of_products_and_of_convolutions_is_recorded_each_as_it_is_switched(monkeypatch):
    FakeGpus().install(monkeypatch)
    assert tf32() == (False, False)
    torch.backends.cudnn.allow_tf32 = True
    assert tf32() == (False, True)
    multiply_in("float32")
    torch.backends.cuda.matmul.allow_tf32 = True
    assert tf32() == (True, False)


def test_the_gpu_is_recorded(monkeypatch):
    FakeGpus(count=2).install(monkeypatch)
    facts = torch_facts()
    assert (facts["gpu"], facts["gpu_memory"]) == ("Fake H200", 1 << 37)
    assert (facts["gpu_capability"], facts["gpu_count"]) == ("9.0", 2)


def test_without_a_gpu_nothing_is_said_of_one(monkeypatch):
    FakeGpus(built=False).install(monkeypatch)
    assert not {name for name in torch_facts() if name.startswith(("gpu", "tf32", "now_", "driver"))}
