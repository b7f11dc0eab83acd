"""Recipes on the command line: a file of the user's first, else a shipped one by its name."""

from pathlib import Path

import pytest

from deixis.cli import recipes
from deixis.cli.recipes import find_recipe, shipped_recipes
from deixis.errors import InputError

FOLDER = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("recipes/finetune.yaml", id="as_in_the_readme"),
        pytest.param("finetune.yaml", id="file_name"),
        pytest.param("finetune", id="name"),
    ],
)
def test_a_shipped_recipe_is_found_from_anywhere(named, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(Path(named)) == FOLDER / "finetune.yaml"


def test_a_file_of_the_users_comes_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "finetune.yaml").write_text("seed: 1")
    assert find_recipe(Path("finetune.yaml")) == Path("finetune.yaml")


@pytest.mark.parametrize(
    "named", [pytest.param("recipes/none.yaml", id="no_such_name"), pytest.param("mine/tiny.yaml", id="other_folder")]
)
def test_anything_else_is_refused_with_the_names_there_are(named, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"{named}: expected a recipe, got no such file .*recipes/tiny\.yaml"):
        find_recipe(Path(named))


def test_a_folder_of_that_name_is_no_recipe(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    with pytest.raises(InputError, match="'tiny': expected a regular file, got a folder; name a file in it"):
        find_recipe(Path("tiny"))


def test_a_wheel_has_them_inside_the_package(monkeypatch, tmp_path):
    (tmp_path / "deixis" / "recipes").mkdir(parents=True)
    (tmp_path / "deixis" / "recipes" / "one.yaml").touch()
    monkeypatch.setattr(recipes, "PACKAGE", tmp_path / "deixis")
    assert shipped_recipes() == {"one.yaml": tmp_path / "deixis" / "recipes" / "one.yaml"}
