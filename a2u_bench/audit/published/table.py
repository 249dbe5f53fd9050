"""What a published cost table holds: where operators sit in a network, what was printed for each, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from a2u_bench.audit.published.printed import Printed

Quantity = Literal["params", "macs"]

OF_LIBRARIES = ("segformer-b1", "faster-rcnn-r50-fpn")
"""Whole networks that other libraries make; where a library is not installed, their cells are skipped."""


@dataclass(frozen=True)
class PublishedSite:
    """One upsampler of the network, `count` times: z is 1×channels×height×width, the low-resolution map."""

    channels: int
    height: int
    width: int
    count: int = 1
    guide_channels: int | None = None  # as many as z has
    scale: int = 2


@dataclass(frozen=True)
class Source:
    """The paper that printed a value, and where in it."""

    key: str
    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""
    where: str = ""


@dataclass(frozen=True)
class Misprint:
    """Why a printed value is taken for a misprint, in a form that is tested against the modules.

    `times`: the value is so many times the right one. `copied`: it is the cost of this operator.
    """

    why: str
    times: int = 0
    copied: str = ""


@dataclass(frozen=True)
class Whole:
    """A network with the operator in all its places, and the sides of the image that it is given.

    It is one of the bench, or of a library: then `operator` is `original` for the network as it is, and a number that
    is printed with a plus sign is what the operator adds at the places that are found in the network.
    """

    network: str
    height: int
    width: int


@dataclass(frozen=True)
class PublishedCell:
    """One printed cost: of which operator, what is counted, and the rule by which its authors counted.

    In `operator`, an operator string, `{2c}` stands for twice the channels of each site. `without` names what the
    printed number of parameters leaves out: a parameter's own name (`bias`) or its module's class (`GroupNorm`).
    Where there is a `whole`, its own costs are counted, work as multiply-adds of its convolutions for one image. With
    `than` the printed value is how much less than that operator's the cost is, in per cent. `base` is what was printed
    along with the upsamplers, such as the rest of a network; `sampled` how many multiply-adds the authors count for a
    value that is read between pixels, where they do not count four. `unmatched`: it is known that no declared variant
    has this cost in any unit, so that the value is not reproduced.
    """

    label: str
    operator: str
    quantity: Quantity
    printed: Printed
    unit: str = ""
    source: Source | None = None
    without: tuple[str, ...] = ()
    note: str = ""
    misprint: Misprint | None = None
    whole: Whole | None = None
    than: str = ""
    base: Printed | None = None
    sampled: int = 0
    unmatched: bool = False

    @property
    def is_of_library(self) -> bool:
        """Whether a network of another library is counted."""
        return self.whole is not None and self.whole.network in OF_LIBRARIES


@dataclass(frozen=True)
class Fact:
    """A printed value that no formula gives, such as an accuracy or a time."""

    operator: str
    quantity: str
    printed: str
    source: Source | None = None
    note: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """A cost table: sites, cells with what was printed, and operators of which the costs alone are asked."""

    name: str
    title: str
    sites: tuple[PublishedSite, ...]
    cells: tuple[PublishedCell, ...] = ()
    facts: tuple[Fact, ...] = ()
    operators: tuple[str, ...] = ()
