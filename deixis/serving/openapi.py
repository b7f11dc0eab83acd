"""The OpenAPI document of the server: what FastAPI writes of the routes, where it is not what the server does."""

from typing import Any

from deixis.serving.chat.reply_schema import CompletionChunk

SCHEMAS = "#/components/schemas/{model}"
NOT_SENT = ("HTTPValidationError", "ValidationError")
"""Schemas of the 422 that FastAPI promises: what does not fit a schema is a 400 here."""
KEY = {"type": "http", "scheme": "bearer", "description": "Needed where the server was started with --key-file."}


def true_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the errors that are sent, the events of a stream, and keys."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    chunk = CompletionChunk.model_json_schema(ref_template=SCHEMAS)
    parts = document["components"]
    schemas = {**parts["schemas"], **chunk.pop("$defs"), "CompletionChunk": chunk}
    parts["schemas"] = {name: schemas[name] for name in sorted(schemas) if name not in NOT_SENT}
    parts["securitySchemes"] = {"key": KEY}
    document["security"] = [{}, {"key": []}]
    return document
