"""The page: it is self-contained, shows texts of samples escaped, and handles any sample."""

import io
from base64 import b64decode
from html.parser import HTMLParser

import pytest
from PIL import Image

from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.visualize.samples import html_page as page
from deixis.visualize.samples.html_page import Group, Overview, sample_article, write_page
from tests.scenes import scene_samples

SAMPLES = scene_samples(1)
VOID = ("meta", "img", "br", "link", "input")


class Reading(HTMLParser):
    """The tags of a page, with what stands in them; fails where one is not closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self) -> str:
        return "".join(words for tag, words in self.words if tag != "style")


def written(tmp_path, groups, overview=Overview("a set", "counts")) -> Reading:
    list(write_page(tmp_path / "page.html", overview, groups))
    return Reading((tmp_path / "page.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def page_of_all(tmp_path_factory):
    """(the page of all samples, its text)."""
    folder = tmp_path_factory.mktemp("all")
    return written(folder, [Group("world", 50, SAMPLES)]), (folder / "page.html").read_text("utf-8")


def test_a_page_needs_nothing_else(page_of_all):
    read, text = page_of_all
    assert not read.all("script") + read.all("link")
    sources = [attributes["src"] for tag in ("img", "audio") for attributes in read.all(tag)]
    assert len(read.all("img")) == sum(len(sample.signals) for sample in SAMPLES)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "url(" not in text.split("</style>")[0]


def test_its_pictures_and_sounds_open(page_of_all):
    import soundfile

    read, _ = page_of_all
    for attributes in read.all("img"):
        with Image.open(io.BytesIO(b64decode(attributes["src"].split(",")[1]))) as image:
            assert image.size == (int(attributes["width"]), int(attributes["height"]))
            assert image.convert("RGB").getextrema() != ((0, 0), (0, 0), (0, 0))
    sound = io.BytesIO(b64decode(read.all("audio")[0]["src"].split(",")[1]))
    values, rate_hz = soundfile.read(sound)
    assert rate_hz == 16_000
    assert abs(values).max() > 0.01


def test_tasks_have_anchors_and_counts(tmp_path):
    read = written(tmp_path, [Group("refer", 1234, SAMPLES[:2]), Group("<count>", 1, SAMPLES[:1])])
    targets = {attributes["id"] for attributes in read.all("section")}
    assert {attributes["href"][1:] for attributes in read.all("a")} == targets == {"task-0", "task-1"}
    assert "2 of 1,234 samples" in read.text()
    assert "<count>" in read.text()


def test_phrases_and_numbers_have_the_colour_of_their_region():
    read = Reading(
        sample_article(
            Sample(
                "t",
                "s",
                "ground",
                "train",
                (Turn("What is {7}?", "[Two mugs]{1,2} and [a dog]{}."),),
                regions=tuple(Region(box=(0.0, 0.0, 2.0, 2.0)) for _ in range(8)),
            )
        )
    )
    marked = [attributes["class"] for attributes in read.all("span")]
    assert marked == ["chip r1", "phrase r1", "chip r1", "chip r2", "phrase", "chip"]


def test_every_picture_is_described():
    grounded = next(sample for sample in SAMPLES if sample.task == "phrase_box")
    [image] = Reading(sample_article(grounded)).all("img")
    assert image["alt"] == image["title"]
    assert "with the regions 0 The " in image["alt"]


NASTY = '<script>alert("1 & 2")</script>'


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(
            Sample(NASTY, NASTY, NASTY, NASTY, (Turn(NASTY, f"[{NASTY}]{{}}", (NASTY,), (NASTY, "b")),)), id="text"
        ),
        pytest.param(
            Sample("t", "s", "t", "val", (Turn("a", "b"),), (MediaReference(NASTY, "image", path=NASTY),)),
            id="missing_medium",
        ),
        pytest.param(
            Sample(
                "t",
                "s",
                "t",
                "val",
                (Turn("a", f"[{NASTY}]{{0}}"),),
                (SAMPLES[0].signals[0],),
                (Region(box=(0.0, 0.0, 9.0, 9.0)),),
            ),
            id="alt_text",
        ),
    ],
)
def test_what_a_sample_says_is_never_markup(sample):
    read = Reading(sample_article(sample))
    assert not read.all("script")
    assert "<script>" in read.text() or any("<script>" in image["alt"] for image in read.all("img"))


def test_a_missing_medium_is_said_and_the_next_is_shown(tmp_path):
    gone = Sample(
        "gone", "s", "t", "val", (Turn("a", "b"),), (MediaReference("m", "image", path="gone.png"), *SAMPLES[0].signals)
    )
    read = written(tmp_path, [Group("t", 1, [gone, SAMPLES[0]])])
    assert "cannot be shown: 'gone.png'" in read.text()
    assert len(read.all("img")) == 2


def test_long_samples_are_cut_and_said():
    long = Sample(
        "t", "s", "t", "val", (Turn("q", "word " * 9000),) * 20, (MediaReference("m", "image", path="no.png"),) * 20
    )
    article = sample_article(long)
    text = Reading(article).text()
    assert "and 8 more turns" in text
    assert "and 12 more signals" in text
    shown = article.split("<details>")[0]
    assert len(shown) < 12 * page.MAX_TEXT + 10_000


def test_records_are_there_without_their_run_lengths():
    masked = next(s for s in SAMPLES if any(r.mask is not None for r in s.regions) and s.signals[0].modality == "image")
    text = Reading(sample_article(masked)).text()
    assert f'"id": "{masked.id}"' in text
    assert "…" in text


def test_warnings_are_in_the_head(tmp_path):
    read = written(tmp_path, [Group("t", 1, SAMPLES[:1])], Overview("a <set>", "1 sample", ("3 cannot be read",)))
    assert "3 cannot be read" in read.text()
    assert ("title", "a <set>") in read.words


def test_half_a_page_is_not_left(tmp_path):
    pages = write_page(tmp_path / "page.html", Overview("a", "b"), [Group("t", 2, SAMPLES[:2])])
    next(pages)
    pages.close()
    assert list(tmp_path.iterdir()) == []
