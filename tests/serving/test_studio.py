"""The studio in a real browser: each modality is opened, pointed into, asked and answered, with pointer and keys."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.serving.conftest import SCENE

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, pip install 'deixis[test]'")

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE_PLACES = ("studio/node_modules/axe-core/axe.min.js", "axe_playwright_python/axe.min.js")
SERIOUS = ("serious", "critical")
SOON_MS, ANSWER_MS = 60_000, 180_000  # on a busy machine
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium on this machine")
GL = (
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
)  # three.js without a graphics card

Place = tuple[float, float]
HANDS: dict[str, tuple[str, list[Place]]] = {
    "image": ("box", [(0.35, 0.35), (0.65, 0.7)]),
    "audio": ("span", [(0.2, 0.5), (0.35, 0.5)]),
    "point_cloud": ("lasso", [(0.2, 0.3), (0.8, 0.3), (0.8, 0.8), (0.2, 0.8)]),
    "video": ("scribble", [(0.45, 0.5), (0.55, 0.55)]),
    "depth": ("point", [(0.5, 0.55)]),
    "normal": ("brush", [(0.45, 0.5), (0.55, 0.55)]),
    "imu": ("span", [(0.3, 0.5), (0.45, 0.5)]),
    "fmri": ("brush", [(0.4, 0.25), (0.5, 0.28)]),
}
"""Modality -> a tool, and where its stroke goes, in shares of the canvas."""
GROUNDED = {"image": 2, "audio": 2, "point_cloud": 1, "video": 2, "depth": 1, "normal": 1, "imu": 2, "fmri": 2}
"""Which of a sample's questions is answered with regions."""


@dataclass
class Studio:
    """A page of the studio, and what it complained of."""

    page: "playwright.Page"
    url: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, modality: str, number: int = 0) -> None:
        """Opens a sample of a modality."""
        self.page.goto(self.url)
        self.page.locator(f"[data-sample^='{modality}-']").nth(number).click(timeout=SOON_MS)
        self.page.wait_for_selector("canvas[role=application]", timeout=SOON_MS)
        self.page.wait_for_selector("[data-drawn]", timeout=SOON_MS, state="attached")

    def stroke(self, tool: str, shares: list[Place]) -> None:
        """Draws with a tool over the first canvas."""
        self.page.locator(f"[data-tool={tool}]").click()
        box = self.page.locator("canvas[role=application]").first.bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=5)
        self.page.mouse.up()

    def ask(self, text: str | None = None) -> "playwright.Locator":
        """The answer to a question, once it is complete."""
        if text is not None:
            self.page.get_by_label("Question", exact=True).fill(text)
        count = self.page.locator("[data-answer=done]").count()
        self.page.get_by_role("button", name="Ask", exact=True).click()
        answers = self.page.locator("[data-answer=done]")
        playwright.expect(answers).to_have_count(count + 1, timeout=ANSWER_MS)
        return answers.last

    @property
    def drafts(self) -> "playwright.Locator":
        """What is pointed at for the next question."""
        return self.page.get_by_role("list", name="What you point at").get_by_role("listitem")


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as started:
        own = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *GL])
        yield own
        own.close()


@pytest.fixture
def studio(browser, server) -> Iterator[Studio]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    own = Studio(context.new_page(), server.url)
    own.page.on("pageerror", lambda error: own.complaints.append(str(error)))
    own.page.on("console", lambda line: own.complaints.append(line.text) if line.type == "error" else None)
    own.page.on("request", lambda request: own.hosts.add(request.url.split("/")[2] if "//" in request.url[:8] else ""))
    own.page.goto(server.url)
    yield own
    context.close()
    assert not own.complaints, own.complaints
    assert own.hosts <= {server.url.split("//")[1], ""}, "a request to another host"


def modalities(server) -> list[str]:
    return [modality for modality in HANDS if modality in server.model.abilities["regions"]]


@pytest.mark.parametrize("modality", list(HANDS))
def test_a_modality_is_pointed_into_asked_and_answered(studio, server, modality):
    if modality not in modalities(server):
        pytest.skip(f"the bundled model takes no {modality}")
    studio.open(modality)
    studio.stroke(*HANDS[modality])
    assert studio.drafts.count() == 1
    answer = studio.ask("What is {0}?")
    assert answer.inner_text().strip()
    assert studio.drafts.count() == 0, "the regions went with the question"


@pytest.mark.parametrize("modality", list(HANDS))
def test_phrases_of_an_answer_light_up_their_regions(studio, server, modality):
    if modality not in modalities(server):
        pytest.skip(f"the bundled model takes no {modality}")
    studio.open(modality)
    page = studio.page
    before = page.locator(".stage").first.screenshot()
    page.locator("[data-suggestion]").nth(GROUNDED[modality]).click()
    phrase = studio.ask().locator("[data-phrase]").first
    phrase.wait_for()
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    drawn = page.locator(".stage").first.screenshot()
    assert drawn != before, "the answer's regions are drawn"
    phrase.hover()
    page.wait_for_timeout(300)
    assert page.locator(".stage").first.screenshot() != drawn, "the region lights up"


def test_regions_light_up_their_phrases(studio):
    studio.open("image")
    studio.page.locator("[data-suggestion]").nth(GROUNDED["image"]).click()
    studio.ask()
    box = studio.page.locator("canvas[role=application]").bounding_box()
    lit = studio.page.locator("[data-phrase].lit")
    # somewhere in the middle of the image there is an object
    for step in range(400):
        x, y = 0.25 + 0.5 * (step % 20) / 20, 0.25 + 0.5 * (step // 20) / 20
        studio.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if lit.count():
            return
    pytest.fail("no place of the image lights up a phrase")


def test_every_tool_of_images_is_drawn_with_keys_alone(studio):
    studio.open("image")
    canvas = studio.page.locator("canvas[role=application]")
    canvas.focus()
    for drawn, key in enumerate("pbslm", start=1):
        canvas.press(key)
        canvas.press("Space")
        for arrow in ("Shift+ArrowRight", "Shift+ArrowDown", "ArrowLeft"):
            canvas.press(arrow)
        canvas.press("Space")
        playwright.expect(studio.drafts).to_have_count(drawn, timeout=SOON_MS)
    nouns, texts = ("point", "box", "scribble", "outline", "mask"), studio.drafts.all_inner_texts()
    assert [noun in text for noun, text in zip(nouns, texts, strict=True)] == [True] * 5, texts
    for left in range(4, -1, -1):
        canvas.press("Control+z")
        assert studio.drafts.count() == left


def test_a_region_is_named_edited_referred_to_and_removed(studio):
    studio.open("image")
    page = studio.page
    studio.stroke("box", [(0.4, 0.4), (0.6, 0.6)])
    page.get_by_role("button", name="Edit box 0").click()
    page.get_by_label("Name").fill("the thing")
    page.get_by_label("left").fill("12")
    page.get_by_role("button", name="Keep").click()
    assert "the thing" in studio.drafts.inner_text()
    assert "x 12," in studio.drafts.inner_text()
    page.get_by_role("button", name="the thing x 12").click()
    assert page.get_by_label("Question", exact=True).input_value() == "{0}"
    page.get_by_role("button", name="Remove the thing 0").click()
    assert studio.drafts.count() == 0
    assert page.get_by_label("Question", exact=True).input_value() == ""


def test_a_follow_up_a_second_signal_and_the_same_conversation_as_code(studio, server, tmp_path, monkeypatch, capsys):
    studio.open("image")
    page = studio.page
    studio.ask("Where is the red bottle?")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("dialog").locator("[data-sample^='audio-']").first.click()
    playwright.expect(
        page.get_by_role("group", name="Opened signals").get_by_role("button", pressed=True)
    ).to_contain_text("audio", timeout=SOON_MS)
    shown = studio.ask("What do you hear?").locator("[data-text]").inner_text()
    page.get_by_role("button", name="Code").last.click()
    code = page.locator("pre").inner_text()
    for own in server.service.uploads.owned(""):
        (tmp_path / own.name).write_bytes(own.path.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "snippet", "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] in shown
    page.get_by_role("button", name="curl").click()
    assert "/v1/chat/completions" in page.locator("pre").inner_text()


def test_an_answer_is_copied_and_downloaded(studio):
    studio.open("image")
    studio.page.locator("[data-suggestion]").nth(GROUNDED["image"]).click()
    studio.ask()
    page = studio.page
    page.get_by_role("button", name="JSON").click()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["regions"]
    with page.expect_download() as coco:
        page.get_by_role("button", name="COCO").click()
    data = json.loads(Path(coco.value.path()).read_text())
    assert data["annotations"][0]["segmentation"] == copied["regions"][0]["mask"]
    with page.expect_download() as drawing:
        page.get_by_role("button", name="Drawing").click()
    assert drawing.value.suggested_filename.endswith("-annotated.png")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        pytest.param("notes.txt", b"hello", "expected", id="no_signal"),
        pytest.param("scene.png", SCENE.read_bytes()[:300], "scene.png", id="damaged"),
        pytest.param("empty.png", b"", "empty", id="empty"),
    ],
)
def test_a_bad_file_is_refused_in_the_servers_words(studio, name, content, sentence):
    studio.page.set_input_files("input[type=file]", {"name": name, "mimeType": "", "buffer": content})
    alert = studio.page.locator("[role=alert] p")
    alert.wait_for(timeout=SOON_MS)
    assert sentence in alert.inner_text()
    studio.complaints.clear()  # the browser itself writes the status 400 to the console


def test_a_question_that_is_refused_comes_back_to_be_mended(studio):
    studio.open("image")
    studio.page.get_by_label("Question", exact=True).fill("What is {7}?")
    studio.page.get_by_role("button", name="Ask", exact=True).click()
    alert = studio.page.locator("[role=alert] p")
    alert.wait_for(timeout=SOON_MS)
    assert "{7}" in alert.inner_text()
    assert studio.page.get_by_label("Question", exact=True).input_value() == "What is {7}?"
    studio.complaints.clear()


def test_what_the_model_cannot_do_is_said(studio, server):
    studio.page.get_by_role("button", name="what this model can do").click()
    about = studio.page.get_by_role("dialog").inner_text()
    assert server.model.name in about
    missing = [own for own in HANDS if own not in server.model.abilities["signals"]]
    assert ("Cannot" in about) == bool(missing)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["desktop", "phone"])
def test_nothing_serious_is_found_by_axe(studio, scheme, size):
    axe = next(
        (own for place in AXE_PLACES for root in (ROOT, *map(Path, sys.path)) if (own := root / place).is_file()), None
    )
    if axe is None:
        pytest.skip("needs axe-core: pip install axe-playwright-python, or npm ci in studio/")
    page, script = studio.page, axe.read_text(encoding="utf-8")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)
    findings = _serious(page, script)
    studio.open("image")
    studio.stroke("box", [(0.4, 0.4), (0.6, 0.6)])
    findings += _serious(page, script)
    studio.ask("What is {0}?")
    findings += _serious(page, script)
    assert not findings, "\n".join(findings)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing hangs over the edge"


def _serious(page: "playwright.Page", script: str) -> list[str]:
    page.evaluate(script)
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{own['id']}: {own['help']}: {node['html'][:200]}"
        for own in found
        if own["impact"] in SERIOUS
        for node in own["nodes"]
    ]
