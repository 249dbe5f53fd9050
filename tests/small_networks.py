"""Networks of a few layers, one for each way in which networks upsample: what `find_sites` and `swap` are tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class FromCalls(nn.Module):
    """A network whose forward is a function of the module and the image, so that each test can write its own."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        super().__init__()
        self.body = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        """What the function makes of it."""
        return self.body(self, x)


def convolution(channels: int = 8, given: int | None = None, stride: int = 1) -> nn.Conv2d:
    """3×3."""
    return nn.Conv2d(given or channels, channels, 3, stride, 1)


class Unet(nn.Module):
    """Two levels: a transposed convolution, then bilinear to the size of the skip; each is concatenated to a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = convolution(8, 3), convolution(8, 8, 2), convolution(16, 8, 2)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.middle, self.last = convolution(8, 16), nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of four classes."""
        first = self.first(x).relu()
        second = self.second(first).relu()
        x = self.up(self.third(second)).relu()
        x = self.middle(torch.cat([x, second], 1))
        x = functional.interpolate(x, size=first.shape[2:], mode="bilinear", align_corners=False)
        logits: Tensor = self.last(torch.cat([first, x], 1))
        return logits


class Pyramid(nn.Module):
    """A feature pyramid: each level's lateral convolution comes after the map from below is made larger."""

    def __init__(self, lateral_first: bool = False) -> None:
        super().__init__()
        self.lateral_first = lateral_first
        self.stem, self.down = convolution(8, 3), convolution(12, 8, 2)
        self.lateral, self.top, self.out = nn.Conv2d(8, 6, 1), nn.Conv2d(12, 6, 1), nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of two classes."""
        fine = self.stem(x)
        coarse = self.top(self.down(fine))
        if self.lateral_first:
            lateral = self.lateral(fine)
            total = lateral + functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        else:
            larger = functional.interpolate(coarse, scale_factor=2, mode="nearest")
            total = larger + self.lateral(fine)
        logits: Tensor = self.out(total)
        return logits


class Shared(nn.Module):
    """One `nn.Upsample` for three levels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = convolution(4, 3)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.layers = nn.ModuleList(convolution(4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Eight times the size."""
        x = self.first(x)
        for layer in self.layers:
            x = layer(self.up(x))
        return x


class Indexed(nn.Module):
    """SegNet's pair: max pooling and unpooling by its indices."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = convolution(4, 3), convolution(4)
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the image's size."""
        pooled, indices = self.pool(self.first(x))
        made: Tensor = self.last(self.unpool(pooled, indices))
        return made


class Children(nn.Module):
    """A network that goes through its own children, as some do."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.up, self.last = convolution(4, 3), nn.Upsample(scale_factor=2), convolution(4)

    def forward(self, x: Tensor) -> Tensor:
        """Twice the size."""
        for child in self.children():
            x = child(x)
        return x


@dataclass
class Answer:
    """What a network of the kind of transformers returns."""

    logits: Tensor
    name: str = "answer"


class Answering(nn.Module):
    """A network that returns a dataclass in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Unet()

    def forward(self, x: Tensor) -> dict[str, Answer]:
        """The logits, packed."""
        return {"out": Answer(self.net(x))}


class Super(nn.Module):
    """Sub-pixel convolution in the middle: convolution, pixel shuffle, convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.up = convolution(8, 3), nn.Sequential(convolution(24, 8), nn.PixelShuffle(2))
        self.tail = convolution(3, 6)

    def forward(self, x: Tensor) -> Tensor:
        """An image of twice the size."""
        made: Tensor = self.tail(self.up(self.head(x)))
        return made


class Branching(nn.Module):
    """A network whose way depends on what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = convolution(4, 3), convolution(4)

    def forward(self, x: Tensor) -> Tensor:
        """Twice the size, or twice and smoothed."""
        x = self.first(x)
        if x.mean() > 0:
            x = x * 0.5
        return self.last(functional.interpolate(x, scale_factor=2, mode="bilinear"))


class Odd(nn.Module):
    """13×13 to the 25×25 that were halved, by their own size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down, self.last = convolution(8, 3), convolution(8, 8, 2), convolution(4, 16)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the image's size."""
        fine = self.first(x)
        coarse = functional.interpolate(self.down(fine), size=fine.shape[-2:], mode="bilinear")
        return self.last(torch.cat([fine, coarse], 1))
