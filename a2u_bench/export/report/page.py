"""The page itself: a template with its own style and script, plotly's script once, and nothing from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from a2u_bench.errors import BenchError
from a2u_bench.export.report.content import Content

HERE = Path(__file__).parent


def page(content: Content) -> str:
    """The HTML. BenchError, with the command that helps, where jinja2 or plotly is not installed."""
    try:
        import jinja2
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise BenchError(f"report needs {error.name}: pip install 'a2u-bench[report]'") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html").render(
        content=content,
        data=as_script(content.data),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        plotly=get_plotlyjs(),
    )


def as_script(data: Any) -> str:
    """JSON that no text within can end: it stands inside a script element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
