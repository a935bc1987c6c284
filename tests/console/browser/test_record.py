"""A record is a page that everybody can read, and that prints on A4."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser

from console.pages.words import LANGUAGES
from record.writing import files
from tests.console.browser.test_everybody import AXE, CHECK, RULES
from tests.console.test_record import a_record

POINTS = {"wide": 595, "high": 842}
"""A4 in points."""


@pytest.mark.parametrize("language", LANGUAGES)
async def test_axe_finds_nothing_and_it_prints_on_a4(chromium: Browser, language: str) -> None:
    context = await chromium.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
    try:
        page = await context.new_page()
        await page.set_content(files(a_record(), language)["record.html"])
        await page.add_script_tag(path=AXE)
        for width in (320, 1280):
            await page.set_viewport_size({"width": width, "height": 900})
            found: dict[str, Any] = await page.evaluate(CHECK, RULES)
            assert found["violations"] == []
            assert found["overflow"] <= 0, width
        printed = await page.pdf(prefer_css_page_size=True)
    finally:
        await context.close()
    sheets = re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", printed)
    assert 3 <= len(sheets) <= 12
    for wide, high in sheets:
        assert (round(float(wide)), round(float(high))) == (POINTS["wide"], POINTS["high"])
