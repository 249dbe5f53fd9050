"""Engines: a case's exported model as a call that takes and gives tensors, in ONNX Runtime and in OpenVINO, on a CPU.

Inputs are handed over without a copy. ONNX Runtime gives each call an output of its own; OpenVINO writes into one that
belongs to the request, and the next call overwrites it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn

from a2u_bench.case import Case
from a2u_bench.measure.onnx import NotRun, first_sentence, kept_model
from a2u_bench.measure.resident import Resident
from a2u_bench.operators.engine_limits import LABELS

Session = Callable[..., Tensor]
"""Tensors in, the output out."""


class Engine:
    """A case's module in its engine; the session is made at the first call, from a model that may be made before.

    Args:
        case: its runtime is an engine.
        module: in eval mode.
        inputs: as every call has them; sizes are fixed.
    """

    def __init__(self, case: Case, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._case, self._module, self._inputs = case, module, inputs
        self._session: Session | None = None
        self.process_memory: int | None = None
        """Resident bytes that the session and its first call took at most; None before, or where no system tells."""

    def export(self) -> None:
        """Have the model made, where nobody has. NotRun where that fails."""
        kept_model(self._case, self._module, self._inputs)

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        given = [x for x in inputs if x is not None]
        if self._session is not None:
            return self._session(*given)
        path = kept_model(self._case, self._module, self._inputs)
        make = {"onnxruntime": onnxruntime_session, "openvino": openvino_session}[self._case.runtime]
        import_module(self._case.runtime)  # the library itself is loaded before memory is looked at
        try:
            with Resident() as memory:
                session = make(str(path), self._case.threads)
                up = session(*given)
        except Exception as error:  # whatever an engine raises is the reason
            raise NotRun(f"{LABELS[self._case.runtime]}: {first_sentence(error)}") from error
        self._session, self.process_memory = session, memory.most
        return up


def onnxruntime_session(model: str | bytes, threads: int) -> Session:
    """A session of ONNX Runtime for a model's file or bytes, with so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # its threads would slow the next case
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [slot.name for slot in session.get_inputs()]

    def call(*inputs: Tensor) -> Tensor:
        feeds = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, feeds)[0])

    return call


def openvino_session(model: str, threads: int) -> Session:
    """A request of OpenVINO for a model's file, with so many threads, computing in float32."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()

    def call(*inputs: Tensor) -> Tensor:
        request.infer([x.numpy() for x in inputs], share_inputs=True, share_outputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data)

    return call
