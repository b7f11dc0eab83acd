"""`/label-studio/setup`, `/predict`, `/health`: the address to give Label Studio as a model is `.../label-studio`.

A person who draws a region with a smart tool gets it back as a mask, a box or outlines of what lies there; a task
without a drawn region gets every label of the project looked for.
"""

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from deixis.conversation import question_sample
from deixis.conversation.question import answered
from deixis.geometry import escaped
from deixis.inference import GenerationOptions
from deixis.samples.media import media_reference
from deixis.serving.chat.schema import EXAMPLE_URL, Lenient
from deixis.serving.errors import RequestError
from deixis.serving.json_body import JsonRoute
from deixis.serving.label_studio.config import Control, read_controls
from deixis.serving.label_studio.results import drawn_region, region_results
from deixis.serving.media import signal_of_url
from deixis.serving.remote import fetch_from
from deixis.serving.replies import BODY, GUARDED, READING, Reply, refusals
from deixis.serving.routes.access import Owner, ServiceOf
from deixis.serving.service import Service
from deixis.serving.wordings import MARK_IT, WHAT, mark
from deixis.signals import Signal

router = APIRouter(prefix="/label-studio", tags=["label studio"], route_class=JsonRoute, responses=refusals(*GUARDED))
MAX_LABELS = 50


class Setup(Lenient):
    project: Any = None
    schema_: str = Field("", alias="schema")


class Task(Lenient):
    id: Any = None
    data: dict[str, Any] = {}


class Drawn(Lenient):
    result: list[dict[str, Any]] = []


class Parameters(Lenient):
    context: Drawn | None = None


EXAMPLE_CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image"><Label value="mug"/>'
    "</RectangleLabels></View>"
)
EXAMPLE: dict[str, Any] = {"tasks": [{"id": 1, "data": {"image": EXAMPLE_URL}}], "label_config": EXAMPLE_CONFIG}


class Predict(Lenient):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    tasks: Annotated[list[Task], Field(max_length=64)]
    label_config: str = ""
    params: Parameters | None = None


class Health(Reply):
    status: Literal["UP"] = "UP"
    model_class: str


class Connected(Reply):
    model_version: str


class Prediction(Reply):
    """The regions of one task, as Label Studio's results."""

    result: list[dict[str, Any]]
    score: float | None
    model_version: str


class Predictions(Reply):
    results: list[Prediction]
    model_version: str


@router.get("/health", summary="Whether the backend lives")
@router.get("/", include_in_schema=False)
async def health(service: ServiceOf) -> Health:
    return Health(model_class=service.name)


@router.post("/setup", summary="A project is connected", responses=refusals(*BODY))
async def setup(body: Setup, service: ServiceOf) -> Connected:
    read_controls(body.schema_) if body.schema_ else ()
    return Connected(model_version=service.name)


@router.post(
    "/predict",
    summary="Regions for tasks, from a drawn region or of every label",
    responses=refusals(*BODY, *READING),
)
async def predict(body: Predict, service: ServiceOf, owner: Owner) -> Predictions:
    controls = read_controls(body.label_config)
    if not controls:
        raise RequestError(
            "label_config: expected RectangleLabels, BrushLabels or PolygonLabels of an Image, or Labels of an Audio"
        )
    drawn = body.params.context.result if body.params and body.params.context else []
    results = []
    for task in body.tasks:
        own = controls[0] if not drawn else _drawn_with(controls, str(drawn[-1].get("type", "")))
        signal = await _signal(service, task, own, owner)
        found = await (_around(service, signal, own, drawn) if drawn else _labelled(service, signal, own))
        scores = [result["score"] for result in found if "score" in result]
        score = sum(scores) / len(scores) if scores else None
        results.append(Prediction(result=found, score=score, model_version=service.name))
    return Predictions(results=results, model_version=service.name)


async def _around(service: Service, signal: Signal, control: Control, drawn: list[dict]) -> list[dict[str, Any]]:
    """What lies at the region that was drawn last: it is named, then marked."""
    region = next((own for own in (drawn_region(r, signal.extent) for r in reversed(drawn)) if own is not None), None)
    if region is None:
        raise RequestError("context.result: expected a drawn region; got none")
    first = question_sample(WHAT, [media_reference(signal)], [region])
    named = await service.answer(first, GenerationOptions())
    second = question_sample(MARK_IT, earlier=answered(first, named.raw), want=_want(control))
    answer = await service.answer(second, GenerationOptions())
    label = _drawn_label(drawn[-1]) or _label_in(named.text, control.labels)
    return [own for found in answer.regions for own in region_results(found, control, label, signal.extent)]


async def _labelled(service: Service, signal: Signal, control: Control) -> list[dict[str, Any]]:
    """Every label of the project, where the file shows it."""
    found = []
    for label in control.labels[:MAX_LABELS]:
        question = f"When do you hear a {escaped(label.lower())}?" if control.form == "span" else mark(label)
        sample = question_sample(question, [media_reference(signal)], want=_want(control))
        answer = await service.answer(sample, GenerationOptions())
        found += [own for region in answer.regions for own in region_results(region, control, label, signal.extent)]
    return found


def _want(control: Control) -> str | None:
    return control.form if control.form in ("box", "mask") else None


def _drawn_with(controls: list[Control], kind: str) -> Control:
    """The control for the answer to a drawn region: one of another kind first, as smart tools are often points."""
    return next((own for own in controls if own.type != kind and own.form == "mask"), controls[0])


def _drawn_label(result: dict[str, Any]) -> str | None:
    value = result.get("value") or {}
    labels = value.get(str(result.get("type", "")))
    return str(labels[0]) if isinstance(labels, list) and labels else None


def _label_in(text: str, labels: tuple[str, ...]) -> str:
    return next((own for own in labels if own.lower() in text.lower()), labels[0] if labels else text)


async def _signal(service: Service, task: Task, control: Control, owner: str) -> Signal:
    """The signal of a task's field: a data URL, one of an allowed host, or a path of the connected Label Studio."""
    value, field = task.data.get(control.field), f"tasks.data.{control.field}"
    if not isinstance(value, str):
        raise RequestError(f"{field}: expected the URL of a file; got none", param=field)
    settings, origin = service.settings, (service.settings.label_studio_url or "").rstrip("/")
    if origin and (value.startswith("/") or value.startswith(f"{origin}/")):
        parts = urlsplit(value)
        target = quote(parts.path, safe="/%") + (f"?{parts.query}" if parts.query else "")
        headers = {"Authorization": f"Token {settings.label_studio_key}"} if settings.label_studio_key else {}
        content = await fetch_from(origin, target, headers, settings.max_file_bytes, field)
        name = parts.path.rpartition("/")[2]
        _, signal = await service.add(name, [content], owner, control.modality, param=field)
        return signal
    return await signal_of_url(service, value, field, owner, control.modality)
