"""Build: the only door to `upsamplers`. What exists, what a request means, and a ready module for a case.

Torch is imported inside the functions, so that a command that needs none of this stays light.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from a2u_bench import opstrings
from a2u_bench.errors import UsageError
from a2u_bench.opstrings import OptionValue
from a2u_bench.spec import Case

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from upsamplers import Facts, Option, Upsampler

PRELOAD = (
    *("torch", "torch._dynamo", "upsamplers", "a2u_bench.preload"),
    *("upsamplers.primitive.cpu.calls", "upsamplers.primitive.cpu.points_calls"),
)
"""What a process that measures has loaded before it starts."""


class Impossible(Exception):
    """This operator cannot take this case; the message says why."""


class Broken(UsageError):
    """A user's own operator that does not load, or is none; the message says why. Others can still be measured."""


@dataclass(frozen=True)
class Operator:
    """One operator with its options: canonical text, and the label of the variant that these options are."""

    name: str
    options: Mapping[str, OptionValue]
    text: str
    variant: str


def names() -> tuple[str, ...]:
    """The names of all registered operators, sorted."""
    import upsamplers

    return upsamplers.names()


def plugin_problems() -> tuple[str, ...]:
    """One line for each installed plug-in, in the entry-point group `upsamplers`, that does not load."""
    from upsamplers.registry import plugin_problems

    return plugin_problems()


def facts(name: str) -> Facts:
    """What is known of an operator. UsageError, with the nearest match, where there is none of that name."""
    return _class(name).facts


def options(name: str) -> dict[str, Option]:
    """An operator's options by name, with type, default and choices."""
    from upsamplers.registry import class_options

    return class_options(_class(name))


def operator(text: str) -> Operator:
    """The operator that one operator string means. UsageError where there is none, or it has no such option."""
    parsed = opstrings.parse(text)
    return _operator(parsed.name, parsed.options)


def load_ours() -> None:
    """Import every operator of ours; plug-ins are left to whoever needs them."""
    import pkgutil

    from upsamplers import ops

    for module in pkgutil.iter_modules(ops.__path__, f"{ops.__name__}."):
        importlib.import_module(module.name)


def every_variant() -> Iterator[Operator]:
    """Every registered operator at each of its declared variants, in the order of names."""
    for name in names():
        for variant in facts(name).variants:
            yield _operator(name, variant.options)


def device(name: str) -> str:
    """The device that is meant: `auto` is CUDA where there is one. UsageError for a device that is not here."""
    if name == "cpu":
        return name
    import torch

    here = ["cpu"]
    here += ["cuda"] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    if name == "auto":
        return "cuda" if "cuda" in here else "cpu"
    if name not in here:
        raise UsageError(
            f"--device {name}: this machine or this build of torch has none. Allowed: auto, {', '.join(here)}"
        )
    return name


def gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES calls each GPU that this process may use."""
    import torch

    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    count = torch.cuda.device_count()
    return tuple(visible[:count] if visible else map(str, range(count)))


def why_not(case: Case) -> str:
    """Why a case cannot be built, or "". UsageError for an option out of its range. Allocates nothing."""
    if case.network is not None and (reason := _network_why_not(case)):
        return reason
    return _why_not(case.network, case.options, case.channels, case.scale)


@cache
def _why_not(network: str | None, options: str, channels: int, scale: int) -> str:
    import torch

    try:
        with torch.device("meta"):
            _create(options, channels, None, scale) if network is None else _network(network, options)
    except Impossible as error:
        return str(error)
    except UsageError:
        raise
    except Exception:  # a user's own constructor that raises: its row will say so, and the others run
        return ""
    return ""


def create(case: Case) -> nn.Module:
    """The module of a case, an operator or the network that it is in, as its constructor leaves it.

    Impossible or UsageError where there can be none.
    """
    if case.network is None:
        return _create(case.options, case.channels, None, case.scale)
    if reason := _network_why_not(case):
        raise Impossible(reason)
    return _network(case.network, case.options)


def module(options: str, channels: int, *, scale: int = 2, twin: bool = False) -> Upsampler:
    """The module that an operator string means, for z and a guide of these channels; `twin` adds its downsampling.

    Impossible or UsageError where there can be none.
    """
    return _create(options, channels, None, scale, twin)


def seeded(options: str, channels: int, scale: int, seed: int) -> Upsampler:
    """The module that an operator string means, untrained, from a seed, in eval mode. UsageError where none can be."""
    import torch

    text = operator(options).text
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return _create(text, channels, None, scale).eval()
        except Impossible as error:
            raise UsageError(f"{text}: {error}") from None


def official(options: str, path: str, scale: int | None = None) -> Upsampler:
    """The operator with weights trained with its authors' code, from a file of tensors; no code in it is run.

    The operator string has the options that the weights do not tell. UsageError where they do not fit.
    """
    from upsamplers import OptionError, StateDictError, UnknownOperator, Unsupported, from_official
    from upsamplers.official import load_state

    asked = opstrings.parse(options)
    more: dict[str, Any] = dict(asked.options)
    try:
        return from_official(asked.name, load_state(path), scale=scale, **more)
    except (OptionError, StateDictError, UnknownOperator, Unsupported) as error:
        raise UsageError(str(error)) from None


def kernels(
    module: Upsampler, z: NDArray[Any], guide: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """The kernels [G, K, sH, sW] or [G, K, s, s] that a module makes of z [C, H, W] and a guide [Cg, sH, sW].

    Beside them where z is read, [G, 2, sH, sW], or None for a fixed window.
    """
    import torch

    dtype = next((parameter.dtype for parameter in module.parameters()), torch.float32)
    inputs = [torch.from_numpy(part)[None].to(dtype) for part in (z, guide)]
    with torch.inference_mode():
        given = (inputs[0], None) if module.facts.guide == "none" else (inputs[0], inputs[1])
        w, points = module.weights(*given), module.points(*given)
    return w[0].double().numpy(), None if points is None else points[0].double().numpy()


def outline(options: str, channels: int, guide_channels: int | None = None, scale: int = 2) -> Upsampler:
    """The module that an operator string means, with shapes alone: it tells its costs and allocates nothing.

    `guide_channels` defaults to `channels`. Impossible or UsageError where there can be none.
    """
    import torch

    with torch.device("meta"):
        return _create(options, channels, guide_channels, scale)


def network_outline(name: str, options: str) -> Any:
    """The network of that name with the operator that a string means, with shapes alone: `convolutions` and `macs`
    tell its work. Impossible or UsageError where there can be none."""
    import torch

    with torch.device("meta"):
        return _network(name, options)


def definition(module: nn.Module, z: Tensor, guide: Tensor | None) -> Tensor:
    """What the module should give: wᵀz by the slow reference, from the module's own weights, then its epilogue.

    Of a network, what it gives with every operator in it so defined; it stays so.
    """
    from upsamplers import Upsampler, reference

    if not isinstance(module, Upsampler):
        for part in module.modules():
            if isinstance(part, Upsampler):
                part.forward = partial(definition, part)  # type: ignore[method-assign]
                part.halve = partial(_halved, part)  # type: ignore[method-assign]
        output: Tensor = module(z)
        return output
    up = reference.reassemble(
        module.weights(z, guide),
        z,
        scale=module.scale,
        kernel_size=module.kernel_size,
        border=module.border,
        points=module.points(z, guide),
    )
    return module.epilogue(up, z, guide)


def _halved(module: Upsampler, guide: Tensor) -> tuple[Tensor, None]:
    """A guide downsampled by the slow reference, with the module's own weights, and no kernels for the way up."""
    from upsamplers import reference

    w = module.down_weights(guide)
    return reference.downassemble(w, guide, module.scale, module.down_kernel_size, module.border), None


def primitive_macs() -> dict[str, Callable[..., int]]:
    """Multiply-adds of each primitive by its full name, from the shapes of its first two tensors and its output's."""
    from upsamplers.primitive import MACS

    return {f"upsamplers::{name}": formula for name, formula in MACS.items()}


def _network(name: str, options: str) -> nn.Module:
    """A network with an operator in it; there is one so far."""
    from a2u_bench.networks.matting import MattingNetwork

    if name != "matting-unet":
        raise UsageError(f"no network {name!r}; allowed: matting-unet")
    return MattingNetwork(options)


def _network_why_not(case: Case) -> str:
    """Why the matting network cannot take this image, or ""."""
    from a2u_bench.networks.matting import INPUTS, STRIDE

    if case.channels != INPUTS or case.height % STRIDE or case.width % STRIDE:
        allowed = f"{INPUTS} channels (RGB, trimap) and sides that are multiples of {STRIDE}"
        return f"the matting network takes {allowed}; got {case.channels}×{case.height}×{case.width}"
    if case.mode == "training" and case.batch == 1:
        return "the matting network normalises a pooled image over the batch: training needs a batch of 2 or more"
    return ""


def _create(options: str, channels: int, guide_channels: int | None, scale: int, twin: bool = False) -> Upsampler:
    from upsamplers import OptionError, Unsupported
    from upsamplers.registry import create_class

    asked = opstrings.parse(options)
    more = {"twin": True} if twin else {}
    try:
        return create_class(_class(asked.name), channels, guide_channels, scale, {**asked.options, **more})
    except Unsupported as error:
        raise Impossible(str(error)) from None
    except OptionError as error:
        raise UsageError(str(error)) from None


def _operator(name: str, given: Mapping[str, OptionValue]) -> Operator:
    from upsamplers import OptionError
    from upsamplers.errors import nearest_hint

    known = options(name)
    for key, value in given.items():
        if key not in known:
            raise UsageError(f"{name} has no option {key!r}; {nearest_hint(key, known)}")
        try:
            known[key].check(name, value)
        except OptionError as error:
            raise UsageError(str(error)) from None
    defaults = {key: option.default for key, option in known.items()}
    text = opstrings.canonical(name, given, defaults)
    for variant in facts(name).variants:
        if opstrings.canonical(name, variant.options, defaults) == text:
            return Operator(name, dict(given), text, variant.label)
    return Operator(name, dict(given), text, text.removeprefix(f"{name}:"))


@cache
def _class(name: str) -> type[Upsampler]:
    """A registered operator's class by name, or a user's own as ``package.module:Class``."""
    from upsamplers import UnknownOperator
    from upsamplers.errors import BrokenOperator
    from upsamplers.registry import operator_class

    if name not in names() and not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())  # where a person's own file lies: a program that pip installs does not look there
    try:
        return operator_class(name)
    except BrokenOperator as error:
        raise Broken(str(error)) from None
    except UnknownOperator as error:
        raise UsageError(str(error)) from None
