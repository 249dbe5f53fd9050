"""Whether a module leaves PyTorch as an ONNX model of standard operations that ONNX Runtime computes as we do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

OPSET = 18
TOLERANCE = 1e-4
"""Of an output, absolute and relative: float32 sums whose order differs stay within it."""


def why_not(module: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """Why a float32 module in eval mode is no such model at the shape of these inputs, or "".

    Whatever the exporter or ONNX Runtime raises passes through: it is a reason, too.
    """
    import onnxruntime

    program = torch.onnx.export(module, inputs, dynamo=True, opset_version=OPSET, verbose=False)
    if program is None:
        return "the exporter gave no model"
    model = program.model_proto
    strange = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain})
    if strange:
        return f"operations that ONNX does not define: {', '.join(strange)}"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {slot.name: x.numpy() for slot, x in zip(session.get_inputs(), inputs, strict=True)}
    found = torch.from_numpy(session.run(None, feeds)[0])
    with torch.no_grad():
        wanted = module(*inputs)
    if found.shape != wanted.shape:
        return f"ONNX Runtime gives {tuple(found.shape)} instead of {tuple(wanted.shape)}"
    if not torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE):
        return f"ONNX Runtime's output differs by up to {(found - wanted).abs().max():.1g}"
    return ""
