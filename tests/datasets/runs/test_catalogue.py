"""Rows on disk by item: grouped, in order, any stretch at once, and nothing left where a pass breaks off."""

import os

import pytest

from deixis.datasets.runs.catalogue import Catalogue, build_catalogue
from deixis.datasets.source import METADATA, Item, Row
from deixis.samples.sample import Skipped


def row(key: str, part: str = "annotation", value: object = 1) -> Row:
    return Row(key, part, f"{part} of {key}", value)


ROWS = [
    row("b", "image"),
    row(METADATA, "category", {"id": 1}),
    row("a", value=2),
    Skipped("line 4", "it is empty"),
    row("b", value=3),
    row("a", "image"),
    row(METADATA, "category", {"id": 2}),
    row("c?#%", value=[1.5, None, "ü\ud800"]),
]


def test_rows_are_grouped_by_item_in_the_order_of_the_files(tmp_path):
    catalogue = build_catalogue(iter(ROWS), tmp_path / "deep" / "set?#.sqlite")
    assert catalogue.count == 3
    assert [(item.key, [r.value for r in item.rows]) for item in catalogue.items()] == [
        ("b", [1, 3]),
        ("a", [2, 1]),
        ("c?#%", [[1.5, None, "ü\ud800"]]),
    ]
    assert [r.value["id"] for r in catalogue.metadata()["category"]] == [1, 2]
    assert list(catalogue.skipped()) == [Skipped("line 4", "it is empty")]
    catalogue.close()


@pytest.mark.parametrize(
    ("start", "stop", "keys"),
    [
        pytest.param(0, None, ["b", "a", "c?#%"], id="all"),
        pytest.param(1, 2, ["a"], id="one"),
        pytest.param(2, 9, ["c?#%"], id="past_the_end"),
        pytest.param(3, 3, [], id="none"),
    ],
)
def test_any_stretch_of_items(tmp_path, start, stop, keys):
    build_catalogue(iter(ROWS), tmp_path / "set.sqlite").close()
    assert [item.key for item in Catalogue(tmp_path / "set.sqlite").items(start, stop)] == keys
    assert Catalogue(tmp_path / "set.sqlite").item(1).one("image").where == "image of a"


def test_rows_are_counted_while_they_come(tmp_path):
    seen = []
    build_catalogue((row(str(n)) for n in range(4_500)), tmp_path / "set.sqlite", seen.append).close()
    assert seen == [2_000, 4_000, 4_500]


def test_a_pass_that_breaks_off_leaves_nothing(tmp_path):
    def broken():
        yield row("a")
        raise ValueError("line 2: no JSON")

    with pytest.raises(ValueError, match="line 2: no JSON"):
        build_catalogue(broken(), tmp_path / "set.sqlite")
    assert os.listdir(tmp_path) == []


def test_an_item_without_a_part_says_where():
    with pytest.raises(ValueError, match="annotation of a: expected the image that it belongs to, a, got none"):
        Item("a", (row("a"),)).one("image")
