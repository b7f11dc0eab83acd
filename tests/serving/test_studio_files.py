"""The compiled studio: made of the sources in the repository, small, and within the content security policy."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUDIO, STATIC = ROOT / "studio", ROOT / "deixis" / "serving" / "studio" / "static"
TOP = (
    "index.html",
    "package-lock.json",
    "package.json",
    "sources.ts",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
)
MAX_BYTES = 1_200_000


def sources_digest() -> str:
    """As studio/sources.ts computes it when the studio is built."""
    below = [path.relative_to(STUDIO).as_posix() for path in (STUDIO / "src").rglob("*") if path.is_file()]
    digest = sha256()
    for path in sorted([*TOP, *below]):
        digest.update(path.encode() + b"\0" + (STUDIO / path).read_bytes() + b"\0")
    return digest.hexdigest()


def test_compiled_files_are_those_of_the_sources():
    built = (STATIC / "sources.sha256").read_text(encoding="ascii").strip()
    assert built == sources_digest(), "the sources in studio/ changed: run `npm ci && npm run build` there"


def test_page_has_no_inline_scripts_or_styles():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


@pytest.mark.parametrize("address", re.findall(r'(?:src|href)="([^"]+)"', (STATIC / "index.html").read_text("utf-8")))
def test_page_names_files_that_are_there(address):
    assert address.startswith("./studio/assets/"), "relative, so that the studio works below any path"
    assert (STATIC / address).is_file()


def test_compiled_files_are_small_and_have_no_source_maps():
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert not [path for path in files if path.suffix == ".map"]


def test_licences_of_what_is_compiled_in_lie_beside_it():
    text = (STATIC / "studio" / "assets" / "licenses.txt").read_text(encoding="utf-8")
    assert {"svelte", "three"} <= set(text.splitlines())
    assert text.count("Permission is hereby granted") >= 2
