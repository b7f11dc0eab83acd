"""`/docs`: the page, and its style sheet as a file of its own, as the content security policy asks."""

import re
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from deixis.serving.reference.document import groups_of, objects_of

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page(request: Request) -> Response:
    """Every address of the API, with what it takes and gives."""
    return HTMLResponse(_page(request.app))


@router.get("/docs/page.css")
async def style() -> Response:
    return Response((files("deixis.serving.reference") / "page.css").read_bytes(), media_type="text/css")


@lru_cache(maxsize=1)
def _page(app: FastAPI) -> str:
    """Written once: no key is needed for it, and no rate bounds it."""
    document = app.openapi()
    loader = PackageLoader("deixis.serving.reference", "")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["marked"] = _marked
    shown = {"info": document["info"], "groups": groups_of(document), "objects": objects_of(document)}
    return environment.get_template("page.html").render(shown)


def _marked(text: str) -> Markup:
    """Text whose `code` is marked as such."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
