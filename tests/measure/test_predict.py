"""What a case will need is known before it runs: never more than it takes, and exactly its output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from a2u_bench import operators
from a2u_bench.case import Case
from a2u_bench.machine import system
from a2u_bench.measure import predict as prediction
from a2u_bench.measure.inputs import prepare
from a2u_bench.measure.memory import Memory, call_memory
from a2u_bench.measure.predict import LiveStorages, Need, OutOfMemory, predict, require_memory


def case(options: str, **axes: Any) -> Case:
    name = options.partition(":")[0]
    return Case(name, "", options, **({"batch": 2, "channels": 16, "height": 6, "width": 5} | axes))


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("options", [operator.text for operator in operators.every_variant()])
def test_no_operator_takes_less_than_predicted_and_the_output_is_exact(options: str, mode: str):
    large = {"height": 10, "width": 9} if operators.facts(case(options).operator).guide_size == "any" else {}
    asked = case(options, mode=mode, **large)
    need = predict(asked)
    with torch.set_grad_enabled(mode == "training"):
        ready = prepare(asked, 0, {})
        ready.call()
        taken = call_memory(ready.call, ready.own)
    assert taken is not None
    assert need.call.output == taken.output
    assert need.call.output <= need.call.peak <= taken.peak
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in ready.own}
    assert need.inputs == sum(storages.values())


def test_without_scratch_in_kernels_the_prediction_is_exact():
    assert predict(case("max_unpool", batch=1)).call == Memory(16 * 120 * 4, 16 * 120 * 4 + 16 * 30 * 8)
    assert predict(case("pixel_shuffle", dtype="float64")).call.peak == 2 * (2 * 16 * 120 * 8)


def test_a_case_that_fits_nowhere_is_predicted_without_allocating_it():
    need = predict(case("nearest", batch=1, channels=64, height=1 << 15, width=1 << 15, scale=4))
    assert need == Need(64 << 32, Memory(64 << 36, 64 << 36))
    with pytest.raises(OutOfMemory, match=f"needs at least {(64 << 32) + (64 << 36)} bytes; {1 << 34} are available"):
        require_memory(case("nearest", batch=1, channels=64, height=1 << 15, width=1 << 15, scale=4), 1 << 34)


def test_the_limit_is_the_last_byte():
    asked = case("nearest")
    total = predict(asked).total
    require_memory(asked, total)
    with pytest.raises(OutOfMemory):
        require_memory(asked, total - 1)


def test_nothing_is_predicted_for_a_case_that_is_small_beyond_doubt_or_cannot_be_foreseen():
    def never(_: Case) -> Need:
        raise AssertionError("predicted")

    def broken(_: Case) -> Need:
        raise RuntimeError("needs numbers")

    require_memory(case("nearest"), 1 << 40, never)
    require_memory(case("nearest"), 1, broken)


def test_released_storages_stop_counting():
    with LiveStorages() as live:
        first = torch.empty(1000, dtype=torch.uint8)
        view = first[:10]
        del first
        assert live.level == 1000
        del view
        assert live.level == 0
        held = torch.empty(300, dtype=torch.uint8)
    assert (live.level, live.peak) == (300, 1000)
    del held
    assert live.level == 0


def test_the_memory_of_a_control_group_is_its_limit_less_what_it_uses(tmp_path, monkeypatch):
    assert system.cgroup_memory(tmp_path) is None
    (tmp_path / "memory.current").write_text("300\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert system.cgroup_memory(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert system.cgroup_memory(tmp_path) == 700
    monkeypatch.setattr(prediction, "cgroup_memory", lambda root: 700)
    assert prediction.available_memory("cpu") == 700


def test_blocks_of_a_gpu_that_torch_keeps_after_an_earlier_case_are_free(monkeypatch):
    asked = case("nearest")
    total = predict(asked).total
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (total - 5, 10 * total))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda *_: 12)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *_: 7)
    assert prediction.available_memory("cuda") == total
    require_memory(replace(asked, device="cuda"), None, lambda _: predict(asked))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *_: 8)  # its own tensors are not
    with pytest.raises(OutOfMemory, match=f"{total - 1} are available"):
        require_memory(replace(asked, device="cuda"), None, lambda _: predict(asked))
