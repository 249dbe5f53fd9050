"""The page on quality says what the presets, pairs and columns are."""

from __future__ import annotations

from pathlib import Path

import pytest

from a2u_bench.quality.data import SIDE
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.task import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
PRESETS = [(task.name, preset) for task in TASKS.values() for preset in task.presets.values()]


@pytest.mark.parametrize(("task", "preset"), PRESETS, ids=[f"{task}-{preset.name}" for task, preset in PRESETS])
def test_every_number_of_a_preset_is_on_the_page(task: str, preset: Preset):
    ends = ", ".join(str(round(share * preset.epochs)) for share in preset.drops)
    falls = f"to a tenth after {ends}" if ends else "along a cosine"
    how = [task, preset.name, preset.optimiser, f"{preset.learning_rate:g}", falls, preset.epochs]
    sizes = [preset.train_images or "all", preset.batch, preset.side or SIDE, preset.test_images or "all"]
    assert f"| {' | '.join(map(str, [*how, *sizes]))} |" in PAGE


@pytest.mark.parametrize("task", TASKS)
def test_every_pair_of_core_is_on_the_page(task: str):
    assert [pair for pair in TASKS[task].ways.core if f"`{pair}`" not in PAGE] == []
