"""Reads the golden files: numbers computed by the operators' published code, see tests/golden/README.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Golden:
    """One case: hyper-parameters, mode, and the tensors by what they are."""

    name: str
    hyper: dict[str, Any]
    training: bool
    inputs: dict[str, Tensor]
    state: dict[str, Tensor]
    state_after: dict[str, Tensor]
    outputs: dict[str, Tensor]
    middle: dict[str, Tensor]
    cotangents: dict[str, Tensor]
    gradients: dict[str, Tensor]  # of Σ_o ⟨out.o, R.o⟩, keyed by input or by "sd.<parameter>"


def cases(family: str) -> list[str]:
    """Names of a family's cases, as `load` takes them."""
    found = sorted(f"{family}/{path.stem}" for path in (FOLDER / family).glob("*.safetensors"))
    if not found:
        raise FileNotFoundError(f"no golden files of {family!r}")
    return found


def load(name: str) -> Golden:
    """The case `<family>/<case>`."""
    tensors = load_file(FOLDER / f"{name}.safetensors")
    described = json.loads((FOLDER / f"{name}.json").read_text())

    def under(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    return Golden(
        name=name,
        hyper=described["hyper"],
        training=described["mode"] == "train",
        inputs=under("in."),
        state=under("sd."),
        state_after=under("sd_after."),
        outputs=under("out."),
        middle=under("mid."),
        cotangents=under("R."),
        gradients=under("grad.TOTAL."),
    )
