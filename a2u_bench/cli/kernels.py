"""`kernels`: what w looks like on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from a2u_bench.export.plots.kernels import Look

MOST = 5  # operators side by side


def command(
    ops: Annotated[
        list[str] | None, typer.Option("--op", "--ops", help="Operators, side by side. [default: a2u]")
    ] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="A picture. [default: a cat]")] = None,
    points: Annotated[
        str | None, typer.Option(metavar="X,Y;…", help="Pixels of the picture. [default: edges and a flat place]")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A state dict trained with the authors' code; one --op.")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=1, max=16, help="Upsampling factor. [default: 2, for an image as guide 8, or what --weights tell]"
        ),
    ] = None,
    channels: Annotated[int, typer.Option(min=1, max=1024, help="Channels of the features, without --weights.")] = 64,
    group: Annotated[int, typer.Option(min=0, help="The kernel group that is shown; maps are means over groups.")] = 0,
    size: Annotated[int, typer.Option(min=1, max=1024, help="Longer side of the picture in pixels, at most.")] = 208,
    seed: Annotated[int, typer.Option(min=0, help="Seed of features and of untrained weights.")] = 0,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Ends in .png, .svg or .pdf.")] = Path("kernels.png"),
    settings: Annotated[bool, typer.Option("--settings", help="Say above the picture what it shows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the kernels as JSON.")] = False,
) -> None:
    """Draw the kernels of operators at points of a picture.

    Beside them stand maps of their entropy, on one scale. The features are fixed random filters of the picture.
    Weights are untrained unless --weights names some. An image as guide is the picture itself, normalised.
    """
    from a2u_bench.cli._files import check_file
    from a2u_bench.errors import UsageError
    from a2u_bench.export.plots import FORMATS, kernels, page
    from a2u_bench.operators import strings
    from a2u_bench.sanitize import plain

    form = out.suffix.removeprefix(".").lower()
    check_file("--out", out, FORMATS)
    wanted = strings.split(ops or "a2u")
    if not 1 <= len(wanted) <= MOST or (weights and len(wanted) > 1):
        raise UsageError(f"--op {' '.join(wanted)}: allowed: 1 to {MOST} operators, and just one with --weights")
    picture, shrunk = kernels.read_image(image or kernels.BUNDLED, size)
    asked = read_points(points or "")
    state = None if weights is None else str(weights)
    if state is None:
        scale = scale or kernels.usual_scale(wanted)
    looked = [
        kernels.look_at(picture, text, scale=scale, channels=channels, seed=seed, weights=state) for text in wanted
    ]
    looks, used = [look for look, _ in looked], looked[-1][1]
    height, width = used.shape[:2]
    places = _within(asked, shrunk, width, height) or kernels.chosen_points(used)
    if group >= max(look.groups for look in looks):
        most = max(look.groups for look in looks) - 1
        raise UsageError(f"--group {group}: out of range; allowed: 0 to {most}")
    trained = f"Weights of {weights.name}" if weights else f"Untrained, seed {seed}"
    key = f"{trained}. Kernels at the points numbered in the image"
    if not asked and len(places) == kernels.POINTS:
        key += f": 1–{kernels.POINTS - 1} on edges, {kernels.POINTS} in a flat place"
    words = f"{(image or kernels.BUNDLED).name}, {width}×{height}, scale {looks[0].scale}; features are random filters"
    if any(look.groups > 1 for look in looks):
        words += f"; kernels of group {group}, entropy is the mean over groups"
    if any(look.mixes_channels for look in looks):
        words += "; kernels over channels too are summed over them"
    if enlarged := [look.name for look in looks if look.reads_enlarged]:
        words += f"; the kernel of {', '.join(enlarged)} is over pixels of an enlarged map"
    with page.style(settings=settings):
        data = page.save(kernels.draw(used, looks, places, (words, key), group), form)
    out.write_bytes(data)
    told = f"{words}. {key}"
    if not as_json:
        typer.echo(str(out))
        typer.echo(plain(f"note: {told}"), err=True)
        return
    import json

    found = [_numbers(look, places, group) for look in looks]
    typer.echo(json.dumps({"file": str(out), "shows": told, "operators": found}, indent=2))


def _numbers(look: Look, places: Sequence[tuple[int, int]], group: int) -> dict[str, Any]:
    """What was drawn of one operator, for --json; null where nothing is read."""
    import math

    kernels = [look.kernel(min(group, look.groups - 1), y, x).tolist() for x, y in places]
    return {
        "operator": look.name,
        "entropy": None if look.taps == 1 else {"mean": look.map().mean(), "most": math.log2(look.taps)},
        "kernels": [
            {"x": x, "y": y, "w": [[None if math.isnan(value) else value for value in row] for row in kernel]}
            for (x, y), kernel in zip(places, kernels, strict=True)
        ],
    }


def _within(points: Sequence[tuple[int, int]], shrunk: float, width: int, height: int) -> list[tuple[int, int]]:
    """The points in the shrunk picture. UsageError for one outside of it."""
    from a2u_bench.errors import UsageError

    places = [(int(x * shrunk), int(y * shrunk)) for x, y in points]
    for (x, y), (given_x, given_y) in zip(places, points, strict=True):
        if x >= width or y >= height:
            most_x, most_y = (int((side - 1) / shrunk) for side in (width, height))
            raise UsageError(f"--points {given_x},{given_y}: outside the picture; allowed: 0,0 to {most_x},{most_y}")
    return places


def read_points(text: str, most: int = 12) -> list[tuple[int, int]]:
    """Pairs `x,y` joined by semicolons or blanks. UsageError for anything else."""
    import re

    from a2u_bench.errors import UsageError

    parts = [part for part in re.split(r"[;\s]+", text) if part]
    if len(parts) > most or not all(re.fullmatch(r"[0-9]{1,6},[0-9]{1,6}", part) for part in parts):
        raise UsageError(
            f"cannot read --points {text!r}. Allowed: up to {most} pairs X,Y joined by ';', such as 40,60;8,9"
        )
    return [(int(part.partition(",")[0]), int(part.partition(",")[2])) for part in parts]
