"""What several test files share: the device that a test runs on, and where marks of compiled kernels lie meanwhile."""

from __future__ import annotations

import os

import pytest
import torch

os.environ.pop("COLUMNS", None)  # of who runs the tests: tables would have its width

NO_CUDA = "needs an NVIDIA GPU and a CUDA build of torch: pip install torch, on Linux"
on_cuda = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_CUDA))


@pytest.fixture(params=["cpu", on_cuda])
def device(request: pytest.FixtureRequest) -> str:
    """The CPU always, a GPU where there is one."""
    return str(request.param)
