"""A column written at once has the texts that its cells have one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from a2u_bench import spreads
from a2u_bench.units import UNSCALED, Scale, exact, exacts

SCALES = (UNSCALED, Scale(-3, "m"), Scale(3, "k"), Scale(-9, "n"))
AT_A_STEP = [float(f"{digits}e{power}") for digits in ("1.95", "9.95", "1", "0.999995") for power in range(-7, 8)]
ROUND_A_STEP = [math.nextafter(value, towards) for value in AT_A_STEP for towards in (0.0, value, math.inf)]


def drawn(count: int) -> list[float]:
    numbers = np.random.default_rng(0)
    return (numbers.uniform(1, 10, count) * 10.0 ** numbers.integers(-12, 12, count)).tolist()


@pytest.mark.parametrize("scale", SCALES)
def test_values_alone(scale):
    values = [0, 0.0, 5, -3.25, 9_999, 10_000, 2**62 + 1, 1e-30, None, *ROUND_A_STEP, *drawn(500)]
    assert exacts(values, scale) == ["" if value is None else exact(value, scale) for value in values]


@pytest.mark.parametrize("scale", SCALES)
def test_values_with_intervals(scale):
    width = [*ROUND_A_STEP, *drawn(800)]
    middle = [*drawn(400), *ROUND_A_STEP, *drawn(400)]
    lean = np.random.default_rng(1).choice([-3.0, 0.0, 0.1, 0.5, 1.0, 1.5, 3.0], len(width)).tolist()
    low = [0.5, 0.3, 0.0, 1.0, 1.0, None, 1.0, -2.0, 1e-200, 0.0, *(m - w for m, w in zip(middle, width, strict=True))]
    high = [
        32.0,
        256.0,
        0.0,
        1.0,
        None,
        3.0,
        1.0,
        2.0,
        3e-200,
        4.0,
        *(m + k * w for m, w, k in zip(middle, width, lean, strict=True)),
    ]
    value = [14.0, 210.0, 0.0, 1.0, 2.0, 2.0, None, 0.0, 2e-200, 1e-9, *middle]
    expected = [spreads._alone(*row, scale) for row in zip(value, low, high, strict=True)]
    assert spreads.spread_texts([value, low, high], scale) == expected
    assert spreads.spread_texts([[], [], []], scale) == []
