"""The studio's page as a person uses it in a browser, for the tests of all its parts."""

from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page

SOON_MS, ANSWER_MS = 60_000, 180_000  # on a busy machine
CANVAS = "canvas[role=application]"
Place = tuple[float, float]


@dataclass
class Studio:
    """A page of the studio, what it complained of, and the hosts that it asked."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, modality: str) -> None:
        """Opens the first sample of a modality from the page that a person sees first."""
        self.page.locator(f"[data-sample^='{modality}-']").first.click(timeout=SOON_MS)
        self.page.wait_for_selector(CANVAS, timeout=SOON_MS)
        self.page.wait_for_selector("[data-drawn]", timeout=SOON_MS, state="attached")

    def stroke(self, tool: str, shares: list[Place], canvas: int = 0) -> None:
        """Draws with a tool through places of a canvas, which are shares of its width and height."""
        self.page.locator(f"[data-tool={tool}]").click()
        box = self.page.locator(CANVAS).nth(canvas).bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=5)
        self.page.mouse.up()

    def ask(self, text: str | None = None) -> Locator:
        """The answer to a question, once it is complete."""
        if text is not None:
            self.page.get_by_label("Question", exact=True).fill(text)
        before = self.page.locator("[data-answer=done]").count()
        self.page.get_by_role("button", name="Ask", exact=True).click()
        answer, refusal = self.page.locator("[data-answer=done]").nth(before), self.page.locator("[role=alert] p")
        answer.or_(refusal).first.wait_for(timeout=ANSWER_MS)
        assert refusal.count() == 0, refusal.first.inner_text()
        return answer

    @property
    def drafts(self) -> Locator:
        """What is pointed at for the next question."""
        return self.page.get_by_role("list", name="What you point at").get_by_role("listitem")
