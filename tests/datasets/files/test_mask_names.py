"""The image that a mask belongs to and the class that it shows, by file names alone."""

import pytest

from deixis.datasets.files.mask_names import Owned, image_names, owner

PICTURES = ("a", "a_b", "day/img_01", "c_image", "p/image", "0001")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("x", None, id="of_none"),
        pytest.param("ab", None, id="longer_word"),
        pytest.param("aa/x_cat", None, id="folder_of_none"),
        pytest.param("a", Owned("a", None, False), id="same"),
        pytest.param("a_mask", Owned("a", None, True), id="word"),
        pytest.param("a_0", Owned("a", None, False), id="number"),
        pytest.param("a_b", Owned("a_b", None, False), id="the_longest"),
        pytest.param("a_b_cat_2", Owned("a_b", "cat", False), id="shows"),
        pytest.param("a_2_fire-truck_mask", Owned("a", "fire truck", True), id="shows_two_words"),
        pytest.param("a.cat", Owned("a", "cat", False), id="point"),
        pytest.param("a/cat_3", Owned("a", "cat", False), id="in_the_folder_of_the_picture"),
        pytest.param("a/0f3e2a9b77", Owned("a", None, False), id="hash"),
        pytest.param("cat/a", Owned("a", "cat", False), id="in_the_folder_of_the_class"),
        pytest.param("cat/a_mask_2", Owned("a", "cat", True), id="in_the_folder_of_the_class_with_more"),
        pytest.param("mask_0001", Owned("0001", None, True), id="word_before"),
        pytest.param("label-0001_cat", Owned("0001", "cat", True), id="word_before_and_shows"),
        pytest.param("day/01_cat", Owned("day/img_01", "cat", False), id="picture_with_a_word"),
        pytest.param("c_mask", Owned("c_image", None, True), id="word_for_word"),
        pytest.param("p/mask_cat", Owned("p/image", "cat", True), id="folder_of_one_picture"),
    ],
)
def test_owner(name, expected):
    assert owner(name, image_names(PICTURES)) == expected


def test_a_file_is_not_its_own_mask():
    names = image_names(["a", "a_mask"])
    assert owner("a_mask", names, but="a_mask") == Owned("a", None, True)
    assert owner("a", names, but="a") is None
