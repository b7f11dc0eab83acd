"""Finds the recipe that a command names: a file of the user's, or one that is shipped with the package.

A wheel carries the repository's `recipes/` as `deixis/recipes`; in a checkout they lie beside the package.
"""

from os.path import exists, isfile  # of pathlib's, a name too long raises
from pathlib import Path

import deixis
from deixis.errors import InputError
from deixis.files.regular import check_regular

PACKAGE = Path(deixis.__file__).parent


def shipped_recipes() -> dict[str, Path]:
    """Name, such as "finetune.yaml", to file, of every recipe that comes with this installation."""
    installed, checkout = PACKAGE / "recipes", PACKAGE.parent / "recipes"
    return {path.name: path for path in sorted((installed if installed.is_dir() else checkout).glob("*.yaml"))}


def find_recipe(named: Path) -> Path:
    """The recipe file that `named` means: itself, or else the shipped one that `recipes/NAME.yaml` or `NAME` names.

    Raises:
        InputError: there is no such file, and no shipped recipe of that name.
    """
    if isfile(named):
        return named
    if exists(named):
        check_regular(named)  # says what it is
    shipped = shipped_recipes()
    found = shipped.get(named.name if named.suffix else f"{named.name}.yaml")
    if found is None or named.parent not in (Path(), Path("recipes")):
        names = ", ".join(f"recipes/{name}" for name in shipped)
        raise InputError(f"{named}: expected a recipe, got no such file (shipped with deixis: {names})")
    return found
