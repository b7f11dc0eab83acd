"""`deixis serve`: the studio in the browser, and the API for other programs."""

import os
import webbrowser
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.arguments import (
    AdapterFolder,
    Device,
    Dtype,
    ModelChoice,
    ModelName,
    Quantization,
    RayAddress,
    check_installed,
    check_model,
)
from deixis.cli.terminal import say
from deixis.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from deixis.serving.replicas.launch import Replicas
    from deixis.serving.settings import ServerSettings

KEYS = typer.Option("--key-file", help="API keys, hashed; --new-key adds one.")
NEW_KEY = typer.Option(metavar="NAME", help="Add a key to --key-file, print it, and end.")
ORIGINS = typer.Option("--allow-origin", metavar="URL", help="A web page that may ask from a browser (CORS).")
LABEL_STUDIO = typer.Option(
    metavar="URL", envvar="LABEL_STUDIO_URL", help="Whose tasks are annotated; its token is in LABEL_STUDIO_KEY."
)
RAY = typer.Option("--ray", help="Answer by replicas on a Ray cluster.")
REPLICAS = typer.Option(metavar="N", help="Of --ray: as many, or N-M: as many as there are requests for.")
UPLOADS = typer.Option(metavar="FOLDER", help="Keep uploaded files here; a cluster's machines share it.")
REMOTES = typer.Option("--allow-remote", metavar="HOST", help="A host whose files may be given by URL.")


def run(
    model: ModelName = "bundled",
    host: Annotated[
        str, typer.Option(help="Where to listen; other than localhost only with --key-file.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    device: Device = None,
    dtype: Dtype = None,
    quantization: Quantization = None,
    adapter: AdapterFolder = None,
    key_file: Annotated[Path | None, KEYS] = None,
    new_key: Annotated[str | None, NEW_KEY] = None,
    allow_origin: Annotated[list[str] | None, ORIGINS] = None,
    allow_remote: Annotated[list[str] | None, REMOTES] = None,
    label_studio: Annotated[str | None, LABEL_STUDIO] = None,
    queue_size: Annotated[int, typer.Option(help="Requests that wait; more get 429.")] = 64,
    batch_rows: Annotated[int, typer.Option(help="Requests that are answered together.")] = 16,
    requests_per_minute: Annotated[int, typer.Option(help="Of one key, or one address.")] = 600,
    uploads: Annotated[Path | None, UPLOADS] = None,
    ray: Annotated[bool, RAY] = False,
    replicas: Annotated[str | None, REPLICAS] = None,
    ray_address: RayAddress = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the studio in the browser.")] = False,
) -> None:
    """Open the studio, and serve an OpenAI-compatible API.

    The studio is the page at the address that is printed; programs ask at /v1.
    """
    check_model(model, device, dtype, quantization, adapter)
    if missing := [name for name in ("fastapi", "uvicorn", "multipart", "prometheus_client") if not find_spec(name)]:
        raise UnsupportedError(f"serve: needs {missing[0]}; install the server, pip install 'deixis[serve]'")
    if new_key is not None:
        say(_added_key(key_file, new_key))
        return
    many = _replicas(ray, replicas, ray_address)
    from deixis.serving.settings import ServerSettings

    settings = ServerSettings(
        host=host,
        port=port,
        key_file=key_file,
        allow_origins=tuple(allow_origin or ()),
        remote_hosts=tuple(allow_remote or ()),
        label_studio_url=label_studio,
        label_studio_key=os.environ.get("LABEL_STUDIO_KEY"),
        uploads=uploads,
        queue_size=queue_size,
        batch_rows=batch_rows,
        requests_per_minute=requests_per_minute,
    )
    choice = ModelChoice(model, device, dtype, quantization, adapter)
    if many is None:
        _serve(choice, settings, open_page)
    else:
        _serve_replicas(choice, settings, many, open_page)


def _replicas(ray: bool, count: str | None, address: str | None) -> "Replicas | None":
    """Those of --ray, None without it. Raises InputError for options that do not fit together."""
    if not ray:
        for name, value in (("--replicas", count), ("--ray-address", address)):
            if value is not None:
                raise InputError(f"{name}: expected beside --ray, got it alone")
        return None
    check_installed("ray", "grpc_reflection")
    from deixis.serving.replicas.launch import Replicas

    return Replicas.of(count or "1", address or os.environ.get("RAY_ADDRESS"))


def _added_key(key_file: Path | None, name: str) -> str:
    from deixis.serving.guard.keys import add_key

    if key_file is None:
        raise InputError("--new-key: expected --key-file, the file that it is added to")
    return add_key(key_file, name)


def _serve(choice: ModelChoice, settings: "ServerSettings", open_page: bool) -> None:
    """Serves until it is told to end; what can be refused is refused before the model is loaded."""
    from deixis.cli.answers import open_model, open_small
    from deixis.cli.progress import waiting
    from deixis.serving.app import create_app
    from deixis.serving.guard.keys import check_host, read_keys
    from deixis.serving.guard.logs import log_as_json
    from deixis.serving.own_thread import in_own_thread
    from deixis.serving.run import listening, serve

    check_host(settings.host, settings.key_file)
    if settings.key_file is not None:
        read_keys(settings.key_file)
    with listening(settings) as (socket, address):
        with waiting("loading the model"):
            small = open_small(choice.model, choice.adapter)
            app = create_app(in_own_thread(lambda: open_model(small, *choice.how)), settings)
        _tell(address, open_page)
        log_as_json()
        serve(app, socket)


def _serve_replicas(choice: ModelChoice, settings: "ServerSettings", replicas: "Replicas", open_page: bool) -> None:
    """Serves by replicas, each of which loads the model; its files are looked at here."""
    from deixis.cli.answers import open_small
    from deixis.cli.progress import waiting
    from deixis.inference import load
    from deixis.serving.replicas.launch import serve_on_ray

    model, adapter = choice.model, choice.adapter and choice.adapter.absolute()
    if model != "bundled" and Path(model).is_dir():  # replicas run in other folders
        model = str(Path(model).absolute())
    with ExitStack() as starting:
        starting.enter_context(waiting("starting replicas"))
        open_small(model, adapter)

        def ready(address: str) -> None:
            starting.close()
            _tell(address, open_page)

        how = partial(load, model, *choice.how, adapter=adapter)
        serve_on_ray(how, settings, replicas, choice.device == "cpu", ready)


def _tell(address: str, open_page: bool) -> None:
    say(f"the studio is at {address}, the API at {address}/v1; Ctrl-C ends both", err=True)
    if open_page:
        webbrowser.open(address)
