"""A chart as PNG, as SVG, or as an address that holds the SVG."""

from base64 import b64encode

import vl_convert

from .style import AnyChart

PNG_SCALE = 2


def png(chart: AnyChart) -> bytes:
    """The chart as a PNG, twice as many pixels as its nominal size."""
    return vl_convert.vegalite_to_png(chart.to_dict(), scale=PNG_SCALE)


def svg(chart: AnyChart) -> str:
    """The chart as an SVG document."""
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def data_uri(chart: AnyChart) -> str:
    """The chart as an SVG in a data URI: an address that holds what it points to."""
    return f"data:image/svg+xml;base64,{b64encode(svg(chart).encode()).decode()}"
