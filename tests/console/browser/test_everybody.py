"""Everybody can read the pages: axe finds nothing, nothing overflows, charts stay legible, in light and dark, at any
width."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.console.browser.conftest import Readers
from tests.console.stage import GATE, PAUSED, PILOTING, Stage

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SAM = "sam.sponsor@example.com"
PAGES = (
    "/",
    "/rollouts",
    "/rollouts?status=frozen",
    f"/rollouts/{GATE}",
    f"/rollouts/{PILOTING}",
    f"/rollouts/{PAUSED}",
    f"/rollouts/{PAUSED}/plan",
    f"/rollouts/{PAUSED}/numbers",
    "/rollouts/there-is-none",
    f"/partners?rollout={PAUSED}",
    "/audit",
    "/system",
)
WIDTHS = (320, 768, 1280)
CHECK = """
async (rules) => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const found = await axe.run({runOnly: rules, resultTypes: ["violations"]});
  return {
    violations: found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((it) => it.html).join(" | ")}`),
    overflow: document.documentElement.scrollWidth - innerWidth,
  };
}
"""


@pytest.mark.parametrize(
    ("scheme", "locale", "widths"), [("light", "en-GB", WIDTHS), ("dark", "en-GB", WIDTHS), ("light", "ja-JP", (320,))]
)
async def test_axe_finds_nothing_and_nothing_overflows(
    pages: Stage, reader: Readers, scheme: str, locale: str, widths: tuple[int, ...]
) -> None:
    # The policy lets no script of a test in; axe is put into a page of which everything else is as it is.
    async with reader(SAM, color_scheme=scheme, locale=locale, bypass_csp=True, reduced_motion="reduce") as sam:
        tabs = asyncio.Semaphore(3)

        async def look(path: str) -> list[str]:
            async with tabs:
                page = await sam.context.new_page()
                await page.goto(sam.address + path)
                await page.add_script_tag(path=AXE)
                wrong = []
                for width in widths:
                    await page.set_viewport_size({"width": width, "height": 900})
                    found: dict[str, Any] = await page.evaluate(CHECK, RULES)
                    wrong += [f"{path} at {width}: {one}" for one in found["violations"]]
                    if found["overflow"] > 0:
                        wrong.append(f"{path} at {width} overflows by {found['overflow']} px")
                await page.close()
                return wrong

        wrong = [one for found in await asyncio.gather(*map(look, PAGES)) for one in found]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", [f"/rollouts/{GATE}", f"/rollouts/{PILOTING}"])
async def test_the_pages_on_which_a_decision_is_confirmed_are_as_good(pages: Stage, reader: Readers, path: str) -> None:
    async with reader(SAM, bypass_csp=True) as sam:
        await sam.open(path)
        button = "Approve …" if path.endswith(GATE) else "Pause …"
        if button == "Pause …":
            await sam.page.get_by_text("Something else: pause").click()
            await sam.page.locator("#why-pause").fill("no more than a test of pages")
        else:
            await sam.write("no more than a test of pages")
        await sam.press(button)
        await sam.page.add_script_tag(path=AXE)
        for width in WIDTHS:
            await sam.page.set_viewport_size({"width": width, "height": 900})
            found: dict[str, Any] = await sam.page.evaluate(CHECK, RULES)
            assert found == {"violations": [], "overflow": 0}


@pytest.mark.parametrize("locale", ["en-GB", "ja-JP"])
async def test_the_pages_around_signing_in_and_of_refusals_are_as_good(
    pages: Stage, reader: Readers, locale: str
) -> None:
    async with reader("", bypass_csp=True, locale=locale) as nobody, reader(SAM, bypass_csp=True, locale=locale) as sam:
        await nobody.open("/")
        assert "/dev-issuer/" in nobody.page.url
        await sam.open("/terminal?code=ABCD-EFGH")
        forged = await sam.context.new_page()
        await forged.goto(f"{sam.address}/terminal?code=ABCD-EFGH")
        await forged.evaluate('document.querySelector("[name=csrf]").form.csrf.value = "forged"')
        async with forged.expect_navigation() as refused:
            await forged.locator("header form button").click()
        assert (await refused.value).status == 403
        for page in (nobody.page, sam.page, forged):
            assert await page.evaluate("document.documentElement.lang") == locale[:2]
            assert await page.locator("link[rel=stylesheet]").count() == 1
            await page.add_script_tag(path=AXE)
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 900})
                found: dict[str, Any] = await page.evaluate(CHECK, RULES)
                assert found == {"violations": [], "overflow": 0}, page.url


@pytest.mark.parametrize("width", WIDTHS)
async def test_no_label_of_a_chart_is_smaller_than_ten_pixels(pages: Stage, reader: Readers, width: int) -> None:
    async with reader(SAM, viewport={"width": width, "height": 900}) as sam:
        await sam.open(f"/rollouts/{PAUSED}")
        sizes: list[float] = await sam.page.evaluate(
            """[...document.querySelectorAll("svg.chart text")]
                .map((one) => [one, one.ownerSVGElement])
                .filter(([, svg]) => svg.getBoundingClientRect().width > 0)
                .map(([one, svg]) => parseFloat(getComputedStyle(one).fontSize)
                    * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""
        )
        assert len(sizes) > 10
        assert min(sizes) >= 10


async def test_nothing_on_any_page_is_refused_by_its_own_policy(pages: Stage, reader: Readers) -> None:
    async with reader(SAM) as sam:
        for path in PAGES:
            await sam.open(path)
        assert [one for one in sam.said if "404" not in one] == []
