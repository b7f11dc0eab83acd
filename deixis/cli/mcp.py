"""`deixis mcp`: tools for agents, by the Model Context Protocol over stdin and stdout."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.arguments import AdapterFolder, Device, Dtype, ModelChoice, ModelName, Quantization, check_model
from deixis.errors import UnsupportedError


def run(
    model: ModelName = "bundled",
    root: Annotated[Path, typer.Option(metavar="FOLDER", help="The files that may be asked about lie here.")] = Path(),
    device: Device = None,
    dtype: Dtype = None,
    quantization: Quantization = None,
    adapter: AdapterFolder = None,
) -> None:
    """Give agents tools to ask about files, find things in them and mark them.

    An agent's program starts this command and talks to it over stdin and stdout.
    """
    check_model(model, device, dtype, quantization, adapter)
    if find_spec("mcp") is None:
        raise UnsupportedError("mcp: install its package, pip install 'deixis[mcp]'")
    from deixis.cli.answers import open_model, open_small
    from deixis.serving.agent_tools import AgentTools, check_root

    check_root(root)
    choice = ModelChoice(model, device, dtype, quantization, adapter)
    opened = open_model(open_small(choice.model, choice.adapter), *choice.how)
    AgentTools(opened, root).server().run("stdio")
