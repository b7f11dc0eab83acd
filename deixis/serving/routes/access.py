"""What every route takes from its request: the service, and whose request it is."""

from typing import Annotated

from fastapi import Depends, Request

from deixis.serving.service import Service


def _service(request: Request) -> Service:
    return request.app.state.service


def _owner(request: Request) -> str:
    """The id of the key that the request came with; all requests without keys have one owner."""
    return getattr(request.state, "owner", "")


ServiceOf = Annotated[Service, Depends(_service)]
Owner = Annotated[str, Depends(_owner)]
