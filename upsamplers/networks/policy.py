"""Which sites are swapped unless the person says otherwise, and why the others are not."""

from __future__ import annotations

from upsamplers.networks.recording import Record
from upsamplers.networks.site import Shape

UNIFORM = 1.25
"""How far the scales of the two axes may differ: 13→25 beside 14→28 does, ×2 beside ×1 does not."""


def impossible(record: Record, shape: Shape) -> str:
    """Why no operator can stand here, "" where one can."""
    if record.call.kind == "grid_sample":
        return "samples at points that the network chooses"
    if len(shape) != 4:
        return f"a map of {len(shape)} dimensions; operators read B, C, H, W"
    if not all(shape[-2:]) or not all(record.made[-2:]):
        return "an empty map"
    rows, columns = record.made[-2] / shape[-2], record.made[-1] / shape[-1]
    if rows == columns == 1:
        return "keeps the size"
    if rows <= 1 and columns <= 1:
        return "downsampling"
    if max(rows, columns) > UNIFORM * min(rows, columns):
        return f"one scale for rows, another for columns: ×{rows:.3g} and ×{columns:.3g}"
    return ""


def left_alone(record: Record) -> str:
    """Why it is left alone unless it is asked for, "" where it is swapped."""
    z, found = record.found.node, record.found
    if not z.from_input:
        return "position embedding: it does not depend on the input"
    if not z.learned:
        return "the input image: nothing is learned before it"
    if z.pooled:
        return "pooled context"
    if not found.followed:
        return "prediction head: nothing is learned after it"
    return ""


def notes(record: Record, exact: bool, scale: int) -> tuple[str, ...]:
    """What changes where it is swapped."""
    told = []
    if record.call.align_corners:
        told.append("align_corners=True: the geometry changes, operators align the corners of pixels' areas")
    if not exact:
        told.append(f"×{scale}, then bilinear to {record.made[-2]}×{record.made[-1]}")
    return tuple(told)
