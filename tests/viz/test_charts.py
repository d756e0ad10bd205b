"""Drawing by hand for the report: axes, charts, heat maps, and the elements that hold them."""

import base64
import io
import re

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from nfgen.report.data_uris import COOL, WARM, code_map_uri, heat_map_uri
from nfgen.viz.charts import Axis, Series, histogram, line_chart, scatter_plot

HOSTILE = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)>"""


USUAL = [(0.0, 1.0), (-3.0, 7.0), (0.8, 0.8), (0.0, 0.0), (1e-6, 3e4), (1e9, 2e9)]
EXTREME = [(-1e308, 1e308), (1e308, 1e308), (0.0, 5e-324), (5e-324, 1e-320), (1e-310, 1e308), (-1e-308, 1e-308)]


@pytest.mark.parametrize(("low", "high"), USUAL + EXTREME)
@pytest.mark.parametrize("log", [False, True])
def test_axes_hold_their_values_and_have_ticks(low: float, high: float, log: bool) -> None:
    axis = Axis.over([low, high], 0.0, 400.0, log=log)
    assert 0 <= axis.at(low) <= axis.at(high) <= 400
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 14
    assert ticks == sorted(ticks)
    assert all(-0.2 <= axis.at(tick) <= 400.2 for tick in ticks)


def test_charts_bear_empty_and_single_values() -> None:
    for series in (
        [],
        [Series("none", [], [])],
        [Series("one", [3.0], [0.5])],
        [Series("flat", [1.0, 2.0], [0.0, 0.0])],
    ):
        assert "<svg" in line_chart(series, "t", "x", "y", marked=None)
        assert "<svg" in scatter_plot(series, "t", "x", "y", diagonal=True).chart()


def test_a_histogram_counts_every_value_once() -> None:
    rng = np.random.default_rng(0)
    values = [*rng.uniform(-0.2, 1.3, 500), 0.0, 1.0]
    values += [-1e308, 1e308, 5e-324]
    counts = re.findall(r"<title>[^<]* to [^<]*: (\d+)</title>", histogram(values, "t", "x", low=0.0, high=1.0))
    assert sum(map(int, counts)) == len(values)


def pixels(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
        return np.asarray(picture)


def test_heat_maps_are_warm_above_zero_cool_below_and_clear_at_zero() -> None:
    shown = pixels(heat_map_uri(np.array([[2.0, 1.0, 0.0, -0.5, -9.0]]), 2.0))
    assert shown[0, :, 3].tolist() == [255, 128, 0, 64, 255]
    assert tuple(shown[0, 0, :3]) == WARM
    assert tuple(shown[0, 4, :3]) == COOL


def test_heat_maps_of_large_layers_and_of_zeros_are_bounded() -> None:
    assert max(pixels(heat_map_uri(np.ones((3000, 700)), 1.0)).shape) <= 512
    assert not pixels(heat_map_uri(np.zeros((3, 3)), 0.0))[..., 3].any()


def test_codes_have_different_colours() -> None:
    shown = pixels(code_map_uri(np.arange(12)[None], 12))[0]
    assert len({tuple(color) for color in shown.tolist()}) == 12


def test_text_of_charts_is_escaped() -> None:
    plain = [Series("a", [1.0, 2.0], [1.0, 2.0]), Series("b", [1.0], [2.0])]
    hostile = [Series(HOSTILE, one.x, one.y) for one in plain]
    for chart in (line_chart, lambda *given: scatter_plot(*given).chart()):
        shown = chart(hostile, HOSTILE, HOSTILE, HOSTILE)
        assert shown.count("<") == chart(plain, "t", "x", "y").count("<")
        assert str(escape(HOSTILE)) in shown
