"""Checkpoints: what a killed training needs to go on to the same curve, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from a2u_bench.errors import BenchError

State = dict[str, Any]


def path_of(folder: Path, trial: str) -> Path:
    """The checkpoint of a trial, by its id."""
    return folder / f"{trial}.pt"


def prepare(folder: Path) -> None:
    """Make the folder and write to it once, so that an hour of training is not lost for want of a permission."""
    probe = folder / ".probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from None


def save(path: Path, state: State) -> None:
    """Write a checkpoint of tensors, numbers, texts, lists and dictionaries. BenchError where it cannot be written."""
    draft = path.with_suffix(".tmp")
    try:
        with draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: torch's writer on a full disk
        draft.unlink(missing_ok=True)
        raise _unwritable(path.parent, error) from None


def load(path: Path, trial: str) -> State | None:
    """The checkpoint of this trial, or None where it is missing or cannot be read; no code in it is run."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch's reader meets damaged bytes with whatever error it stumbles over
        return None
    return state if isinstance(state, dict) and state.get("trial") == trial else None


def _unwritable(folder: Path, error: Exception) -> BenchError:
    why = " ".join(str(getattr(error, "strerror", None) or error).split())
    return BenchError(f"cannot write checkpoints to {folder}: {why}; --checkpoints DIR names another folder")
