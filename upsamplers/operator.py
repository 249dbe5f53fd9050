"""The interface of every operator: facts, `weights(z, guide) -> w`, and a forward that is wᵀz.

An operator file states facts and defines `weights`; the rest of what is here follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from upsamplers.errors import OptionError, TooLarge, Unsupported, is_too_large
from upsamplers.primitive import Taps, downassemble, reassemble
from upsamplers.tracing import as_node, one_node, proxy_in, sizes

Family = Literal["distance-based", "learned static", "first order", "second order"]


@dataclass(frozen=True)
class Paper:
    """Where an operator was published; its authors' names, or family names alone, joined by commas."""

    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""


@dataclass(frozen=True)
class Variant:
    """One declared setting of an operator's options, with its label; the default options are the empty setting."""

    label: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


@dataclass(frozen=True)
class Facts:
    """What is known of an operator before any of its parameters exist."""

    name: str
    title: str
    family: Family
    paper: Paper | None = None  # of what is not published, none
    _: KW_ONLY
    kernel_size: int  # default side k of the window
    groups: str  # G, as a formula: "1", "C", "groups"
    taps: str  # K, as a formula: "k²", "C·k²", "4"
    border: str = "zero"  # "table": what an output reads at the border is in its tap table
    guide: Literal["none", "optional", "required"] = "none"
    mixes_channels: bool = False
    samples_points: bool = False
    guide_size: Literal["output", "any"] = "output"  # "any": an image of any size, and the output's size is asked for
    call: str = ""  # how the authors call it, and how we do, where they differ
    any_channels: bool = False  # one module serves z of any C: channels may be None
    twin: bool = False  # has a downsampling twin
    scales: tuple[int, ...] = ()  # allowed scales; empty: any
    variants: tuple[Variant, ...] = (Variant("default"),)
    label: str = ""  # what a paper's table calls it; empty: the title


MOST = {"channels": 1 << 20, "guide_channels": 1 << 20, "scale": 1 << 10}
"""The largest sizes of an operator. Far beyond any use; past them sizes overflow before memory ends."""


def check_option(holds: bool, operator: str, name: str, given: object, allowed: str) -> None:
    """Raise OptionError unless `holds`: the operator, the option, what was given and what is allowed."""
    if not holds:
        raise OptionError(f"{operator}: {name}={given} is out of range; allowed: {allowed}")


class Upsampler(nn.Module):
    """Base of every operator: `forward(z, guide=None)` is `reassemble(weights(z, guide), z)`, then the epilogue.

    Args:
        channels: C of z.
        guide_channels: C of the guide; defaults to `channels`.
        scale: s >= 1.

    Raises:
        OptionError: an option out of its range.
        Unsupported: channels or a scale that the operator cannot serve.
    """

    facts: ClassVar[Facts]
    kernel_size: int
    border: str

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        super().__init__()
        name = self.facts.name
        guide_channels = channels if guide_channels is None else guide_channels
        for label, value in (("channels", channels), ("guide_channels", guide_channels), ("scale", scale)):
            whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST[label]
            check_option(whole, name, label, value, f"an integer >= 1, at most {MOST[label]}")
        if self.facts.scales and scale not in self.facts.scales:
            allowed = ", ".join(str(s) for s in self.facts.scales)
            raise Unsupported(f"{name}: scale {scale} is not possible; allowed: {allowed}")
        self.channels, self.guide_channels, self.scale = channels, guide_channels, scale
        self.out_channels = channels  # of what forward gives; an epilogue may change it
        self.kernel_size, self.border = self.facts.kernel_size, self.facts.border

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in {"assemble", "downsample", "halve"} & vars(cls).keys():
            setattr(cls, name, one_node(vars(cls)[name]))

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """`forward` with its hooks; one node of a symbolic trace. TooLarge where memory does not suffice."""
        proxy = proxy_in(inputs, options)
        if proxy is not None:
            return as_node(proxy, self, inputs, options)
        try:
            return super().__call__(*inputs, **options)
        except RuntimeError as error:
            if not is_too_large(error):
                raise
            shapes = ", ".join(str(tuple(x.shape)) for x in (*inputs, *options.values()) if isinstance(x, Tensor))
            message = f"{self.facts.name}: memory does not suffice to upsample {shapes} at scale {self.scale}"
        raise TooLarge(message)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The kernels w [B or 1, G, K, sH, sW], or one phase [1, G, K, s, s], for z [B, C, H, W] and its guide."""
        raise NotImplementedError(f"{type(self).__name__} defines no weights")

    def points(self, z: Tensor, guide: Tensor | None = None) -> Tensor | None:
        """Where z is read, [B, G, 2, sH, sW] in pixels of z, x before y; None for a fixed window."""
        return None

    @property
    def least_size(self) -> int:
        """The smallest side of z that it takes."""
        return 1

    @property
    def needs_guide(self) -> Literal["none", "optional", "required"]:
        """Whether this module takes a guide: as the facts say, unless an option changes it."""
        return self.facts.guide

    def guide_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the guide for z of this height and width: s times as large."""
        return self.scale * height, self.scale * width

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """What follows wᵀz: a bias, a gate. By default nothing."""
        return up

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map [B, C, sH, sW] of z [B, C, H, W]; guide [B, Cg, sH, sW] where the operator takes one."""
        self.check(z, guide)
        up = self._read(self.weights(z, guide), z, guide)  # the kernels are gone before the epilogue makes its maps
        return self.epilogue(up, z, guide)

    @one_node
    def assemble(self, w: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """`forward` with kernels w [B or 1, G, K, sH, sW] that are already there, as `halve` gives them."""
        return self.epilogue(self._read(w, z, guide), z, guide)

    def _read(self, w: Tensor, z: Tensor, guide: Tensor | None) -> Tensor:
        """wᵀz alone, [B, C, sH, sW]."""
        source, where = self.reads(z, guide)
        return reassemble(w, source, **where)

    def reads(self, z: Tensor, guide: Tensor | None = None) -> tuple[Tensor, dict[str, Any]]:
        """What the kernels are applied to and where it is read: the further arguments of `reassemble`.

        The map is z, unless the operator reads something made of it.
        """
        where = {"scale": self.scale, "kernel_size": self.kernel_size, "border": self.border}
        return z, where | {"points": self.points(z, guide)}

    def taps(self, z_size: tuple[int, int], size: tuple[int, int] | None = None) -> Taps:
        """Which rows and columns of z, of this height and width, each output reads; ValueError where data tell it."""
        if self.facts.samples_points or self.facts.mixes_channels:
            raise ValueError(f"{self.facts.name}: what an output reads is no table of rows and columns")
        return Taps.window(z_size, self.scale, self.kernel_size, self.border)

    @property
    def down_kernel_size(self) -> int:
        """Side of the downsampling twin's window; an operator without a twin has no such attribute."""
        raise AttributeError(f"{self.facts.name} has no downsampling twin")

    def down_weights(self, guide: Tensor) -> Tensor:
        """The twin's kernels [B, G, K_d, H, W] for a guide [B, Cg, sH, sW]."""
        raise Unsupported(f"{self.facts.name} has no downsampling twin; create it with twin=True where it has one")

    @one_node
    def downsample(self, guide: Tensor) -> Tensor:
        """The downsampled guide [B, Cg, H, W]."""
        w = self.down_weights(guide)
        return downassemble(w, guide, self.scale, self.down_kernel_size, self.border)

    @one_node
    def halve(self, guide: Tensor) -> tuple[Tensor, Tensor | None]:
        """The downsampled guide [B, Cg, H, W] and, where they need nothing but the guide, the kernels for `assemble`.

        Operators whose two directions share their work do it once here; the numbers are those of `downsample` and
        `weights`.
        """
        return self.downsample(guide), None

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds of one upsampling of a 1×C×height×width map: convolutions, linear layers, reassembly."""
        raise NotImplementedError(f"{type(self).__name__} states no macs")

    def computed_macs(self, height: int, width: int) -> int:
        """Those that are carried out, where products are padded; else `macs`."""
        return self.macs(height, width)

    def sampled_values(self, height: int, width: int) -> int:
        """How many values of `macs` are read between pixels, at four multiply-adds each."""
        raise NotImplementedError(f"{type(self).__name__} does not say how many values it reads between pixels")

    @classmethod
    def unwrapped(cls, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """The authors' state dict without what a checkpoint wraps around it, and without parameters of no effect."""
        return state

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """How the authors' state dict maps here: (arguments of the constructor, official key -> own key).

        `options` are those that the caller gave; what shapes and keys tell is inferred from `state`.
        """
        raise Unsupported(f"{cls.facts.name} has no official weights to load")

    def check(self, z: Tensor, guide: Tensor | None) -> None:
        """Raise ValueError, with the shapes or the dtypes, when z or the guide does not fit this operator."""
        name = self.facts.name
        for label, given in (("z", z), ("guide", guide if self.needs_guide != "none" else None)):
            if given is not None and not given.is_floating_point():
                raise ValueError(
                    f"{name}: {label} must be floating point; got {given.dtype}; convert it, as {label}.float()"
                )
        shape = sizes(z)
        if z.ndim != 4 or shape[1] != self.channels:
            raise ValueError(f"{name}: z must be [B, {self.channels}, H, W]; got {shape}")
        if guide is None:
            if self.needs_guide == "required":
                raise ValueError(f"{name}: needs a guide [B, {self.guide_channels}, sH, sW]")
            return
        expected = (shape[0], self.guide_channels, *self.guide_size(*shape[2:]))
        if sizes(guide) != expected and self.needs_guide != "none":
            raise ValueError(f"{name}: guide must be {expected} for z {shape}; got {sizes(guide)}")

    def extra_repr(self) -> str:
        return f"{self.channels}, guide_channels={self.guide_channels}, scale={self.scale}"
