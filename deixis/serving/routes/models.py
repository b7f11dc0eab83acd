"""`/v1/models`, and whether the server lives and is ready."""

from fastapi import APIRouter

from deixis.serving.errors import RequestError
from deixis.serving.refusals import ShuttingDown
from deixis.serving.replies import GUARDED, ModelList, ModelObject, Status, refusals
from deixis.serving.routes.access import ServiceOf
from deixis.serving.service import Service
from deixis.signals import MODALITIES

router = APIRouter()


@router.get(
    "/v1/models",
    tags=["models"],
    summary="The model that answers, and what it can do",
    responses=refusals(*GUARDED),
)
async def models(service: ServiceOf) -> ModelList:
    return ModelList(data=[model_object(service)])


@router.get("/v1/models/{name:path}", tags=["models"], summary="One model", responses=refusals(404, *GUARDED))
async def model(name: str, service: ServiceOf) -> ModelObject:
    if name != service.name:
        raise RequestError(f"model: expected {service.name!r}; got {name!r:.60}", 404, "model")
    return model_object(service)


@router.get("/healthz", tags=["server"], summary="Whether the server lives", responses=refusals(403))
async def healthz() -> Status:
    return Status(status="ok")


@router.get("/readyz", tags=["server"], summary="Whether the server takes requests", responses=refusals(403, 503))
async def readyz(service: ServiceOf) -> Status:
    if not service.is_ready:
        raise ShuttingDown
    return Status(status="ready")


def model_object(service: Service) -> ModelObject:
    """The model as OpenAI's clients know it, with its abilities."""
    able = service.model.abilities
    return ModelObject(
        id=service.name,
        created=int(service.started_at),
        abilities={name: list(values) for name, values in able.items()},
        does_not_take=[name for name in MODALITIES if name not in able["signals"]],
        knows_its_training_data=service.model.engine.distribution is not None,
    )
