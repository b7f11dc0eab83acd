"""Looks at what a page shows with axe-core."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe()
SERIOUS = ("serious", "critical")


def look(page: Page, shown: str) -> None:
    """Asserts that axe-core finds nothing serious, and that nothing hangs over the edge of the page."""
    findings = [
        f"{own['id']}, {own['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for own in AXE.run(page).response["violations"]
        if own["impact"] in SERIOUS
        for node in own["nodes"]
    ]
    assert not findings, f"{shown}: " + "\n".join(findings)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{shown} hangs over the edge"
