"""IndexNet: w = sigmoid of what strided convolutions read in the guide, K = 1; one index map, or one for each channel.

From the guide x [B, Cg, sH, sW] a convolution of stride s makes s² logits for every low-resolution point; pixel shuffle
puts logit q at sub-position (⌊q/s⌋, q mod s). Upsampling: w = sigmoid(logits) [B, G, 1, sH, sW]. Downsampling, from the
same logits: softmax over the s² of the *sigmoid*, [B, G, s², H, W], so that z = s²·average pooling of (index · x).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.errors import Unsupported
from upsamplers.fused import normalised_kernels
from upsamplers.operator import Facts, Paper, Upsampler, Variant, check_option
from upsamplers.primitive import downassemble


def _variants() -> tuple[Variant, ...]:
    """All of mode × nonlinear × context, the default first."""
    names = {"holistic": "HIN", "o2o": "O2O", "m2o": "M2O"}
    defaults = {"mode": "holistic", "nonlinear": True, "context": True}
    found = []
    for mode, name in names.items():
        for nonlinear in (True, False):
            for context in (True, False):
                label = f"{name} {'nonlinear' if nonlinear else 'linear'}{' context' if context else ''}"
                options = {"mode": mode, "nonlinear": nonlinear, "context": context}
                found.append(Variant(label, {key: v for key, v in options.items() if v != defaults[key]}))
    return tuple(found)


class IndexNet(Upsampler):
    """IndexNet: w [B, G, 1, sH, sW] in (0, 1); the twin, made by the same parameters, has w [B, G, s², H, W].

    Args:
        channels: C of z.
        guide_channels: Cg of the guide; equal to C but for mode holistic.
        scale: s >= 1.
        mode: `holistic`, one index map for all channels (G = 1); `o2o`, one map a channel from that channel of the
            guide (G = C); `m2o`, one map a channel from all channels of the guide (G = C).
        nonlinear: convolution–batch norm–ReLU6–1×1 convolution in place of one convolution. All are free of bias.
        context: the first convolution reads 2s×2s pixels (at scale 2: 4×4, padding 1) in place of its s×s block. The
            window of point p starts at s·p − ⌊s/2⌋, as the downsampling primitive has it; outside is zero.
        hidden: width between the two convolutions; by default 2·Cg for holistic, C for m2o as in the released code (the
            published costs of m2o count 2·C). In o2o both are depthwise, so the width is C.
        twin: nothing is added: both directions share all parameters, and `downsample` always works.

    Raises:
        OptionError: `hidden` below 1, without `nonlinear`, or other than C in mode o2o.
        Unsupported: a guide that is not as wide as z, in modes o2o and m2o.
    """

    facts = Facts(
        name="index_net",
        title="IndexNet",
        family="first order",
        paper=Paper(
            "Hao Lu, Yutong Dai, Chunhua Shen, Songcen Xu",
            "Indices Matter: Learning to Index for Deep Image Matting",
            "ICCV",
            2019,
            "1908.00672",
        ),
        kernel_size=1,
        groups="1, or C in modes o2o and m2o",
        taps="1",
        guide="required",
        twin=True,
        variants=_variants(),
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        mode: Literal["holistic", "o2o", "m2o"] = "holistic",
        nonlinear: bool = True,
        context: bool = True,
        hidden: int | None = None,
        twin: bool = False,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        wide = self.guide_channels
        if mode != "holistic" and wide != channels:
            raise Unsupported(f"index_net: mode={mode} needs guide and z equally wide; got {wide} and {channels}")
        check_option(hidden is None or nonlinear, "index_net", "hidden", hidden, "only with nonlinear=True")
        check_option(hidden is None or hidden >= 1, "index_net", "hidden", hidden, "an integer >= 1")
        if mode == "o2o":
            check_option(
                hidden in (None, wide), "index_net", "hidden", hidden, f"{wide} in mode o2o, which is depthwise"
            )
        self.mode, self.nonlinear, self.context, self.twin = mode, nonlinear, context, twin
        self.hidden = hidden or (2 * wide if mode == "holistic" else wide)
        self.window = 2 * scale if context else scale
        outputs = scale**2 if mode == "holistic" else wide  # logits that one branch makes
        self.branches = nn.ModuleList(self._branch(outputs) for _ in range(scale**2 * self._groups // outputs))

    @property
    def _groups(self) -> int:
        return 1 if self.mode == "holistic" else self.channels

    def _branch(self, outputs: int) -> nn.Sequential:
        wide, s = self.guide_channels, self.scale
        depthwise = wide if self.mode == "o2o" else 1
        padding = s // 2 if self.context else 0
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        first = self.hidden if self.nonlinear else outputs
        layers["encode"] = Conv2d(wide, first, self.window, s, padding, groups=depthwise, bias=False)
        if self.nonlinear:
            layers["norm"] = nn.BatchNorm2d(first)
            layers["activation"] = nn.ReLU6()
            layers["project"] = Conv2d(first, outputs, 1, groups=depthwise, bias=False)
        return nn.Sequential(layers)

    def _logits(self, guide: Tensor) -> Tensor:
        """The s² logits of every low-resolution point, [B, G·s², H, W]."""
        odd = self.scale % 2 if self.context else 0
        # An odd scale reads one row and column more after its block than before it.
        x = functional.pad(guide, (0, odd, 0, odd)) if odd else guide
        logits = [branch(x) for branch in self.branches]
        return logits[0] if self.mode == "holistic" else torch.stack(logits, 2).flatten(1, 2)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, 1, sH, sW]."""
        assert guide is not None
        return self._spread(self._logits(guide))

    def _spread(self, logits: Tensor) -> Tensor:
        return normalised_kernels(logits, None, self.scale, 1, self._groups, False, 1.0, True, False)

    def _gathered(self, logits: Tensor) -> Tensor:
        return normalised_kernels(logits, None, 1, 1, self._groups, False, 1.0, True, True)

    @property
    def down_kernel_size(self) -> int:
        """The block itself."""
        return self.scale

    def down_weights(self, guide: Tensor) -> Tensor:
        """w [B, G, s², H, W]: softmax over each block, of the sigmoid."""
        return self._gathered(self._logits(guide))

    def halve(self, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Both directions from the same logits: in training the statistics of their norms see the guide once."""
        logits = self._logits(guide)
        half = downassemble(self._gathered(logits), guide, self.scale, self.down_kernel_size, self.border)
        return half, self._spread(logits)

    def macs(self, height: int, width: int) -> int:
        """Per low-resolution point, with window k: the convolutions, then 1 per output element.

        At scale 2 with context: holistic, nonlinear 32·c² + 8·c, and 4·c for index · feature.
        """
        c, h, blocks, window = self.guide_channels, self.hidden, self.scale**2, self.window**2
        if self.mode == "holistic":
            convolutions = window * c * h + h * blocks if self.nonlinear else window * c * blocks
        else:
            fan_in = 1 if self.mode == "o2o" else c
            fan_hidden = 1 if self.mode == "o2o" else h
            encode = window * fan_in * (h if self.nonlinear else c)
            convolutions = blocks * (encode + (fan_hidden * c if self.nonlinear else 0))
        return (convolutions + blocks * self.channels) * height * width

    @classmethod
    def official(
        cls, state: Mapping[str, Tensor], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Holistic: `indexnet`; depthwise: `indexnet1` … `indexnet4`, one for each sub-position."""
        scale = options["scale"]
        holistic = any(key.startswith("indexnet.") for key in state)
        blocks = {"indexnet": 0} if holistic else {f"indexnet{q + 1}": q for q in range(scale**2)}
        nonlinear = any(key.split(".")[1:2] in (["1"], ["3"]) for key in state)
        first = next(iter(blocks)) + (".weight" if holistic and not nonlinear else ".0.weight")
        outputs, inputs, side, _ = state[first].shape
        if holistic:
            mode = "holistic"
        else:  # one channel alone has the same shapes either way
            mode = options.get("mode", "o2o") if inputs == outputs == 1 else ("o2o" if inputs == 1 else "m2o")
        wide = outputs if mode == "o2o" else inputs
        arguments = {
            "channels": options.get("channels", wide),
            "guide_channels": wide,
            "mode": mode,
            "nonlinear": nonlinear,
            "context": side != scale,
            "twin": True,
        }
        if nonlinear and mode != "o2o":
            arguments["hidden"] = outputs
        if not nonlinear:
            tail = "" if holistic else ".0"
            return arguments, {f"{block}{tail}.weight": f"branches.{q}.encode.weight" for block, q in blocks.items()}
        names = {"0.weight": "encode.weight", "3.weight": "project.weight"}
        statistics = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        names |= {f"1.{entry}": f"norm.{entry}" for entry in statistics}
        keys = {
            f"{block}.{theirs}": f"branches.{q}.{own}" for block, q in blocks.items() for theirs, own in names.items()
        }
        return arguments, keys
