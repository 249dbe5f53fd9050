"""What w looks like: the kernels that operators make on a real image."""

from a2u_bench.export.plots.kernels.image import BUNDLED, read_image
from a2u_bench.export.plots.kernels.look import POINTS, Look, chosen_points, look_at, usual_scale
from a2u_bench.export.plots.kernels.picture import draw

__all__ = ["BUNDLED", "POINTS", "Look", "chosen_points", "draw", "look_at", "read_image", "usual_scale"]
