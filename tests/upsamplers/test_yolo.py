"""The recipe for YOLO of docs/your-network.md; skipped where ultralytics is not installed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from real_networks import package, torchvision

from upsamplers import choices, swap

pytestmark = pytest.mark.filterwarnings("ignore")  # of ultralytics' own code


@pytest.fixture(scope="module")
def yolo() -> Any:
    """YOLOv8n with random weights."""
    torchvision()
    found = package("ultralytics", "pip install --no-deps ultralytics ultralytics-thop; its licence is AGPL-3.0")
    return found.YOLO("yolov8n.yaml")


def test_both_upsamplings_are_swapped_with_the_feature_that_they_meet(yolo: Any) -> None:
    image = torch.zeros(1, 3, 64, 64)
    swapped: Any = swap(yolo.model, "dysample", image)
    assert type(swapped) is type(yolo.model)
    assert [(one.site.name, one.operator) for one in choices(swapped)] == [
        ("model.10#0", "dysample"),
        ("model.13#0", "dysample"),
    ]
    assert all(one.site.guide is not None for one in choices(swapped))
    assert swapped.names == yolo.model.names
    swapped(torch.zeros(1, 3, 96, 64))


def test_its_loss_reaches_the_operators_and_it_copies(yolo: Any) -> None:
    swapped: Any = copy.deepcopy(swap(yolo.model, "a2u", torch.zeros(1, 3, 64, 64)))
    made = swapped.train()(torch.randn(2, 3, 64, 64))
    tensors = [one for one in (made.values() if isinstance(made, dict) else made) if isinstance(one, torch.Tensor)]
    torch.stack([one.square().sum() for one in tensors]).sum().backward()
    assert all(one.grad is not None for one in swapped.upsamplers.parameters())
