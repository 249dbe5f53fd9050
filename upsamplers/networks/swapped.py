"""What a swapped network holds: every operator in one ModuleDict, and what was done at each site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from upsamplers.errors import NetworkError
from upsamplers.networks.site import Site

HOLDER = "upsamplers"
"""The name of the ModuleDict in the network."""


@dataclass(frozen=True)
class Choice:
    """What was done at one site, and why."""

    site: Site
    operator: str  # "" where the site is left as it is
    reason: str = ""  # why it is left
    scales: tuple[int, ...] = ()  # of the operators that stand there, one after another
    guided: bool = False
    params: int = 0  # of all that stands there
    align: int = 0  # of these, in 1×1 convolutions that align widths
    removed: int = 0  # parameters of the layers that are no longer needed


class Operators(nn.ModuleDict):
    """Every operator of a swapped network, and what was done at each site."""

    choices: tuple[Choice, ...] = ()


class Whole(nn.Module):
    """A network whose own forward goes through its children, as `nn.Sequential` does, beside its operators."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The network's own."""
        return self.network(*inputs, **options)


def choices(swapped: nn.Module) -> tuple[Choice, ...]:
    """What was done at each site of a network that `swap` returned, in the order of its forward."""
    return holder(swapped).choices


def holder(swapped: nn.Module) -> Operators:
    """The operators of a swapped network."""
    found = getattr(swapped, HOLDER, None)
    if not isinstance(found, Operators):
        raise NetworkError(f"{type(swapped).__name__} is no swapped network: it has no {HOLDER!r}")
    return found


def count(module: nn.Module) -> int:
    """Parameters of a module, each once."""
    return sum(parameter.numel() for parameter in module.parameters())
