"""How a request on the command line becomes a plan of cases: every combination of its axes, with every operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from a2u_bench import operators as build
from a2u_bench.case import ALLOCATORS, DEVICES, DTYPES, LAYOUTS, MODES, RUNTIMES, Case, typed
from a2u_bench.errors import UsageError, unknown
from a2u_bench.machine.system import usable_cores
from a2u_bench.operators import papers, strings
from a2u_bench.operators.engine_limits import must_be_installed, why_no_engine
from a2u_bench.suites import sites_file
from a2u_bench.suites.axes import USUAL, Axes
from a2u_bench.suites.named import SUITES, Suite
from a2u_bench.suites.plan import Plan, Reference, Settings, Site, Skipped
from a2u_bench.suites.values import choices, counts, parse_bytes, parse_shape, parse_size, texts

MAX_SCALE = 64

QUICK = Settings(each=0.75, processes=4, target_ci=0.05)

OF_NETWORKS = Settings(each=6.0, processes=6, block=4)
"""Whole networks take long to call and much room: fewer of them interleave."""

Wanted = tuple[list[tuple[build.Operator, bool]], dict[str, str]]
"""Operators, each with whether it was named; and the reasons of those that are broken."""

FEW_PROCESSES = 6
"""On an accelerator, where each takes seconds to start."""


def make_plan(  # noqa: PLR0913  # a flag of the command line each
    *,
    ops: str | Sequence[str] | None = None,
    suite: str | None = None,
    shapes: Sequence[str] = (),
    scales: Sequence[int | str] = (),
    sizes: Sequence[str] = (),
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
    network: str | None = None,
) -> Plan:
    """The cases a request means. Every sequence is an axis; an empty one takes its suite's default.

    `shapes` are texts ``BxCxHxW`` of z and replace the suite's sites; `sizes` are texts ``HxW`` of the output, in place
    of scales. `quick` means the quick suite, where none is named, operators at their defaults alone where `all` are
    asked for, and a small time budget.

    Raises UsageError, in one line, for whatever cannot be: also for an operator that was named and cannot take a shape
    or scale; under `all`, and where an engine cannot take the other axes, such a case is in the plan's `skipped`.
    `elsewhere`: other machines will measure: no device or engine need be here. `memory_limit` is a text such as
    ``8GiB``: what a case may need, in place of what is free on its device. `reference` is an operator string, in place
    of the suite's: its cases are in the plan whether or not `ops` has it. `network` is a person's own with how
    operators are put into it, as `operators.as_typed` writes them: `shapes` are its image's, the reference is itself.
    """
    asked = _devices(device)
    devices = tuple(one.partition(":")[0] if elsewhere else build.device(one) for one in asked)
    chosen = _suite(suite, quick, devices[0]) if network is None else _of_network(network, suite)
    alike = chosen.sites[0].ops if len({site.ops for site in chosen.sites}) == 1 else ()
    sites = tuple(Site(parse_shape(text), ops=alike) for text in texts(shapes)) or chosen.sites
    if allocators and "kept" in texts(allocators) and (others := [one for one in devices if one != "cpu"]):
        raise UsageError(f"--allocator kept: is of the CPU's memory, and the device is {others[0]}; leave it out")
    axes = Axes(
        devices=devices,
        runtimes=choices("runtime", runtimes, RUNTIMES, "eager"),
        threads=counts("threads", threads, 4096) or chosen.threads or (usable_cores(),),
        allocators=_allocators(allocators or chosen.allocators),
        sites=sites,
        scales=counts("scale", scales, MAX_SCALE) or chosen.scales,
        dtypes=choices("dtype", dtypes, DTYPES, "float32"),
        layouts=choices("layout", layouts, LAYOUTS, "contiguous"),
        modes=choices("mode", modes or chosen.modes, MODES, "inference"),
        network=chosen.network,
        sizes=_sizes(sizes, scales, chosen),
    )
    if scales and any(site.scale for site in sites):
        raise UsageError(f"--suite {suite}: each site has its own scale; leave --scale out")
    if chosen.network is not None and axes.scales != (1,):
        raise UsageError(f"suite {chosen.name}: each place in its network has its own scale; leave --scale out")
    wanted = {
        site: _operators(site.ops or "all" if ops is None else ops, quick or network is not None, chosen.images)
        for site in sites
    }
    must_be_installed(() if elsewhere else axes.runtimes)
    beside = _beside(chosen.reference if reference is None else reference, network)
    if network is not None:
        for site in sites:
            build.must_have_sites(network, site.shape, seed)
    cases, skipped = _sorted(axes.workloads(), wanted, beside, demanded=reference is not None)
    limits = {
        "time_budget": time_budget,
        "processes": processes,
        "warm_up": warm_up,
        "target_ci": target_ci,
        "timeout": timeout,
    }
    usual = QUICK if quick else chosen.settings
    if devices[0] != "cpu":
        usual = replace(usual, processes=min(usual.processes, FEW_PROCESSES))
    most = None if memory_limit is None else parse_bytes(memory_limit)
    settings = replace(_settings(usual, limits, seed), onnx=onnx, memory_limit=most)
    name = "custom" if texts(shapes) else chosen.name
    named = dict.fromkeys(one.text for operators, _ in wanted.values() for one, is_named in operators if is_named)
    subject = Reference(beside.name, beside.variant, beside.text)
    own = papers.of_own(case.operator for case in cases)
    return Plan(name, cases, skipped, settings, sites, subject, tuple(named), own)


def _sorted(
    workloads: Iterable[tuple[Site, Case]], wanted: Mapping[Site, Wanted], beside: build.Operator, demanded: bool
) -> tuple[tuple[Case, ...], tuple[Skipped, ...]]:
    """The cases of all workloads, and those that cannot be with the reason; UsageError for one of these that was named.

    `beside` is the reference, which each workload gets that it can take; `demanded` says that a person named it.
    """
    cases: dict[str, Case] = {}
    skipped: dict[str, Skipped] = {}
    for site, workload in workloads:
        operators, broken = wanted[site]
        for operator, named in (*operators, (beside, False)):
            case = replace(workload, operator=operator.name, variant=operator.variant, options=operator.text)
            reason = broken.get(case.options) or build.why_not(case)
            if case.options in broken:
                skipped.setdefault(case.id, Skipped(case, reason, "failed"))
            elif not reason:
                cases.setdefault(case.id, case)
            elif (named or (operator is beside and demanded)) and not why_no_engine(case):
                raise UsageError(f"{'' if named else '--reference '}{case.options}: {reason}")
            elif operator is not beside:  # a reference that nobody asked for: this workload has none
                skipped.setdefault(case.id, Skipped(case, reason))
    return tuple(cases.values()), tuple(skipped.values())


def _of_network(network: str, suite: str | None) -> Suite:
    """The suite of a person's own network: one image, beside the network as it is."""
    if suite is not None:
        raise UsageError(f"--suite {suite} and --network: a suite has its own shapes; leave one of them out")
    site = Site((1, 3, 512, 512))
    return Suite("network", network, (site,), (1,), network, reference=build.ORIGINAL, settings=OF_NETWORKS)


def _beside(text: str, network: str | None) -> build.Operator:
    """The reference; of a network, that itself as it is."""
    if network is not None and text == build.ORIGINAL:
        return build.Operator(text, {}, text, "")
    return build.operator(text)


def _suite(name: str | None, quick: bool, device: str) -> Suite:
    if name is None:
        name = "paper" if device == "cuda" and not quick else "quick"
    if name in SUITES:
        return SUITES[name]
    if sites_file.is_file(name):
        return sites_file.suite(name)
    raise unknown("suite", name, (*SUITES, "a file NAME.toml"))


def _sizes(sizes: Sequence[str], scales: Sequence[int | str], chosen: Suite) -> tuple[tuple[int, int], ...]:
    """Sizes of the output: those asked for, or the suite's where no scale is. UsageError for both, or in a network."""
    given = dict.fromkeys(parse_size(text) for text in texts(sizes))
    if given and (texts(scales) or chosen.network is not None):
        other = "--scale" if texts(scales) else "a network"
        raise UsageError(f"--size and {other}: each tells the output's size; leave one of them out")
    return tuple(given) if given or texts(scales) else chosen.sizes


def _operators(ops: str | Sequence[str], quick: bool, images: bool = False) -> Wanted:
    """Every operator that is asked for, once, with whether it was named rather than meant by `all`; and the broken.

    `all` leaves out operators whose guide is an image of any size, unless `images`: the suite `features` is theirs.
    A user's own operator that does not load has its reason among the broken, while others run; alone it is an error.
    """
    given = strings.split(ops)
    if not given:
        raise UsageError(f"no operator given. Allowed: all, {', '.join(build.names())}")
    wanted: dict[str, tuple[build.Operator, bool]] = {}
    broken: dict[str, str] = {}
    for text in given:
        if text == "all":
            for operator in build.every_variant():
                if not images and build.facts(operator.name).guide_size == "any":
                    continue
                if not quick or operator.text == operator.name:
                    wanted.setdefault(operator.text, (operator, False))
            continue
        try:
            operator = build.operator(text)
        except build.Broken as error:
            broken[text] = str(error)
            operator = build.Operator(strings.parse(text).name, {}, text, "")
        wanted[operator.text] = (operator, True)
    if len(broken) == len(wanted):
        raise UsageError(next(iter(broken.values())))
    return list(wanted.values()), broken


def _allocators(given: Sequence[str]) -> tuple[str | None, ...]:
    """What is asked for, None for the C library's own way alone; USUAL where nothing is."""
    if not texts(given):
        return (USUAL,)
    chosen = choices("allocator", given, ALLOCATORS, "")
    return (None,) if chosen == ("default",) else chosen


def _devices(values: str | Sequence[str]) -> tuple[str, ...]:
    """The devices that are asked for, by their first names."""
    given = tuple(dict.fromkeys(typed("device", value) for value in texts(values) or ["auto"]))
    for value in given:
        if not build.is_device(value):
            raise unknown("device", value, (*DEVICES, "cuda:1"))
    if len(on_gpu := [value for value in given if value.startswith("cuda")]) > 1:
        raise UsageError(f"--device {','.join(on_gpu)}: a run measures one GPU; measure each in a run of its own")
    return given


def _settings(base: Settings, limits: dict[str, float | int | None], seed: int) -> Settings:
    given = {name: value for name, value in limits.items() if value is not None}
    for name, value in given.items():
        smallest = 0 if name in ("warm_up", "time_budget", "target_ci") else 1 if name == "processes" else 1e-3
        if not smallest <= value <= 1e9:
            raise UsageError(f"cannot use {name.replace('_', '-')} {value}. Allowed: numbers from {smallest:g} to 1e9")
    return replace(base, seed=seed, **given)  # type: ignore[arg-type]  # each name is a field of its own type
