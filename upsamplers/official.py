"""Weights trained with the authors' code: which operator they make, and every reason why they do not fit, by key."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from upsamplers.errors import OptionError, StateDictError, Unsupported
from upsamplers.operator import Upsampler, check_option
from upsamplers.registry import check_options, classes, create_class, operator_class

LARGEST = 1 << 34
"""Bytes of a file of weights: many times those of any upsampler's network."""

WRAPPERS = ("state_dict", "jafar", "raysup")
"""Under which checkpoints hold the weights, beside the state of their training."""

SHOWN = 8
"""Keys that an error spells out before it counts the rest."""


class _State(dict[str, Tensor]):
    """A state dict that remembers which keys were asked for, and names a missing one."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__(state)
        self.asked: dict[str, list[int]] = {}

    def __getitem__(self, key: str) -> Tensor:
        tensor = super().__getitem__(key)
        self.asked[key] = list(tensor.shape)
        return tensor

    def __missing__(self, key: str) -> Tensor:
        raise StateDictError(f"no key {key!r}; the keys are {listed(self)}")


def from_official(
    name: str,
    state_dict: Mapping[str, Tensor],
    *,
    scale: int | None = None,
    channels: int | None = None,
    **options: Any,
) -> Upsampler:
    """An operator with weights trained with its authors' code.

    Args:
        name: one of `names()` that states an official layout; asking for another lists them.
        state_dict: the state dict of the authors' module, its keys without a prefix. It is copied.
        scale: s of the operator; by default what the state dict tells, else 2.
        channels: C of z, where the guide's width says nothing about it; by default the guide's.
        options: those of `create` that neither keys nor shapes tell; what they do tell need not be given.

    Returns:
        The module in eval mode, in the dtype of the state dict and with the buffers stored in it; it has the
        downsampling twin where the state dict has it.

    Raises:
        UnknownOperator: no such name.
        OptionError: no such option, or a value of another type.
        Unsupported: an operator without official weights, or options that no official weights have.
        StateDictError: keys of another operator, extra, missing or misshapen keys, values that are no finite
            floating-point tensors, options that they contradict or that cannot be. The message names the keys.
    """
    cls = operator_class(name)
    if not _has_official(cls):
        others = ", ".join(other for other, one in classes().items() if _has_official(one))
        raise Unsupported(f"{name} has no official weights to load; allowed: {others}")
    check_options(cls, options)
    for label, size in (("scale", scale), ("channels", channels)):
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 1
        check_option(size is None or whole, name, label, size, "an integer >= 1")
    given = options | {key: size for key, size in (("scale", scale), ("channels", channels)) if size is not None}
    state = _checked(name, cls.unwrapped(state_dict) if isinstance(state_dict, Mapping) else state_dict)
    arguments, keys = _layout(cls, state, {"scale": 2, **given})
    _same_keys(name, state, keys)
    for option in given.keys() & arguments.keys():
        if given[option] != arguments[option]:
            told = f"{option}={given[option]} was given, but the state dict has {option}={arguments[option]}"
            raise StateDictError(f"{name}: {told}{_sources(state)}")
    arguments = {"scale": 2, **given, **arguments}
    settings = {key: arguments.pop(key, None) for key in ("channels", "guide_channels", "scale")}
    try:
        module = create_class(cls, settings["channels"], settings["guide_channels"], settings["scale"], arguments)
    except (OptionError, Unsupported) as error:
        raise StateDictError(f"{error}{_sources(state)}") from error
    _same_shapes(module, state, keys)
    floating = next(value for value in state.values() if value.is_floating_point())
    module = module.to(floating)  # what the state dict does not hold follows it
    # Assigning keeps the dtype of each tensor; the copy leaves the caller's own tensors alone.
    module.load_state_dict({keys[key]: value.detach().clone() for key, value in state.items()}, assign=True)
    return module.eval()


def load_state(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file by key: safetensors by its suffix, else torch.load with weights_only; no code is ever run.

    Where a checkpoint holds its weights under `state_dict` or the name of a network, those are returned.

    Raises:
        StateDictError: nothing readable is there, or the file holds more than tensors.
    """
    path = Path(path)
    safe = path.suffix == ".safetensors"
    try:
        _check_size(path)
        found = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except StateDictError:
        raise
    except OSError as error:
        raise StateDictError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged file makes either reader raise anything
        kind = "safetensors" if safe else "torch.load with weights_only=True"
        raise StateDictError(f"{path} is no file of tensors that {kind} reads ({type(error).__name__})") from error
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
            break
    if isinstance(found, Mapping):
        tensors = {key: value for key, value in found.items() if isinstance(value, Tensor) and _is_larger(value)}
        if tensors:
            raise StateDictError(f"{path}: larger than what the file holds of them: {listed(map(str, tensors))}")
    return dict(_checked(str(path), found))


def _check_size(path: Path) -> None:
    """OSError for what is no file, StateDictError for one that would grow in memory beyond its own size."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise OSError(errno.EINVAL, "not a regular file")
    size = path.stat().st_size
    if size > LARGEST:
        raise StateDictError(f"{path}: {size >> 20} MiB; allowed: {LARGEST >> 20}")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > 2 * size:  # torch.save compresses nothing
            raise StateDictError(f"{path}: {size} bytes that would become {unpacked}")


def _is_larger(tensor: Tensor) -> bool:
    """Whether a view repeats its values, so that any use of it takes more memory than the file it came from."""
    if tensor.is_meta or tensor.layout != torch.strided:
        return False
    return tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()


def listed(words: Iterable[str]) -> str:
    """Words in quotes, the first few spelled out."""
    words = list(words)
    rest = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return (", ".join(repr(word) for word in words[:SHOWN]) + rest) or "none"


def _has_official(cls: type[Upsampler]) -> bool:
    """Whether the operator says how the authors' keys map to its own."""
    return vars(Upsampler)["official"].__func__ is not cls.official.__func__  # type: ignore[attr-defined]


def _sources(state: _State) -> str:
    """The keys that told the sizes: where two shapes disagree, one of these may be the wrong one."""
    return "; sizes come from " + ", ".join(f"{key!r} {shape}" for key, shape in state.asked.items())


def _checked(name: str, state: object) -> _State:
    """The state dict as one, every value a finite tensor."""
    if not isinstance(state, Mapping) or not state:
        raise StateDictError(f"{name}: a state dict maps keys to tensors; got {_described(state)}")
    odd = [f"{key!r} holds {_described(value)}" for key, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        raise StateDictError(f"{name}: only tensors are loaded; {'; '.join(odd[:SHOWN])}")
    if unnamed := [key for key in state if not isinstance(key, str)]:
        raise StateDictError(f"{name}: keys must be strings; got {listed(map(str, unnamed))}")
    stored = [key for key, value in state.items() if value.is_meta or value.layout != torch.strided]
    if stored:
        raise StateDictError(f"{name}: only dense tensors with values are loaded; not so: {listed(stored)}")
    if broken := [key for key, value in state.items() if not bool(torch.isfinite(value).all())]:
        raise StateDictError(f"{name}: NaN or infinite values in {listed(broken)}")
    return _State(state)


def _described(value: object) -> str:
    return "an empty one" if isinstance(value, Mapping) and not value else type(value).__name__


def _layout(cls: type[Upsampler], state: _State, given: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, str]]:
    """What the operator reads in the state dict: constructor arguments, and its own key for each official one."""
    name = cls.facts.name
    try:
        return cls.official(state, given)
    except StateDictError as error:
        raise StateDictError(f"{name}: {error}{_hint(name, state)}") from None
    except Unsupported:
        raise
    except (IndexError, ValueError, ZeroDivisionError) as error:  # a tensor has not the dimensions that were asked for
        raise StateDictError(
            f"{name}: the shapes fit no official layout{_sources(state)}{_hint(name, state)}"
        ) from error


def _hint(name: str, state: _State) -> str:
    """The other operators that have exactly these keys."""
    fitting = []
    for other, cls in classes().items():
        try:
            keys = cls.official(state, {"scale": 2})[1]
        except (ValueError, LookupError, ZeroDivisionError):
            continue
        if other != name and keys.keys() == state.keys():
            fitting.append(other)
    return f"; these are the keys of {' or '.join(fitting)}" if fitting else ""


def _same_keys(name: str, state: _State, keys: Mapping[str, str]) -> None:
    missing = [key for key in keys if key not in state]
    extra = [key for key in state if key not in keys]
    told = [f"missing {listed(missing)}"] * bool(missing) + [f"unknown {listed(extra)}"] * bool(extra)
    if told:
        raise StateDictError(f"{name}: the keys do not fit: {'; '.join(told)}{_hint(name, state)}")


def _same_shapes(module: Upsampler, state: _State, keys: Mapping[str, str]) -> None:
    """Raise unless every tensor has the shape, and the kind of number, of the module's own."""
    own, sources, wrong = module.state_dict(), _sources(state), []
    for key, value in state.items():
        expected = own[keys[key]]
        if value.shape != expected.shape:
            wrong.append(f"{key!r} is {list(value.shape)}, must be {list(expected.shape)}")
        elif value.is_floating_point() != expected.is_floating_point() or value.is_complex():
            wrong.append(f"{key!r} is {value.dtype}, must be like {expected.dtype}")
    if wrong:
        rest = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise StateDictError(f"{module.facts.name}: {'; '.join(wrong[:SHOWN])}{rest}{sources}")
