"""The one schema of a result: every column's name, role, type, SI unit, label and which way is better.

A row is flat. What is unknown is None: never 0, never NaN. Adding a measure is one entry here and one function
in `measure/`, whose result `measure/steps.py` puts under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from a2u_bench.case import Point

SCHEMA_VERSION = 1
"""Version of rows, samples, curves and manifest. History: 1, the first. A new column is no new version: where it is
missing it is unknown; `migrate` says what is one."""

STATUSES = ("ok", "skipped", "oom", "timeout", "failed", "incorrect")

BUDGET = "budget"
"""What `stopped` says where the time of the run was over; `is_open` says what that means of a case without a time."""

Role = Literal["key", "axis", "status", "measure", "origin", "derived"]


@dataclass(frozen=True)
class Column:
    """One column of the table of results."""

    name: str
    role: Role
    dtype: Literal["string", "Int64", "Float64"]
    label: str
    unit: str = ""  # "s", "B", "dB", or "" for counts and shares
    better: Literal["lower", "higher", ""] = ""


COLUMNS: tuple[Column, ...] = (
    Column("case", "key", "string", "case"),
    Column("operator", "axis", "string", "operator"),
    Column("variant", "axis", "string", "variant"),
    Column("options", "axis", "string", "options"),
    Column("batch", "axis", "Int64", "B"),
    Column("channels", "axis", "Int64", "C"),
    Column("height", "axis", "Int64", "H"),
    Column("width", "axis", "Int64", "W"),
    Column("scale", "axis", "Int64", "scale"),
    Column("dtype", "axis", "string", "dtype"),
    Column("layout", "axis", "string", "layout"),
    Column("mode", "axis", "string", "mode"),
    Column("runtime", "axis", "string", "runtime"),
    Column("device", "axis", "string", "device"),
    Column("threads", "axis", "Int64", "threads"),
    Column("network", "axis", "string", "network"),  # the operator is in it, and the shape is its input's
    Column("allocator", "axis", "string", "allocator"),  # "kept"; "default", or empty: as the C library does
    Column("status", "status", "string", "status"),
    Column("reason", "status", "string", "reason"),
    Column("params", "measure", "Int64", "params", "", "lower"),
    Column("macs", "measure", "Int64", "MACs", "", "lower"),
    Column("macs_fvcore", "measure", "Int64", "MACs (fvcore)", "", "lower"),
    Column("macs_torch", "measure", "Int64", "MACs (torch)", "", "lower"),
    # Warm, the headline on every device: the case was called just before, as in a loop.
    Column("latency", "measure", "Float64", "latency, warm", "s", "lower"),
    Column("latency_low", "measure", "Float64", "latency, warm, low", "s", "lower"),
    Column("latency_high", "measure", "Float64", "latency, warm, high", "s", "lower"),
    # Of an accelerator, its own time, launches not waited for: of such a call, and of one on a flushed cache.
    Column("latency_device", "measure", "Float64", "latency, device", "s", "lower"),
    Column("latency_device_low", "measure", "Float64", "latency, device, low", "s", "lower"),
    Column("latency_device_high", "measure", "Float64", "latency, device, high", "s", "lower"),
    Column("latency_cold", "measure", "Float64", "latency, cold", "s", "lower"),
    Column("latency_cold_low", "measure", "Float64", "latency, cold, low", "s", "lower"),
    Column("latency_cold_high", "measure", "Float64", "latency, cold, high", "s", "lower"),
    # Of a person's own network: what the upsampling in it takes of its time and of its multiply-adds.
    Column("upsampling_latency", "measure", "Float64", "upsampling, of the time", "", "lower"),
    Column("upsampling_macs", "measure", "Float64", "upsampling, of the MACs", "", "lower"),
    Column("samples", "measure", "Int64", "samples"),
    Column("processes", "measure", "Int64", "processes"),
    Column("stopped", "origin", "string", "stopped by"),  # "target", "budget" of time, or "limit" of processes
    Column("latency_best", "measure", "Float64", "latency, best round", "s", "lower"),
    Column("floor", "measure", "Float64", "speed of light", "s", "lower"),  # of the forward pass; see measure/floor.py
    Column("output_memory", "measure", "Int64", "output", "B", "lower"),
    Column("peak_memory", "measure", "Int64", "peak memory", "B", "lower"),  # of a warm call, above its inputs
    Column("process_memory", "measure", "Int64", "process memory", "B", "lower"),  # of an engine: measure/resident
    Column("workspace_memory", "measure", "Int64", "workspace", "B", "lower"),  # peak − output
    Column("saved_memory", "measure", "Int64", "saved for backward", "B", "lower"),
    Column("first_memory", "measure", "Int64", "peak memory, first call", "B", "lower"),
    Column("first_call", "measure", "Float64", "first call, more than a later one", "s", "lower"),
    Column("digest", "origin", "string", "digest"),  # of the first call's output: equal ones are equal to the last bit
    Column("onnx", "origin", "string", "ONNX"),  # whether it exports: "yes" or "no"
    Column("compiles", "origin", "string", "compiles"),  # whether torch.compile takes it: "yes" or "no"
    Column("note", "origin", "string", "note"),  # what a reader of this row must know, such as a throttled clock
    # Of a trained network, whose params are all of the network's: how it was trained, what its outputs are worth.
    Column("task", "axis", "string", "task"),
    Column("data", "axis", "string", "data"),
    Column("pair", "axis", "string", "pair"),
    Column("preset", "axis", "string", "preset"),
    Column("seed", "axis", "Int64", "seed"),
    Column("epochs", "axis", "Int64", "epochs"),
    Column("images", "axis", "Int64", "images"),
    Column("test_images", "axis", "Int64", "test images"),
    Column("learning_rate", "axis", "Float64", "learning rate"),
    Column("features", "axis", "string", "features"),
    Column("guide", "axis", "string", "guide"),
    Column("folds", "axis", "Int64", "folds"),
    Column("psnr", "measure", "Float64", "PSNR", "dB", "higher"),
    Column("ssim", "measure", "Float64", "SSIM", "", "higher"),
    Column("mae", "measure", "Float64", "MAE", "", "lower"),
    Column("rmse", "measure", "Float64", "RMSE", "", "lower"),
    Column("edge_psnr", "measure", "Float64", "PSNR, edges", "dB", "higher"),
    Column("edge_ssim", "measure", "Float64", "SSIM, edges", "", "higher"),
    Column("edge_mae", "measure", "Float64", "MAE, edges", "", "lower"),
    Column("edge_rmse", "measure", "Float64", "RMSE, edges", "", "lower"),
    # Of alphas, over the pixels that a trimap leaves unknown: sums over an image are in thousands, as they are printed.
    Column("sad", "measure", "Float64", "SAD", "", "lower"),
    Column("mse", "measure", "Float64", "MSE", "", "lower"),
    Column("grad", "measure", "Float64", "gradient", "", "lower"),
    Column("conn", "measure", "Float64", "connectivity", "", "lower"),
    # Of restored features, over photographs: what is gained over bilinear, and how far that is on the way to a ceiling.
    Column("gain", "measure", "Float64", "gain over bilinear", "dB", "higher"),
    Column("share", "measure", "Float64", "share", "", "higher"),
    Column("edge_share", "measure", "Float64", "share, edges", "", "higher"),
    Column("gap", "measure", "Float64", "gap, certified", "", "lower"),  # of a ceiling, as a share of its way
    Column("section", "origin", "string", "section"),  # what kind of kernels an operator has
    Column("loss", "measure", "Float64", "loss", "", "lower"),
    Column("train_time", "measure", "Float64", "training time", "s", "lower"),
    Column("core_time", "measure", "Float64", "core time", "s", "lower"),  # of all threads together
    Column("node", "origin", "string", "node"),  # the machine's name in its network
    Column("origin", "origin", "string", "origin"),  # of a merged run: the run that the row is from
)

RANKED = ("psnr", "sad", "gain")
"""What ranks the trainings of a task: reconstruction's, matting's, restoration's. Each has one of them."""

RUN, SHAPE, FLOOR_SHARE, RATIO, VERDICT = "run", "shape", "floor_share", "latency_ratio", "verdict"
BASES = ("reference", "baseline")
"""Verdicts of the rows that ratios are to."""

SIDES = ("batch", "channels", "height", "width")
"""What a shape is made of."""

SUBJECT = ("operator", "variant", "options")
"""The columns that say which operator; the other axes are the workload."""

DERIVED: tuple[Column, ...] = (
    Column(RUN, "derived", "string", "run"),  # where several runs, or a merged one, are read: from which a row is
    Column(SHAPE, "derived", "string", "shape"),  # of z, as it is typed: 1x64x32x32
    Column(FLOOR_SHARE, "derived", "Float64", "of light speed"),  # how close the latency comes to the floor
    Column(RATIO, "derived", "Float64", "ratio", "", "lower"),
    Column(f"{RATIO}_low", "derived", "Float64", "ratio, low", "", "lower"),
    Column(f"{RATIO}_high", "derived", "Float64", "ratio, high", "", "lower"),
    Column(VERDICT, "derived", "string", "verdict"),
)
"""What no row holds: filled when a run is read; the ratio and its verdict against a reference or a baseline."""

ON_DEMAND = (SHAPE, FLOOR_SHARE)
"""Of these, what is shown and exported only where it is asked for."""

GONE = frozenset({"pace"})
"""Columns that rows of earlier programs have and that no longer mean anything."""

BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}

SHOWN: dict[str, Column] = BY_NAME | {column.name: column for column in DERIVED}
"""Every column of a frame that was read."""


def is_axis(name: str) -> bool:
    """Whether the column says what was measured rather than what came out."""
    return name == RUN or (name in BY_NAME and BY_NAME[name].role == "axis")


def is_open(status: object, stopped: object) -> bool:
    """Whether a row of such a case is not the last word: the time of its run was over before the case was timed.

    A case that took too long itself has the same status, and its row stays. A later row of an open case takes its
    place.
    """
    return status == "timeout" and stopped == BUDGET


def make_row(case: Point, status: str, reason: str, measures: Mapping[str, Any]) -> dict[str, Any]:
    """A whole row: the axes of a case or a trial, its status and reason, its measures; what was not measured is None.

    Raises ValueError for an unknown status or a measure that is no column.
    """
    if status not in STATUSES:
        raise ValueError(f"unknown status {status!r}; allowed: {', '.join(STATUSES)}")
    unknown = [name for name in measures if name not in BY_NAME or BY_NAME[name].role not in ("measure", "origin")]
    if unknown:
        raise ValueError(f"not a measure: {', '.join(unknown)}")
    row: dict[str, Any] = dict.fromkeys(BY_NAME)
    row.update(asdict(case), case=case.id, status=status, reason=reason)
    row.update(measures)
    return row
