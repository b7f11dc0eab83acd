"""A conversation in the studio, in a real browser: pointing with pointer and keys, answers, and what is taken away."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from deixis.signals import MODALITIES
from tests.serving.conftest import SCENE
from tests.serving.studio_page import CANVAS, SOON_MS

GROUNDED = {"image": 2, "audio": 2, "point_cloud": 1}
"""Which of a sample's questions is answered with regions."""


@pytest.mark.parametrize("modality", list(GROUNDED))
def test_phrases_and_regions_light_each_other_up(studio, modality):
    studio.open(modality)
    page = studio.page
    before = page.locator(".stage").first.screenshot()
    page.locator("[data-suggestion]").nth(GROUNDED[modality]).click()
    phrase = studio.ask().locator("[data-phrase]").first
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    drawn = page.locator(".stage").first.screenshot()
    assert drawn != before, "the answer's regions are drawn"
    phrase.hover()
    page.wait_for_timeout(300)
    assert page.locator(".stage").first.screenshot() != drawn, "the region lights up"
    box, lit = page.locator(CANVAS).bounding_box(), page.locator("[data-phrase].lit")
    page.mouse.move(5, 5)
    expect(lit).to_have_count(0)
    for step in range(400):  # somewhere in the middle one of the regions is
        x, y = 0.1 + 0.04 * (step % 20), 0.3 + 0.025 * (step // 20)
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if lit.count():
            return
    pytest.fail("no place of the signal lights up a phrase")


def test_every_tool_of_images_is_drawn_with_keys_alone(studio):
    studio.open("image")
    canvas = studio.page.locator(CANVAS)
    canvas.focus()
    for drawn, key in enumerate("pbslm", start=1):
        canvas.press(key)
        canvas.press("Space")
        for arrow in ("Shift+ArrowRight", "Shift+ArrowDown", "ArrowLeft"):
            canvas.press(arrow)
        canvas.press("Space")
        expect(studio.drafts).to_have_count(drawn, timeout=SOON_MS)
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
    expect(page.get_by_role("group", name="Opened signals").get_by_role("button", pressed=True)).to_contain_text(
        "audio", timeout=SOON_MS
    )
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
    missing = [own for own in MODALITIES if own not in server.model.abilities["signals"]]
    assert ("Cannot" in about) == bool(missing)
