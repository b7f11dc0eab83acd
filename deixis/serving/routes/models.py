"""`/v1/models`, and whether the server lives and is ready."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from deixis.serving.errors import RequestError, error_body
from deixis.serving.routes.access import ServiceOf
from deixis.serving.service import Service
from deixis.signals import MODALITIES

router = APIRouter()


@router.get("/v1/models", tags=["models"], summary="The model that answers, and what it can do")
async def models(service: ServiceOf) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(service)]}


@router.get("/v1/models/{name:path}", tags=["models"], summary="One model")
async def model(name: str, service: ServiceOf) -> dict[str, Any]:
    if name != service.name:
        raise RequestError(f"model: expected {service.name!r}; got {name!r:.60}", 404, "model")
    return model_object(service)


@router.get("/healthz", tags=["server"], summary="Whether the server lives")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", tags=["server"], summary="Whether the server takes requests", response_model=None)
async def readyz(service: ServiceOf) -> dict[str, str] | JSONResponse:
    if service.is_ready:
        return {"status": "ready"}
    return JSONResponse(error_body("the server is closing", 503, code="closing"), 503)


def model_object(service: Service) -> dict[str, Any]:
    """The model as OpenAI's clients know it, with its abilities."""
    able = service.model.abilities
    return {
        "id": service.name,
        "object": "model",
        "created": int(service.started_at),
        "owned_by": "deixis",
        "abilities": {name: list(values) for name, values in able.items()},
        "does_not_take": [name for name in MODALITIES if name not in able["signals"]],
        "knows_its_training_data": service.model.engine.distribution is not None,
    }
