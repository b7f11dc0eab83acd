"""What axe-core finds on the studio's pages, in light and dark colours, on a desktop and on a phone."""

import pytest

from tests.serving.accessibility import look
from tests.serving.studio_page import SOON_MS, Studio


@pytest.mark.parametrize(
    ("size", "scheme"),
    [pytest.param((1280, 800), "light", id="desktop_light"), pytest.param((390, 844), "dark", id="phone_dark")],
)
def test_nothing_serious_is_found(studio: Studio, size, scheme):
    page = studio.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.locator("[data-sample]").first.wait_for(timeout=SOON_MS)
    look(page, "the first page")
    page.get_by_role("button", name="what this model can do").click()
    look(page, "what the model can do")
    page.keyboard.press("Escape")
    page.set_input_files("input[type=file]", {"name": "notes.txt", "mimeType": "", "buffer": b"hello"})
    page.locator("[role=alert] p").wait_for(timeout=SOON_MS)
    look(page, "a file that is refused")
    studio.complaints.clear()  # the browser itself writes the status 400 to the console

    studio.open("image")
    studio.stroke("box", [(0.4, 0.4), (0.6, 0.6)])
    studio.stroke("brush", [(0.4, 0.4), (0.6, 0.6)])
    look(page, "two regions of the next question")
    page.get_by_role("button", name="Edit box 0").click()
    look(page, "a region as numbers")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add").click()
    page.locator("summary").click()
    look(page, "another signal")
    page.keyboard.press("Escape")

    page.locator("[data-suggestion]").last.click()
    answer = studio.ask()
    look(page, "an answer")
    answer.locator("[data-phrase]").first.focus()
    look(page, "a phrase that is lit up")
    page.get_by_role("button", name="Code").click()
    look(page, "the conversation as code")
