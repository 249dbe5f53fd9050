"""Devices that cannot be used are one line and exit code 2; NVML is asked about the GPU that CUDA shows."""

from __future__ import annotations

import multiprocessing
import os
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_cuda import FakeGpus, FakeNvml

from a2u_bench import operators
from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from a2u_bench.machine import nvml
from a2u_bench.suites.expand import make_plan

TOO_OLD = RuntimeError(
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading"
)
Given = dict[str, Any]
LACKING: dict[str, tuple[Given, str, list[str]]] = {
    "a build of torch without CUDA": ({"built": False}, "cuda", ["has no CUDA", "Allowed here: auto, cpu"]),
    "no driver": (
        {"begins": RuntimeError("Found no NVIDIA driver on your system.\nPlease")},
        "cuda",
        ["Found no NVIDIA"],
    ),
    "a driver that is too old": ({"begins": TOO_OLD}, "cuda", ["driver on your system is too old", "11040"]),
    "a GPU that is too old": ({"capability": (6, 1)}, "cuda", ["Fake H200", "6.1", "7.0 (Volta, 2017)"]),
    "no memory left": ({"free": 300 << 20}, "cuda", ["300 MiB of its memory free", "1024 MiB", "nvidia-smi"]),
    "no memory for a context": ({"free": None}, "cuda", ["0 MiB of its memory free"]),
    "a second GPU that is not there": ({}, "cuda:1", ["--device cuda:1", "one GPU here, cuda:0"]),
    "a third of two": ({"count": 2}, "cuda:2", ["2 GPUs here, cuda:0 to cuda:1"]),
}


@pytest.mark.parametrize("name", LACKING)
@pytest.mark.parametrize("command", ["run", "quality"])
def test_a_gpu_that_cannot_be_used_is_one_line_and_exit_code_2(name, command, capsys, tmp_path, monkeypatch):
    given, device, says = LACKING[name]
    FakeGpus(**given).install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main([command, *(["--ops", "nearest"] if command == "run" else []), "--device", device]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    for word in says:
        assert word in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("given", "meant"), [({}, "cuda"), ({"begins": TOO_OLD}, "cpu"), ({"free": 0}, "cpu")])
def test_auto_is_the_gpu_where_it_can_be_used(given, meant, monkeypatch):
    FakeGpus(**given).install(monkeypatch)
    assert operators.device("auto") == meant


def test_rows_call_it_cuda_whichever_it_is_and_the_second_is_then_the_only_one(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    FakeGpus(count=2).install(monkeypatch)
    assert operators.device("cuda:0") == "cuda"
    assert {case.device for case in make_plan(ops="nearest", device="cuda:1").cases} == {"cuda"}
    assert operators.gpus() == ("GPU-b",)


def test_two_gpus_in_one_run_are_refused(monkeypatch):
    FakeGpus(count=2).install(monkeypatch)
    with pytest.raises(UsageError, match="cuda,cuda:1: a run measures one GPU"):
        make_plan(ops="nearest", device=["cuda:0", "cuda:1"])


def test_tf32_is_refused_by_name_where_there_is_none_and_skipped_under_all(monkeypatch):
    for capability, device, why in (((9, 0), "cpu", "cpu has none"), ((7, 5), "cuda", "has no TF32")):
        FakeGpus(capability=capability).install(monkeypatch)
        with pytest.raises(UsageError, match=why):
            make_plan(ops="nearest", device=device, dtypes=["tf32"])
        plan = make_plan(ops="all", device=device, dtypes=["float32,tf32"], shapes=["1x64x4x4"])
        skipped = [one for one in plan.skipped if one.case.dtype == "tf32"]
        assert skipped and all(why in one.reason for one in skipped)
        assert {case.dtype for case in plan.cases} == {"float32"}


def test_tf32_is_a_dtype_where_the_gpu_has_it(monkeypatch):
    FakeGpus().install(monkeypatch)
    plan = make_plan(ops="nearest", device="cuda", dtypes=["tf32"])
    assert [(case.device, case.dtype) for case in plan.cases][:1] == [("cuda", "tf32")]


def test_the_primitive_suite_asks_nothing_of_the_cpu_s_allocator_on_a_gpu(monkeypatch):
    FakeGpus().install(monkeypatch)
    plan = make_plan(suite="primitive", device="cuda")
    assert {case.allocator for case in plan.cases} == {"default"}
    assert len(plan.cases) == 32
    with pytest.raises(UsageError, match="--allocator kept: is of the CPU's memory"):
        make_plan(suite="primitive", device="cuda", allocators=["kept"])


GPU, SLICE = 7, 9
NUMBERS = {
    "free": 5 << 30,
    "processes": (1 << 22, os.getpid(), 1 + (1 << 22), os.getppid()),  # two others, and ours
    "nvmlDeviceGetPowerManagementLimit": {GPU: 700_000},
    "nvmlDeviceGetMaxClockInfo": {GPU: 1980},
    "nvmlDeviceGetClockInfo": {GPU: 345},
    "nvmlDeviceGetEccMode": {GPU: 1},
    "nvmlDeviceGetMigMode": {GPU: 0},
    "nvmlDeviceGetTemperature": {GPU: 31},
    "nvmlDeviceGetCurrentClocksThrottleReasons": {GPU: 0x4},
}


def test_nvml_tells_what_moves_a_latency_and_none_for_what_it_does_not_know():
    found = nvml.gpu("0-1", FakeNvml({"GPU-0-1": GPU}, NUMBERS))
    assert found is not None
    assert found.facts() == {
        "power_limit": 700.0,
        "ecc": True,
        "mig": False,
        "persistence": None,
        "max_clock_sm": 1_980_000_000,
        "max_clock_memory": 1_980_000_000,
        "now_clock_sm": 345_000_000,
        "now_clock_memory": 345_000_000,
        "now_temperature": 31,
        "now_processes": 2,
    }
    assert (found.driver(), found.free_memory(), found.clock_reasons()) == ("580.1", 5 << 30, 0x4)


def test_no_process_of_ours_is_another_program(monkeypatch):
    """The facts are asked of a process that a forkserver starts, for one that may use the GPU itself."""
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: SimpleNamespace(pid=1 << 22))
    found = nvml.gpu("0-1", FakeNvml({"GPU-0-1": GPU}, NUMBERS))
    assert found is not None and found.facts()["now_processes"] == 1
    found = nvml.gpu("0-1", FakeNvml({"GPU-0-1": GPU}, NUMBERS | {"processes": ()}))
    assert found is not None and found.facts()["now_processes"] == 0


@pytest.mark.parametrize(
    ("uuid", "visible", "known", "handle"),
    [
        ("0-1", "1", {"GPU-0-1": GPU, "0": 1, "1": 2}, GPU),  # CUDA's order need not be NVML's
        ("0-1", None, {"MIG-0-1": SLICE}, SLICE),
        (None, "MIG-5", {"MIG-5": SLICE, "0": 1}, SLICE),
        (None, "3,1", {"0": 1, "3": 4}, 4),
        (None, None, {"0": 1}, 1),
    ],
)
def test_nvml_is_asked_about_the_gpu_that_cuda_shows(uuid, visible, known, handle, monkeypatch):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = nvml.gpu(uuid, FakeNvml(known, NUMBERS))
    assert found is not None and found.handle.value == handle
    assert nvml.gpu(uuid, FakeNvml({}, NUMBERS)) is None


def test_what_a_slice_of_a_gpu_does_not_know_is_asked_of_the_whole():
    library = FakeNvml({"MIG-0-1": SLICE}, NUMBERS, {SLICE: GPU})
    found = nvml.gpu("0-1", library)
    assert found is not None and found.clock_reasons() == 0x4
    assert library.asked == [(REASONS, SLICE), (REASONS, GPU)]


REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"


def test_without_a_driver_nothing_is_known():
    if not torch.cuda.is_available():
        assert nvml.library() is None
        assert nvml.gpu("0-1") is None
