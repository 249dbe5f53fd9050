"""Every reader of files that may come from strangers, with sound files to damage."""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from a2u_bench.audit.claims import check
from a2u_bench.audit.published.read import find
from a2u_bench.export.plots.kernels.image import read_image
from a2u_bench.export.report import content
from a2u_bench.quality import checkpoints, idx
from a2u_bench.run.jobs import command
from a2u_bench.store.read import each_curve, read_run, read_samples
from soak.fuzz import Reader
from upsamplers import StateDictError, create, from_official, load_state

GOLDEN = Path(__file__).parent.parent / "golden"
RUN = GOLDEN / "runs" / "version-1"


def readers() -> tuple[Reader, ...]:
    """All of them."""
    lines = {
        name: (RUN / name).read_bytes() for name in ("rows.jsonl", "samples.jsonl", "curves.jsonl", "manifest.json")
    }
    tables = tuple(path.read_bytes() for path in sorted((Path(find.__code__.co_filename).parent).glob("*.toml")))
    weights = {key: value.clone() for key, value in create("carafe", channels=8, guide_channels=8).state_dict().items()}
    return (
        Reader("rows", ".jsonl", (lines["rows.jsonl"],), _in_run("rows.jsonl", read_run)),
        Reader("manifest", ".json", (lines["manifest.json"],), _in_run("manifest.json", read_run)),
        Reader("samples", ".jsonl", (lines["samples.jsonl"],), _in_run("samples.jsonl", read_samples)),
        Reader("curves", ".jsonl", (lines["curves.jsonl"],), _in_run("curves.jsonl", lambda f: list(each_curve(f)))),
        Reader("job of a part", ".json", (b'{"job": "12_3"}\n',), _in_run(command.JOB, command.read_job)),
        *(
            Reader(f"claims, {name}", Path(name).suffix, ((GOLDEN / "exports" / name).read_bytes(),), _claims)
            for name in ("rows.csv", "table.md", "table.tex")
        ),
        Reader(
            "certificate",
            ".json",
            (_certificate(),),
            _in_run("certificate.json", lambda f: content._certificate(read_run(f))),
        ),
        Reader("table of costs", ".toml", tables, lambda path: find(str(path))),
        Reader("safetensors", ".safetensors", (save(weights),), _load, (StateDictError,)),
        Reader("torch's weights", ".pth", (_saved(weights, True), _saved(weights, False)), _load, (StateDictError,)),
        Reader(
            "checkpoint", ".pt", (_saved({"trial": "t", "step": 1}, True),), lambda path: checkpoints.load(path, "t")
        ),
        Reader("image", ".png", _images(), lambda path: read_image(path, 64)),
        Reader("IDX", "", (_idx(),), lambda path: idx.read(path, 3, 1 << 20)),
        Reader("IDX, compressed", ".gz", (gzip.compress(_idx()),), lambda path: idx.read(path, 3, 1 << 20)),
    )


def _in_run(name: str, read: Any) -> Any:
    """A reader of a folder, given the one file in it that is damaged; the others are sound."""

    def reader(path: Path) -> None:
        for sound in RUN.iterdir():
            if sound.name != name:
                (path.parent / sound.name).write_bytes(sound.read_bytes())
        path.replace(path.parent / name)
        read(path.parent)

    return reader


def _claims(path: Path) -> None:
    check(path, GOLDEN / "runs" / "example")


def _load(path: Path) -> None:
    from_official("carafe", load_state(path), kernel_size=5, groups=1)


def _certificate() -> bytes:
    finding = {"name": "false alarms", "holds": True, "value": 0.01, "evidence": "3 of 300"}
    return json.dumps({"format": "a2u-bench certificate", "machine": {"cpu": "one"}, "findings": [finding]}).encode()


def _saved(content: dict[str, Any], zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def _images() -> tuple[bytes, ...]:
    from PIL import Image

    pixels = (np.mgrid[0:20, 0:24].sum(0)[..., None] * [3, 5, 7] % 256).astype(np.uint8)
    found = []
    for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, form)
        found.append(stream.getvalue())
    return tuple(found)


def _idx() -> bytes:
    return bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 5, 4) + bytes(range(40))
