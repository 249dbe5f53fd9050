"""What is loaded before processes fork touches no GPU, which a fork could not use, and on a GPU no numba."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from a2u_bench.operators import preload
from a2u_bench.suites.expand import make_plan

ROOT = Path(__file__).resolve().parents[2]

COUNT = """
import ctypes, importlib, json, sys
touched = []

def count(owner, name, answer):
    def stand_in(*_, **__):
        touched.append(name)
        return answer
    setattr(owner, name, stand_in)

import torch
# As a build with CUDA on a machine with a GPU; whoever asks begins CUDA, or asks its driver.
torch._C._cuda_isCurrentStreamCapturing = lambda: False
for name, answer in (
    ("_cuda_init", None), ("_cuda_getDeviceCount", 1), ("_cuda_getDevice", 0), ("_cuda_getCurrentRawStream", 0),
):
    count(torch._C, name, answer)
for name, answer in (
    ("is_available", True), ("init", None), ("_lazy_init", None), ("device_count", 1), ("current_device", 0),
    ("get_device_capability", (9, 0)), ("get_device_properties", None), ("synchronize", None), ("mem_get_info", (1, 1)),
):
    count(torch.cuda, name, answer)
import triton.runtime.driver as driver
count(driver, "_create_driver", None)
plain = ctypes.CDLL.__init__
def watched(self, name=None, *more, **named):
    if name and ("libcuda" in str(name) or "libnvidia" in str(name)):
        touched.append(str(name))
    plain(self, name, *more, **named)
ctypes.CDLL.__init__ = watched

for module in sys.argv[1:]:
    importlib.import_module(module)
places = map(sys.modules.get, ("triton.runtime.cache", "triton.compiler.compiler"))
keys = {m.triton_key for m in places if hasattr(m, "triton_key")}
known = [key.cache_info().currsize for key in keys]
print(json.dumps({"touched": touched, "numba": "numba" in sys.modules, "keys": known}))
"""

CALL_ALL = """
import sys, torch, upsamplers
assert "torch._dynamo" not in sys.modules, "it takes as long to import as all of torch"
with torch.no_grad():
    for name, facts in ((one, upsamplers.facts(one)) for one in upsamplers.names()):
        op = upsamplers.create(name, channels=16, scale=2)
        image = torch.rand(1, op.guide_channels or 1, 24, 24) if facts.guide != "none" else None
        op(torch.rand(1, 16, 12, 12), image)
        assert "torch._dynamo" not in sys.modules, name
"""

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="pip install triton (Linux)")


def load(*modules: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *modules], capture_output=True, text=True, cwd=ROOT, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@needs_triton
def test_what_is_loaded_for_a_gpu_touches_none_knows_triton_s_key_and_loads_no_numba():
    modules = preload(["cuda"])
    for name in ("upsamplers.primitive.cuda.launch", "upsamplers.primitive.cuda.sampling"):
        assert name in modules
    assert load(*modules) == {"touched": [], "numba": False, "keys": [1]}


@needs_triton
def test_a_module_that_touches_the_gpu_is_seen(tmp_path, monkeypatch):
    (tmp_path / "touches.py").write_text("import torch\ntorch.cuda.current_device()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert load("touches")["touched"] == ["current_device"]


def test_each_device_has_its_own_and_a_run_on_both_has_all():
    assert "a2u_bench.run.preload_numba" in preload(["cpu"])
    assert "a2u_bench.run.preload_triton" not in preload(["cpu"])
    assert set(preload(["cpu", "cuda"])) == {*preload(["cpu"]), *preload(["cuda"])}
    assert preload(["mps"]) == preload([])


def test_nothing_but_gradients_and_compiling_needs_what_takes_seconds_to_import():
    assert {*preload(["cpu"])} - {*preload(["cpu"], gradients=False)} == {"torch._dynamo"}
    asked: tuple[dict[str, Any], ...] = ({}, {"modes": ["training"]}, {"runtimes": ["compile"]})
    assert [make_plan(ops="nearest", device="cpu", **one).gradients for one in asked] == [False, True, True]
    done = subprocess.run([sys.executable, "-c", CALL_ALL], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
