"""The roofline in the browser: what is plotted is what the table says, on both axes logarithmic."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import SLOW, draw, view

pytestmark = pytest.mark.browser


def test_the_roofline_is_drawn_named_and_told_as_a_table(visitor: Visitor, app: App) -> None:
    page = visitor.page
    page.goto(f"{app.url}/?sample=axolotl-qlora-192gb.yml")
    view(page, "report")
    draw(page)
    plot = page.locator("#gg-chart-roofline .js-plotly-plot")
    expect(plot).to_be_visible(timeout=SLOW)
    expect(plot).to_have_attribute("role", "img")
    label = plot.get_attribute("aria-label") or ""
    assert label.startswith("Roofline. before:")
    assert "projected" in label
    drawn = plot.evaluate(
        """node => ({
            kinds: [node.layout.xaxis.type, node.layout.yaxis.type],
            points: node.data.filter(trace => trace.mode === 'markers').map(trace => ({
                name: trace.name, x: trace.x[0], y: trace.y[0], symbol: trace.marker.symbol,
            })),
        })"""
    )
    assert drawn["kinds"] == ["log", "log"]
    assert [point["name"] for point in drawn["points"]] == ["before", "after"]
    assert {point["symbol"] for point in drawn["points"]} == {"circle-open", "diamond-open"}
    table = page.locator("#gg-part-table_roofline")
    table.locator("summary").click()
    told = table.locator("[data-metric=tflops]").all_inner_texts()
    for point, text in zip(drawn["points"], told, strict=True):
        assert float(text.replace(",", "")) == pytest.approx(point["y"], rel=0.06)
    assert table.locator("[data-metric=tflops]").count() == 2
    boxes = [
        plot.locator(".annotation-text").filter(has_text=name).bounding_box()
        for name in ("before", "after")
    ]
    upper, lower = sorted((box for box in boxes if box), key=lambda box: box["y"])
    assert upper["y"] + upper["height"] <= lower["y"] + 1, "the names overlap"
