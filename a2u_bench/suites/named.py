"""The suites: named sets of shapes, scales and modes, as data."""

from __future__ import annotations

from dataclasses import dataclass

from a2u_bench.suites.plan import Settings, Site
from a2u_bench.suites.values import Shape

USUAL = Settings()


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
    settings: Settings = USUAL  # how closely to measure where nothing else is asked for
    reference: str = "bilinear"  # the operator that is timed beside every block
    sizes: tuple[tuple[int, int], ...] = ()  # height and width of the output, in place of scales
    images: bool = False  # whether `all` means operators whose guide is an image of any size too


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
    *(("ddf_up", "DDFUp"), ("dlu", "DLU"), ("eucb", "EUCB"), ("lda_aqu", "LdaAqu"), ("resfu", "ReSFU")),
    *(("sapa_d", "SapaD"), ("freqfusion", "FreqFusion"), ("freqfusion", "FreqFusion:resample=false")),
    *(("uplift", f"Uplift{options}") for options in ("", ":taps=5", ":taps=25", ":residual=false")),
)
"""Each operator whose guide has the output's size, and the class and options of its peer; pairs fill blocks, so that
none is parted from its peer. Those that an image of any size guides are measured by the suite `features`."""


def _beside_peers(shape: Shape) -> Site:
    """Every operator followed by its peer, on one shape."""
    pairs = ((name + peer[len(peer.partition(":")[0]) :], f"a2u_bench.peers:{peer}") for name, peer in PEERS)
    return Site(shape, ops=tuple(text for pair in pairs for text in pair))


FEATURES = ("bilinear", "naf", "anyup", "jafar", "featup_jbu", "jbu", "uplift")
"""What the suite of image-guided operators measures where nothing is asked for."""

# Names such as a2u_bench.peers:Carafe are operators of the bench alone, in operators/bench_only.
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
            settings=Settings(each=9.0),
            reference="nearest",
        ),
        Suite(
            "peers",
            "every operator beside its paper's formula in plain PyTorch",
            (_beside_peers((1, 64, 32, 32)), _beside_peers((1, 256, 64, 64))),
            modes=("inference", "training"),
            threads=(1, 2),
            settings=Settings(processes=6),  # 576 cases: hours on two cores
        ),
        Suite(
            "features",
            "features of a foundation model, at patch 14 and 16, upsampled by the image to its size",
            tuple(Site((1, 384, side, side), ops=FEATURES) for side in (16, 28, 32)),
            sizes=((224, 224), (448, 448)),
            images=True,
            settings=Settings(processes=4, min_rounds=1, timeout=300.0),  # a call takes seconds on a CPU
        ),
    )
}
