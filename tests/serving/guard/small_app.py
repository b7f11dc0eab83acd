"""A small application behind some guards, and what its errors say."""

import asyncio

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.testclient import TestClient

LOCAL = "http://127.0.0.1:8000"


def application(*middlewares: tuple) -> TestClient:
    """A client of a small application behind some middlewares, the first of them outermost."""
    app = FastAPI()

    @app.get("/owner/{name}")
    async def owner(request: Request, name: str):
        return {"owner": getattr(request.state, "owner", None)}

    @app.get("/healthz")
    async def health():
        return PlainTextResponse("ok")

    @app.post("/size")
    async def size(request: Request):
        return {"size": len(await request.body())}

    @app.get("/stream")
    async def stream():
        async def words():
            for number in range(3):
                yield f"data: {number}\n\n"
                await asyncio.sleep(0)

        return StreamingResponse(words(), media_type="text/event-stream")

    @app.get("/fails")
    async def fails():
        raise KeyError("what a stranger said")

    for middleware, options in reversed(middlewares):
        app.add_middleware(middleware, **options)
    return TestClient(app, base_url=LOCAL, raise_server_exceptions=False)


def error(response, status: int) -> str:
    """The sentence of an error in OpenAI's form."""
    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    return response.json()["error"]["message"]
