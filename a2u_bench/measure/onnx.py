"""Modules as ONNX models of standard operations: exported once, kept in a bounded folder, held against ourselves."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from a2u_bench.case import Case
from a2u_bench.machine.system import cache_folder

OPSET = 18
TOLERANCE = 1e-4
"""Of an output, absolute and relative: float32 sums whose order differs stay within it."""

LARGEST = 1 << 30
"""Bytes that the folder holds; beyond them the models go that were not read for longest."""

SENTENCE = 200
"""Characters of what an exporter or an engine says."""


class NotRun(Exception):
    """A module becomes no model, or an engine does not take it: its first sentence."""


def export(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """The model (onnx.ModelProto) of a module in eval mode for inputs of these shapes. NotRun where that fails."""
    try:
        with torch.no_grad():
            program = torch.onnx.export(module, inputs, dynamo=True, opset_version=OPSET, verbose=False)
    except Exception as error:  # whatever the exporter raises is the reason
        raise NotRun(f"the export to ONNX failed: {first_sentence(error)}") from error
    if program is None:
        raise NotRun("the exporter gave no model")
    model = program.model_proto
    strange = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain})
    if strange:
        raise NotRun(f"operations that ONNX does not define: {', '.join(strange)}")
    return model


def why_not(module: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """Why a float32 module in eval mode is no such model at the shape of these inputs, or "".

    Whatever ONNX Runtime raises passes through: it is a reason, too.
    """
    from a2u_bench.measure.engines import onnxruntime_session

    try:
        model = export(module, inputs)
    except NotRun as error:
        return str(error)
    found = onnxruntime_session(model.SerializeToString(), 1)(*inputs)
    with torch.no_grad():
        wanted = module(*inputs)
    if found.shape != wanted.shape:
        return f"ONNX Runtime gives {tuple(found.shape)} instead of {tuple(wanted.shape)}"
    if not torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE):
        return f"ONNX Runtime's output differs by up to {(found - wanted).abs().max():.1g}"
    return ""


def kept_model(case: Case, module: nn.Module, inputs: tuple[Tensor, ...]) -> Path:
    """The file of a case's model, exported where nobody has yet. NotRun where that fails.

    Engines, threads and allocators share it; other weights, sources or exporters make another.
    """
    folder = cache_folder() / "onnx"
    alike = replace(case, runtime="onnxruntime", threads=1, allocator=None)
    path = folder / f"{alike.id}-{_digest(module)}.onnx"
    with suppress(FileNotFoundError):
        os.utime(path)  # it is read now
        return path
    data = export(module, inputs).SerializeToString()
    folder.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(f".{os.getpid()}")
    written.write_bytes(data)
    written.replace(path)
    _make_room(folder, path)
    return path


def first_sentence(error: BaseException) -> str:
    """The first line that an error has, which is enough to look it up."""
    lines = (" ".join(line.split()) for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:SENTENCE]


def _make_room(folder: Path, newest: Path) -> None:
    """Remove the models that were not read for longest, until the folder is within its bound."""
    models = sorted(folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in models:
        total += path.stat().st_size
        if total > LARGEST and path != newest:
            path.unlink(missing_ok=True)


def _digest(module: nn.Module) -> str:
    """Of everything that a model is made from: the module's values, the sources behind it, and the exporter."""
    found = hashlib.sha256(repr([version(name) for name in ("torch", "onnx", "onnxscript")]).encode())
    for name, tensor in module.state_dict().items():
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    for path in sorted(set(_sources(module))):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _sources(module: nn.Module) -> Iterator[Path]:
    """The files of the package of operators, and of every class in the module."""
    for place in getattr(find_spec("upsamplers"), "submodule_search_locations", None) or ():
        yield from Path(place).rglob("*.py")
    for kind in {type(layer) for layer in module.modules()}:
        with suppress(TypeError, OSError):  # a class that has no file
            if path := inspect.getsourcefile(kind):
                yield Path(path)
