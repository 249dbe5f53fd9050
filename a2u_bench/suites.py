"""Suites: named axes as data, and how a request on the command line becomes a plan of cases."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from a2u_bench import build, opstrings, units
from a2u_bench.errors import UsageError, unknown
from a2u_bench.machine import usable_cores
from a2u_bench.plan import Plan, Reference, Settings, Site, Skipped
from a2u_bench.spec import ALLOCATORS, DEVICES, DTYPES, LAYOUTS, MODES, RUNTIMES, Case

MAX_SIDE = 1 << 20
MAX_ELEMENTS = 1 << 32
MAX_SCALE = 64

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Suite:
    """A named set of sites, measured at one scale unless asked otherwise; of a network, the shapes of its input."""

    name: str
    title: str
    sites: tuple[Site, ...]
    scales: tuple[int, ...] = (2,)
    network: str | None = None
    modes: tuple[str, ...] = ("inference",)
    allocators: tuple[str, ...] = ()  # on a CPU; `_usual_allocator` where empty
    threads: tuple[int, ...] = ()  # as many as there are cores where empty
    each: float | None = None  # seconds of timing for each case, where not those of any run
    reference: str = "bilinear"  # the operator that is timed beside every block


def _ways(shape: Shape, options: str = "", rival: str = "Unfold", ours: str = "Primitive") -> Site:
    """Ways to compute wᵀz on one shape, beside nearest interpolation: in both modes as many as interleave."""
    own = ",".join(filter(None, (options, "backend=eager")))
    texts = [f"{rival}:{options}" if options else rival, f"{ours}:{own}", f"{ours}:{options}" if options else ours]
    return Site(shape, ops=("nearest", *(f"a2u_bench.ways:{text}" for text in texts)))


PEERS: tuple[tuple[str, str], ...] = (
    *(("nearest", "Nearest"), ("bilinear", "Bilinear"), ("bicubic", "Bicubic"), ("deconv", "Deconv")),
    *(("pixel_shuffle", "PixelShuffle"), ("max_unpool", "MaxUnpool"), ("convex", "Convex"), ("carafe", "Carafe")),
    *(("index_net", f"IndexNet{options}") for options in ("", ":mode=o2o", ":mode=m2o")),
    *(("a2u", f"A2U{options}") for options in ("", ":rank=4", ":sharing=unshared", ":kernel_size=1")),
    *(("fade", "Fade"), ("fade_lite", "FadeLite")),
    *(("sapa", f"Sapa{options}") for options in ("", ":mode=gated", ":mode=inner")),
    *(("dysample", f"DySample{options}") for options in ("", ":dynamic_scope=true", ":style=pl")),
    ("dysample", "DySample:dynamic_scope=true,style=pl"),
)
"""Each operator and the class and options of its peer; as many as fill blocks, so that none is parted from its peer."""


def _beside_peers(shape: Shape) -> Site:
    """Every operator followed by its peer, on one shape."""
    pairs = ((name + peer[len(peer.partition(":")[0]) :], f"a2u_bench.peers:{peer}") for name, peer in PEERS)
    return Site(shape, ops=tuple(text for pair in pairs for text in pair))


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("quick", "a small map that every machine measures in seconds", (Site((1, 64, 32, 32)),)),
        Suite("paper", "the latency workload of published tables", (Site((1, 256, 120, 120)),)),
        Suite(
            "segformer-b1",
            "the six upsamplers of SegFormer-B1's decoder at 512×512",
            (Site((1, 256, 16, 16), 1), Site((1, 256, 32, 32), 2), Site((1, 256, 64, 64), 3)),
        ),
        Suite(
            "matting-unet",
            "A2U's whole matting network, end to end, with each operator in its four levels, at 224×224",
            (Site((1, 4, 224, 224)),),
            scales=(1,),
            network="matting-unet",
        ),
        Suite(
            "primitive",
            "ways to compute wᵀz with a kernel that is given, in both regimes of the allocator",
            (
                _ways((1, 256, 120, 120)),
                _ways((1, 64, 160, 96), "kernel_size=3"),
                _ways((1, 128, 100, 140), "groups=128,kernel_size=1"),
                _ways((1, 128, 120, 120), rival="GridSample", ours="Points"),
            ),
            modes=("inference", "training"),
            allocators=("default", "kept"),
            each=9.0,
            reference="nearest",
        ),
        Suite(
            "peers",
            "every operator beside its paper's formula in plain PyTorch",
            (_beside_peers((1, 64, 32, 32)), _beside_peers((1, 256, 64, 64))),
            modes=("inference", "training"),
            threads=(1, 2),
        ),
    )
}

USUAL = "usual"

QUICK = Settings(each=0.6, processes=4, target_ci=0.05)

FEW_PROCESSES = 6
"""On an accelerator, where each takes seconds to start."""


def make_plan(
    *,
    ops: str | Sequence[str] | None = None,
    suite: str | None = None,
    shapes: Sequence[str] = (),
    scales: Sequence[int | str] = (),
    dtypes: Sequence[str] = (),
    layouts: Sequence[str] = (),
    modes: Sequence[str] = (),
    runtimes: Sequence[str] = (),
    device: str | Sequence[str] = "auto",
    threads: Sequence[int | str] = (),
    allocators: Sequence[str] = (),
    quick: bool = False,
    seed: int = 0,
    onnx: bool = False,
    time_budget: float | None = None,
    processes: int | None = None,
    warm_up: float | None = None,
    target_ci: float | None = None,
    timeout: float | None = None,
    memory_limit: str | None = None,
    reference: str | None = None,
    elsewhere: bool = False,
    cores: int | None = None,
) -> Plan:
    """The cases a request means. Every sequence is an axis; an empty one takes its suite's default.

    `shapes` are texts ``BxCxHxW`` of z and replace the suite's sites. `quick` means the quick suite, where none is
    named, and a small time budget. Raises UsageError, in one line, for whatever cannot be: also for an operator that
    was named and cannot take a shape or scale; under `all` such a case is in the plan's `skipped`. `elsewhere`: other
    machines will measure, so that a device need not be here. `memory_limit` is a text such as ``8GiB``: what a case may
    need, in place of what is free on its device. `reference` is an operator string, in place of the suite's: its cases
    are in the plan whether or not `ops` has it. `cores`: threads where neither the request nor the suite says how many.
    """
    asked = _devices(device)
    devices = tuple(one.partition(":")[0] if elsewhere else build.device(one) for one in asked)
    chosen = _suite(suite, quick, devices[0])
    sites = tuple(Site(parse_shape(text)) for text in _texts(shapes)) or chosen.sites
    upscales = _counts("scale", scales, MAX_SCALE) or chosen.scales
    if chosen.network is not None and upscales != (1,):
        raise UsageError(f"suite {chosen.name}: its network upsamples by 2 at each level; leave --scale out")
    layout_axis = _choices("layout", layouts, LAYOUTS, "contiguous")
    mode_axis = _choices("mode", modes or chosen.modes, MODES, "inference")
    runtime_axis = _choices("runtime", runtimes, RUNTIMES, "eager")
    thread_axis = _counts("threads", threads, 4096) or chosen.threads or (cores or usable_cores(),)
    allocator_axis = _texts(allocators or chosen.allocators)
    if allocator_axis:
        allocator_axis = list(_choices("allocator", allocator_axis, ALLOCATORS, ""))
    if allocators and "kept" in allocator_axis and (others := [one for one in devices if one != "cpu"]):
        raise UsageError(f"--allocator kept: is of the CPU's memory, and the device is {others[0]}; leave it out")
    axes = product(
        dict.fromkeys(devices),
        runtime_axis,
        thread_axis,
        (None,) if allocator_axis == ["default"] else allocator_axis or (USUAL,),
        sites,
        upscales,
        _choices("dtype", dtypes, DTYPES, "float32"),
        layout_axis,
        mode_axis,
    )
    asked_for = {site: _operators(site.ops or "all" if ops is None else ops) for site in sites}
    beside = build.operator(chosen.reference if reference is None else reference)
    cases: dict[str, Case] = {}
    skipped: dict[str, Skipped] = {}
    for place, runtime, count, allocator, site, scale, dtype, layout, mode in axes:
        if place != "cpu" and allocator == "kept":  # a suite's own axis: an accelerator keeps what it frees anyway
            continue
        operators, broken = asked_for[site]
        for operator, named in (*operators, (beside, False)):
            batch, channels, height, width = site.shape
            case = Case(
                operator=operator.name,
                variant=operator.variant,
                options=operator.text,
                batch=batch,
                channels=channels,
                height=height,
                width=width,
                scale=scale,
                dtype=dtype,
                layout=layout,
                mode=mode,
                runtime=runtime,
                device=place,
                threads=count,
                network=chosen.network,
                allocator=_usual_allocator(place) if allocator == USUAL else allocator,
            )
            reason = broken.get(case.options) or build.why_not(case)
            if case.options in broken:
                skipped.setdefault(case.id, Skipped(case, reason, "failed"))
            elif reason and operator is beside and reference is not None:
                raise UsageError(f"--reference {case.options}: {reason}")
            elif reason and named:
                raise UsageError(f"{case.options}: {reason}")
            elif reason and operator is beside:
                continue  # nothing that was asked for: this workload has no reference
            elif reason:
                skipped.setdefault(case.id, Skipped(case, reason))
            else:
                cases.setdefault(case.id, case)
    limits = {
        "time_budget": time_budget,
        "processes": processes,
        "warm_up": warm_up,
        "target_ci": target_ci,
        "timeout": timeout,
    }
    usual = QUICK if quick else Settings() if chosen.each is None else Settings(each=chosen.each)
    if devices[0] != "cpu":
        usual = replace(usual, processes=min(usual.processes, FEW_PROCESSES))
    settings = replace(_settings(usual, limits, seed), onnx=onnx)
    if memory_limit is not None:
        settings = replace(settings, memory_limit=parse_bytes(memory_limit))
    name = "custom" if _texts(shapes) else chosen.name
    subject = Reference(beside.name, beside.variant, beside.text)
    return Plan(name, tuple(cases.values()), tuple(skipped.values()), settings, sites, subject)


def _usual_allocator(device: str) -> str | None:
    """Where glibc serves a CPU, a process keeps what it frees: whether it would hand a block back to the system, and
    pay its page faults again with each call, is otherwise decided by chance, once a process."""
    return "kept" if device == "cpu" and platform.libc_ver()[0] == "glibc" else None


def parse_shape(text: str) -> Shape:
    """Four positive integers B, C, H, W from ``1x64x32x32`` (× and * do as well). UsageError for anything else."""
    parts = re.split(r"[xX×*]", text.strip())
    if len(parts) != 4 or not all(re.fullmatch(r"[0-9]{1,12}", part) for part in parts):
        raise UsageError(f"cannot read shape {text!r}. Allowed: BxCxHxW, four positive integers, such as 1x64x32x32")
    batch, channels, height, width = (int(part) for part in parts)
    if min(batch, channels, height, width) < 1:
        raise UsageError(f"shape {text!r} has a side of 0. Allowed: sides of at least 1, such as 1x64x32x32")
    if max(batch, channels, height, width) > MAX_SIDE or batch * channels * height * width > MAX_ELEMENTS:
        raise UsageError(
            f"shape {text!r} is too large. Allowed: sides up to {MAX_SIDE}, {MAX_ELEMENTS} elements in all"
        )
    return (batch, channels, height, width)


def parse_bytes(text: str) -> int:
    """Bytes from ``8GiB``, ``512 MB`` or a plain number. UsageError for anything else, and for less than one byte."""
    try:
        count = units.read(text, "B")
    except ValueError as error:
        raise UsageError(f"--memory-limit: {error}") from None
    if not 1 <= count < 1 << 60:
        raise UsageError(f"--memory-limit {text}: out of range. Allowed: 1B and more, such as 8GiB")
    return int(count)


def parse_seconds(flag: str, text: str) -> float:
    """Seconds from ``90``, ``90s``, ``500ms`` or ``5min``. UsageError, which names the flag, for anything else."""
    try:
        return units.read(text, "s")
    except ValueError:
        raise UsageError(
            f"{flag} {text!r}: no duration. Allowed: seconds, or a unit, as 90, 90s, 500ms or 5min"
        ) from None


def parse_share(flag: str, text: str) -> float:
    """A share from ``0.02`` or ``2%``. UsageError, which names the flag, for anything else."""
    number, percent, rest = text.strip().partition("%")
    try:
        if rest:
            raise ValueError
        return units.read(number, "") / (100 if percent else 1)
    except ValueError:
        raise UsageError(f"{flag} {text!r}: no share. Allowed: a number or a percentage, as 0.02 or 2%") from None


def _suite(name: str | None, quick: bool, device: str) -> Suite:
    if name is None:
        name = "paper" if device == "cuda" and not quick else "quick"
    if name not in SUITES:
        raise unknown("suite", name, SUITES)
    return SUITES[name]


def _operators(ops: str | Sequence[str]) -> tuple[list[tuple[build.Operator, bool]], dict[str, str]]:
    """Every operator that is asked for, once, with whether it was named rather than meant by `all`; and the broken.

    A user's own operator that does not load has its reason among the broken, while others run; alone it is an error.
    """
    texts = opstrings.split(ops)
    if not texts:
        raise UsageError(f"no operator given. Allowed: all, {', '.join(build.names())}")
    wanted: dict[str, tuple[build.Operator, bool]] = {}
    broken: dict[str, str] = {}
    for text in texts:
        if text == "all":
            for operator in build.every_variant():
                wanted.setdefault(operator.text, (operator, False))
            continue
        try:
            operator = build.operator(text)
        except build.Broken as error:
            broken[text] = str(error)
            operator = build.Operator(opstrings.parse(text).name, {}, text, "")
        wanted[operator.text] = (operator, True)
    if len(broken) == len(wanted):
        raise UsageError(next(iter(broken.values())))
    return list(wanted.values()), broken


def _texts(values: str | Iterable[int | str]) -> list[str]:
    given = [values] if isinstance(values, str) else [str(value) for value in values]
    return [part.strip() for value in given for part in value.split(",") if part.strip()]


def _choices(what: str, values: str | Sequence[str], allowed: Sequence[str], default: str) -> tuple[str, ...]:
    given = _texts(values) or [default]
    for value in given:
        if value not in allowed:
            raise unknown(what, value, allowed)
    return tuple(dict.fromkeys(given))


def _devices(values: str | Sequence[str]) -> tuple[str, ...]:
    """The devices that are asked for, as they are typed."""
    given = tuple(dict.fromkeys(_texts(values) or ["auto"]))
    for value in given:
        if not build.is_device(value):
            raise unknown("device", value, (*DEVICES, "cuda:1"))
    if len(on_gpu := [value for value in given if value.startswith("cuda")]) > 1:
        raise UsageError(f"--device {','.join(on_gpu)}: a run measures one GPU; measure each in a run of its own")
    return given


def _counts(what: str, values: Sequence[int | str], largest: int) -> tuple[int, ...]:
    for value in _texts(values):
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= largest:
            raise UsageError(f"cannot use {what} {value!r}. Allowed: integers from 1 to {largest}")
    return tuple(dict.fromkeys(int(value) for value in _texts(values)))


def _settings(base: Settings, limits: dict[str, float | int | None], seed: int) -> Settings:
    given = {name: value for name, value in limits.items() if value is not None}
    for name, value in given.items():
        smallest = 0 if name in ("warm_up", "time_budget", "target_ci") else 1 if name == "processes" else 1e-3
        if not smallest <= value <= 1e9:
            raise UsageError(f"cannot use {name.replace('_', '-')} {value}. Allowed: numbers from {smallest:g} to 1e9")
    return replace(base, seed=seed, **given)  # type: ignore[arg-type]  # each name is a field of its own type
