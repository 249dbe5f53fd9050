"""Which tensor was made of which during one forward, told by their shapes and by the calls that made them.

The tensors themselves are not held: a network needs no more memory than it needs anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from upsamplers.networks.nested import tensors
from upsamplers.networks.site import Shape, Source

JOINS = frozenset(("add", "add_", "__add__", "__iadd__", "__radd__", "cat", "concat", "concatenate"))
"""Where a map meets another of its size."""

NORMS = ("batch_norm", "group_norm", "instance_norm", "layer_norm", "dropout", "dropout2d", "feature_dropout")
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "prelu", "sigmoid", "tanh")
HARD = ("hardswish", "hardsigmoid", "hardtanh")
COPIES = ("contiguous", "clone", "to", "type", "type_as", "float", "half", "bfloat16")
KEEPS = frozenset(
    (*NORMS, *ACTIVATIONS, *HARD, *COPIES, "relu_", "leaky_relu_", "elu_", "pad", "mul", "mul_", "__mul__", "__rmul__")
)
"""What a map stays itself through: norms, activations, casts, a padding that adds nothing, a factor."""


@dataclass(eq=False)
class Node:
    """One tensor, or one state of a tensor that is changed in place."""

    made: int  # when
    shape: Shape
    parents: tuple[Node, ...] = ()
    learned: bool = False  # a parameter is among what it was made of
    from_input: bool = False
    pooled: bool = False  # a context: it was averaged over regions, and nothing of its own size has joined it since
    sites: int = 0  # the sites upstream, one bit each
    still: int = 0  # the sites whose result it still is
    used: int = 0  # how many functions have read it
    changed: int = 0  # when it was changed in place, 0 for never
    sources: list[tuple[int, Source]] = field(default_factory=list)
    convolution: tuple[str, Node] | None = None  # path of the nn.Conv2d that made it and what that read

    @property
    def plane(self) -> Shape | None:
        """Batch, height and width of a map, None for what is no map."""
        return (self.shape[0], *self.shape[2:]) if len(self.shape) == 4 else None


@dataclass(eq=False)
class Found:
    """A site while its network still runs."""

    bit: int
    node: Node  # z
    result: Node
    partner: Node | None = None
    joined: bool = False
    followed: bool = False  # by something learned


class Flow:
    """The tensors of one forward."""

    def __init__(self, inputs: Iterable[Tensor], constants: Iterable[Tensor]) -> None:
        self.clock = 0
        self.found: list[Found] = []
        self._nodes = WeakIdKeyDictionary()
        self._constants = WeakIdKeyDictionary(dict.fromkeys(constants, True))
        for tensor in inputs:
            self._nodes[tensor] = Node(self.tick(), tuple(tensor.shape), from_input=True)

    def tick(self) -> int:
        """The next moment."""
        self.clock += 1
        return self.clock

    def node(self, tensor: Tensor) -> Node | None:
        """What is known of a tensor. One of unknown make, as a scripted part returns it, is taken as a feature."""
        known = self._nodes.get(tensor)
        if known is None and not isinstance(tensor, nn.Parameter) and tensor not in self._constants:
            known = self._nodes[tensor] = Node(self.tick(), tuple(tensor.shape), learned=True, from_input=True)
        return known

    def follow(self, name: str, args: Sequence[Any], made: Any) -> None:
        """A function was called with `args` and has made what it returned."""
        written = args[0][:1] if name == "__setitem__" else made  # it returns nothing
        results = [tensor for _, tensor in tensors(written)]
        if not results:
            return  # a size was asked for
        given = [tensor for _, tensor in tensors(args)]
        nodes = list(dict.fromkeys(node for node in map(self.node, given) if node is not None))
        features = [node for node in nodes if node.from_input]
        weights = len(features) < len(nodes) and any(n.learned for n in nodes if not n.from_input)
        learns = weights or any(isinstance(tensor, nn.Parameter) for tensor in given)
        for node in features:
            node.used += 1
            for found in self.found if learns and node.sites else ():
                found.followed = found.followed or bool(node.sites & found.bit)
        if name in JOINS:
            self._join(features)
        for tensor in results:
            before = self._nodes.get(tensor)
            if before is not None:
                before.changed = self.clock + 1
            node = Node(self.tick(), tuple(tensor.shape), tuple(nodes))
            node.learned = learns or any(one.learned for one in nodes)
            node.from_input = bool(features)
            node.pooled = _is_pooled(name, node, features)
            for one in features:
                node.sites |= one.sites
                if name in KEEPS and one.shape == node.shape:
                    node.still |= one.still
            self._nodes[tensor] = node

    def site(self, z: Node, made: Tensor) -> Found:
        """The function that was followed last is a site."""
        result = self._nodes[made]
        found = Found(1 << len(self.found), z, result)
        result.sites |= found.bit
        result.still = found.bit
        self.found.append(found)
        return found

    def _join(self, features: Sequence[Node]) -> None:
        """Maps meet: for each site that one of them still is, the first other that is no site's."""
        for node in features:
            for found in self.found if node.still else ():
                if node.still & found.bit and not found.joined and len(features) > 1:
                    found.joined = True
                    others = (one for one in features if one is not node and one.plane == found.result.plane)
                    found.partner = next((one for one in others if not one.still), None)


def _is_pooled(name: str, node: Node, features: Sequence[Node]) -> bool:
    if node.plane is None:
        return False
    first = features[0].shape if features else ()
    if name.startswith("adaptive_"):
        return first[-2:] != node.shape[-2:]
    if node.shape[-2:] == (1, 1) and name in ("mean", "view", "reshape", "unsqueeze", "__getitem__"):
        return True
    peers = [one for one in features if one.plane == node.plane]
    return bool(peers) and all(one.pooled for one in peers)


def nearest_source(partner: Node, found: Found) -> tuple[Node, Source] | None:
    """The nearest map at which `partner` can be had before the site is called: itself, or its ancestor of that size.

    What it was made of is searched in order of distance, through maps of the result's height and width alone.
    """
    waiting, seen = [partner], {partner}
    while waiting:
        node = waiting.pop(0)
        for moment, source in node.sources:
            if moment < found.result.made:
                return node, source
        for parent in node.parents:
            if parent not in seen and parent.plane == found.result.plane and parent.from_input:
                seen.add(parent)
                waiting.append(parent)
    return None
