"""Modules: a ready operator, or a network with one in it, for a case or an operator string, or why it cannot be."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from a2u_bench.case import TF32, Case
from a2u_bench.errors import UsageError
from a2u_bench.operators import strings
from a2u_bench.operators.catalogue import operator, operator_class
from a2u_bench.operators.devices import why_no_tf32
from a2u_bench.operators.engine_limits import why_no_engine
from a2u_bench.operators.impossible import Impossible
from a2u_bench.operators.own_network import measured

if TYPE_CHECKING:
    from torch import nn

    from upsamplers import Upsampler


OWN_MATTING = "matting-unet"
"""The one network that the bench has; every other name is MODULE:CALLABLE of a person's own."""


def why_not(case: Case) -> str:
    """Why a case cannot be built, or "". UsageError for an option out of its range. Allocates nothing."""
    if reason := _axes_why_not(case):
        return reason
    if is_own_network(case):  # which of its sites take an operator is found where it is built
        return ""
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
    if reason := _axes_why_not(case):
        raise Impossible(reason)
    if case.network is None:
        return _create(case.options, case.channels, None, case.scale)
    if is_own_network(case):
        import torch

        return measured(case.network, case.options, case.shape, torch.initial_seed())
    return _network(case.network, case.options)


def is_own_network(case: Case) -> bool:
    """Whether a case measures a network that a person brought."""
    return case.network not in (None, OWN_MATTING)


def module(options: str, channels: int, *, scale: int = 2, twin: bool = False) -> Upsampler:
    """The module that an operator string means, for z and a guide of these channels; `twin` adds its downsampling.

    Impossible or UsageError where there can be none.
    """
    made = _create(options, channels, None, scale, twin)
    if made.guide_size(1, 1) != (scale, scale):
        raise Impossible(f"{made.facts.name}: its guide is not {scale} times as large as z, as this network's is")
    return made


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

    asked = strings.parse(options)
    more: dict[str, Any] = dict(asked.options)
    try:
        return from_official(asked.name, load_state(path), scale=scale, **more)
    except (OptionError, StateDictError, UnknownOperator, Unsupported) as error:
        raise UsageError(str(error)) from None


def outline(options: str, channels: int, guide_channels: int | None = None, scale: int = 2) -> Upsampler:
    """The module that an operator string means, with shapes alone: it tells its costs and allocates nothing.

    `guide_channels` defaults to `channels`. Impossible or UsageError where there can be none.
    """
    import torch

    with torch.device("meta"):
        return _create(options, channels, guide_channels, scale)


def expected_macs(case: Case) -> float:
    """Multiply-adds of a call, by the operator's own formula; 0 where it tells none. Allocates nothing."""
    try:
        made = _outlined(case.network, case.options, case.channels, case.scale)
        return float(case.batch * made.macs(case.height, case.width))
    except Exception:  # whatever an operator of a user's raises: its row will say so
        return 0.0


@cache
def _outlined(network: str | None, options: str, channels: int, scale: int) -> Any:
    return outline(options, channels, None, scale) if network is None else network_outline(network, options)


def network_outline(name: str, options: str) -> Any:
    """The network of that name with the operator that a string means, with shapes alone: `convolutions` and `macs`
    tell its work. Impossible or UsageError where there can be none."""
    import torch

    with torch.device("meta"):
        return _network(name, options)


def _create(options: str, channels: int, guide_channels: int | None, scale: int, twin: bool = False) -> Upsampler:
    from upsamplers import OptionError, TooLarge, Unsupported
    from upsamplers.registry import create_class

    asked = strings.parse(options)
    more = {"twin": True} if twin else {}
    try:
        return create_class(operator_class(asked.name), channels, guide_channels, scale, {**asked.options, **more})
    except (TooLarge, Unsupported) as error:
        raise Impossible(str(error)) from None
    except OptionError as error:
        raise UsageError(str(error)) from None


def _network(name: str, options: str) -> nn.Module:
    """A network with an operator in it; there is one so far."""
    from a2u_bench.operators.networks.matting import MattingNetwork

    if name != OWN_MATTING:
        raise UsageError(f"no network {name!r}; allowed: {OWN_MATTING}")
    return MattingNetwork(options)


def _axes_why_not(case: Case) -> str:
    """Why no operator can take a case with these axes, or ""."""
    if case.dtype == TF32 and (reason := why_no_tf32(case.device)):
        return reason
    if reason := why_no_engine(case):
        return reason
    return _network_why_not(case) if case.network == OWN_MATTING else ""


def _network_why_not(case: Case) -> str:
    """Why the matting network cannot take this image, or ""."""
    from a2u_bench.operators.networks.matting import INPUTS, STRIDE

    if case.channels != INPUTS or case.height % STRIDE or case.width % STRIDE:
        allowed = f"{INPUTS} channels (RGB, trimap) and sides that are multiples of {STRIDE}"
        return f"the matting network takes {allowed}; got {case.channels}×{case.height}×{case.width}"
    if case.mode == "training" and case.batch == 1:
        return "the matting network normalises a pooled image over the batch: training needs a batch of 2 or more"
    return ""
