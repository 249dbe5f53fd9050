"""One colour and marker for each operator, in every figure of every run: a look is its own, and no other's of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""M. Okabe and K. Ito, Color Universal Design (2008); its yellow is left out: unreadable as a line on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
"""The same markers as plotly calls them."""

ORDER = (
    *("a2u", "carafe", "bilinear", "dysample", "index_net", "sapa", "nearest"),
    *("fade", "deconv", "pixel_shuffle", "max_unpool", "bicubic", "convex", "fade_lite"),
    *("sapa_d", "freqfusion", "lda_aqu", "dlu", "resfu", "ddf_up", "eucb", "original"),
    *("uplift", "naf", "anyup", "jafar", "featup_jbu", "jbu", "guided_filter", "raysup", "upsample_anything"),
    "uplift_net",
)
"""Operators in the order in which looks are given away. A new one is added at the end: whoever has a look keeps it."""


def looks(operators: Iterable[str]) -> dict[str, tuple[str, int]]:
    """The colour and the number of the marker of each operator.

    A person's own have what is left over, by a hash of the name: the first from there on in a colour that no other of
    the figure has, while there is one; of two that meet in one figure the second gives way.
    """
    wanted = sorted(set(operators))
    found = {name: _look(ORDER.index(name)) for name in wanted if name in ORDER}
    left = [_look(number) for number in range(len(ORDER), len(COLOURS) * len(MARKERS))]
    free = list(left)
    for name in wanted:
        if name not in found:
            free = free or list(left)
            start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(left)
            order = [one for one in (*left[start:], *left[:start]) if one in free]
            taken = {colour for colour, _ in found.values()}
            found[name] = next((one for one in order if one[0] not in taken), order[0])
            free.remove(found[name])
    return found


def _look(number: int) -> tuple[str, int]:
    """Seven colours, each with another marker; then the colours again, with the next markers."""
    return COLOURS[number % len(COLOURS)], (number + number // len(COLOURS)) % len(MARKERS)
