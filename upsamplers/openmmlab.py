"""Every operator in MMEngine's registry, for `upsample_cfg=dict(type="dysample")` in configs of OpenMMLab's projects.

Importing this module registers them, so that a config needs ``custom_imports = dict(imports=["upsamplers.openmmlab"])``
and no code. A name that MMCV has taken for its own layer (nearest, bilinear, deconv, pixel_shuffle; with its compiled
operators carafe) stays MMCV's, whose heads call it with its own arguments; ours is then ``upsamplers_NAME``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from torch import nn

from upsamplers.errors import OptionError
from upsamplers.registry import create, names

MMCV = {
    "up_kernel": "kernel_size",
    "up_group": "groups",
    "encoder_kernel": "encoder_kernel_size",
}
"""MMCV's names of options (those of its CARAFEPack), and ours."""


def register() -> tuple[str, ...]:
    """Register every operator, and say under which names. It may be called again; ImportError without MMEngine."""
    from mmengine.registry import MODELS

    with suppress(ImportError):
        import_module("mmcv.cnn")  # its own layers take their names first
    taken = []
    for name in names():
        free = name if _is_free(MODELS, name) else f"upsamplers_{name}"
        if _is_free(MODELS, free):
            MODELS.register_module(name=free, module=_layer_of(name), force=free in MODELS.module_dict)
        taken.append(free)
    return tuple(taken)


def layer(
    operator: str,
    channels: int | None = None,
    scale_factor: int = 2,
    in_channels: int | None = None,
    out_channels: int | None = None,
    **options: Any,
) -> nn.Module:
    """An operator by MMCV's names of arguments: `channels`, or `in_channels` and `out_channels`.

    Where the two differ, a 1×1 convolution before the operator aligns them. `options` are the operator's own, or
    MMCV's `up_kernel`, `up_group` and `encoder_kernel`.

    Raises:
        OptionError: no width, a scale that is no integer, or an option that is given twice; and what `create` raises.
    """
    width = channels if in_channels is None else in_channels
    if width is None:
        raise OptionError(f"{operator}: needs channels, or in_channels and out_channels")
    if scale_factor != int(scale_factor):
        raise OptionError(f"{operator}: scale_factor={scale_factor} is out of range; allowed: an integer >= 1")
    own = {MMCV.get(name, name): value for name, value in options.items()}
    if len(own) < len(options):
        raise OptionError(f"{operator}: an option is given twice; got {', '.join(options)}")
    made = create(operator, channels=out_channels or width, scale=int(scale_factor), **own)
    return made if out_channels in (None, width) else nn.Sequential(nn.Conv2d(width, made.channels, 1), made)


def _layer_of(name: str) -> Callable[..., nn.Module]:
    def made(*args: Any, **options: Any) -> nn.Module:
        return layer(name, *args, **options)

    made.__name__ = name
    made.operator = name  # type: ignore[attr-defined]  # by which ours are known
    return made


def _is_free(registry: Any, name: str) -> bool:
    """Whether nobody, or an earlier call of ours, has the name."""
    known = registry.module_dict.get(name)
    return known is None or getattr(known, "operator", None) is not None


REGISTERED = register()
"""The names under which the operators are registered."""
