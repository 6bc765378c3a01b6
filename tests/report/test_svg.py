from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.report.svg import HEIGHT, WIDTH, Chart, Series, line_chart, ticks

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = st.floats(-1e9, 1e9, allow_subnormal=False)


def draw(
    *lines: list[tuple[float, float]], names: tuple[str, ...] = ("train", "validation", "c")
) -> ET.Element:
    series = tuple(
        Series(name=name, points=tuple(points)) for name, points in zip(names, lines, strict=False)
    )
    return ET.fromstring(line_chart(Chart(title="Loss", x_label="samples", series=series)))


def places(line: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def test_higher_values_are_drawn_higher_and_later_ones_to_the_right() -> None:
    (line,) = draw([(0, 1), (10, 3), (20, 2)]).findall(f"{SVG}polyline")
    (x0, y0), (x1, y1), (x2, y2) = places(line)
    assert x0 < x1 < x2
    assert y1 < y2 < y0
    assert y2 == pytest.approx((y0 + y1) / 2, abs=0.2)


def test_axes_have_numbers_and_the_legend_names() -> None:
    texts = [text.text for text in draw([(0, 0.2), (4000, 0.9)], [(0, 0.5)]).findall(f"{SVG}text")]
    assert {"train", "validation", "samples", "0", "4k", "0.2", "1"} <= set(texts)


def test_lines_look_different_without_colours() -> None:
    lines = draw([(0, 1), (1, 2)], [(0, 1), (1, 2)], [(0, 1), (1, 2)]).findall(f"{SVG}polyline")
    assert len({line.attrib.get("stroke-dasharray", "") for line in lines}) == 3


def test_a_line_looks_the_same_when_another_has_no_points() -> None:
    (line,) = draw([], [(0, 1), (1, 2)]).findall(f"{SVG}polyline")
    assert line.attrib["class"] == "series s1"


def test_values_are_shown_on_hovering() -> None:
    titles = [dot.findtext(f"{SVG}title") for dot in draw([(1500, 0.25)]).findall(f"{SVG}circle")]
    assert titles == ["train: 0.25 at 1.5k"]


def test_nothing_is_drawn_of_nothing() -> None:
    assert line_chart(Chart(title="x", x_label="x", series=(Series(name="a", points=()),))) == ""


def test_many_points_are_averaged() -> None:
    (line,) = draw([(float(x), float(x % 2)) for x in range(8_000)]).findall(f"{SVG}polyline")
    assert len(places(line)) <= 400
    assert len({y for _, y in places(line)}) == 1  # pairs of 0 and 1 average to one half
    assert draw([(float(x), 0.0) for x in range(10_000)]).find(f"{SVG}circle") is None


def test_texts_are_escaped() -> None:
    svg = line_chart(
        Chart(
            title="<script>",
            x_label='"&"',
            series=(Series(name="<b>", points=((0, 1),)),),
            mark=(0, "<i>"),
        )
    )
    root = ET.fromstring(svg)
    assert root.findtext(f"{SVG}title") == "<script>"
    assert {"<b>", "<i>", '"&"'} <= {text.text for text in root.findall(f"{SVG}text")}


@given(lines=st.lists(st.lists(st.tuples(st.floats(0, 1e12), NUMBER), max_size=6), min_size=1, max_size=3))
def test_everything_stays_inside_the_picture(lines: list[list[tuple[float, float]]]) -> None:
    lines = [sorted(line) for line in lines]
    if not any(lines):
        return
    for line in draw(*lines).findall(f"{SVG}polyline"):
        for x, y in places(line):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


@given(low=NUMBER, high=NUMBER)
def test_ticks_are_few_evenly_spaced_and_enclose(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)
    found = ticks(low, high)
    assert 2 <= len(found) <= 9
    steps = [after - before for before, after in pairwise(found)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-6)
    slack = (high - low) * 1e-6
    assert found[0] <= low + slack
    assert found[-1] >= high - slack


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.44, 0.48, [0.44, 0.45, 0.46, 0.47, 0.48])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)
