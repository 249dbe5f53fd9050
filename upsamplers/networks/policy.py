"""Which sites are swapped unless the person says otherwise, and why the others are not."""

from __future__ import annotations

from upsamplers.networks.recording import Record
from upsamplers.networks.site import Shape

UNIFORM = 1.25
"""How far the scales of the two axes may differ: 13→25 beside 14→28 does, ×2 beside ×1 does not."""


def verdict(record: Record, shape: Shape) -> tuple[str, bool]:
    """Why a site with z of this shape is left alone ("" where it is swapped), and whether nothing can stand there."""
    never = _never(record, shape)
    if never:
        return never, True
    rows, columns = record.made[-2] / shape[-2], record.made[-1] / shape[-1]
    uneven = max(rows, columns) > UNIFORM * min(rows, columns)
    told = f"one scale for rows, another for columns: ×{rows:.3g} and ×{columns:.3g}" if uneven else ""
    return _left_alone(record) or told, uneven


def _never(record: Record, shape: Shape) -> str:
    """What keeps any operator away."""
    if record.call.kind == "grid_sample":
        return "samples at points that the network chooses"
    if len(shape) != 4:
        return f"a map of {len(shape)} dimensions; operators read B, C, H, W"
    if not all(shape[-2:]) or not all(record.made[-2:]):
        return "an empty map"
    if record.made[-2:] == shape[-2:]:
        return "keeps the size"
    return "downsampling" if all(made <= side for made, side in zip(record.made[-2:], shape[-2:], strict=True)) else ""


def _left_alone(record: Record) -> str:
    """What is left alone unless it is asked for."""
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
