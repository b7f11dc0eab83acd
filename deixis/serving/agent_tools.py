"""Tools for agents by the Model Context Protocol: ask about a file, find things in it, mark them.

An agent names files under one folder; regions go in and come out as in the API (`chat.region_parts`).
"""

import io
from pathlib import Path
from typing import Annotated, Any, Literal

from anyio import Lock
from anyio.to_thread import run_sync
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

import deixis
from deixis.errors import DeixisError, InputError
from deixis.geometry import escaped
from deixis.inference import Answer, Model
from deixis.serving.chat.region_parts import answer_parts, region_from_part
from deixis.signals import MODALITIES, Signal, name_in_folder, open_signal
from deixis.signals.opening import read_name

INSTRUCTIONS = (
    "Questions about images, video, audio, point clouds, depth maps, normals, motion traces and fMRI, as far as the "
    "model takes them (see `abilities`). Point at a part with a region and write {0}, {1} in the question where it is "
    "meant. Coordinates are in the file's own units: pixels of the upright image, seconds, indices of a cloud's points."
)
File = Annotated[str, Field(description="Path of a file under the served folder, or modality:path, as depth:map.png.")]
Regions = Annotated[
    list[dict[str, Any]],
    Field(
        description='Regions, such as {"box_xyxy": [10, 20, 90, 80]}, {"point": [30, 40]}, {"span_s": [1.0, 2.5]}, '
        '{"points": [3, 5]}; "signal": 1 lies on the second file.'
    ),
]
Thing = Annotated[str, Field(description="What to find, such as: the red mug.", min_length=1, max_length=500)]


class AgentTools:
    """The tools of one model over the files of one folder; questions are answered one after the other."""

    def __init__(self, model: Model, root: Path):
        self.model, self.root, self._lock = model, root.resolve(), Lock()

    def server(self) -> MCPServer:
        """The server that offers the tools."""
        server: MCPServer = MCPServer(
            "deixis", version=deixis.__version__, instructions=INSTRUCTIONS, log_level="ERROR"
        )
        for tool in (self.abilities, self.ask, self.locate, self.segment, self.draw):
            server.tool()(tool)
        return server

    async def abilities(self) -> dict[str, Any]:
        """What the model takes, in which modalities regions can lie, and in which forms it answers."""
        return {"model": self.model.name, **{name: list(own) for name, own in self.model.abilities.items()}}

    async def ask(
        self,
        question: str,
        files: list[File],
        regions: Regions | None = None,
        want: Literal["text", "box", "mask"] | None = None,
    ) -> dict[str, Any]:
        """Ask about one or several files and regions of them; gives text, its regions, and reasons to doubt it."""
        return _told(await self._answer(question, files, regions, want))

    async def locate(self, what: Thing, file: File) -> dict[str, Any]:
        """Find a thing in a file: boxes in an image or video, time spans in a recording, points of a cloud."""
        modality = self._signal(file).modality
        timed, thing = MODALITIES[modality].axes == "t", _named(what)
        question = f"When is there {thing}?" if timed else f"Where is {thing}?"
        return _told(await self._answer(question, [file], None, "box" if MODALITIES[modality].axes == "xy" else None))

    async def segment(self, what: Thing, file: File) -> dict[str, Any]:
        """Mark a thing in a file: masks of an image as COCO run lengths, points of a cloud, spans of a recording."""
        return _told(await self._answer(f"Mark {_named(what)}.", [file], None, "mask"))

    async def draw(self, question: str, files: list[File], regions: Regions | None = None) -> Image:
        """The answer to a question drawn on its files, as a PNG."""
        answer = await self._answer(question, files, regions, None)
        file = io.BytesIO()
        (await run_sync(answer.draw)).save(file, format="PNG")
        return Image(data=file.getvalue(), format="png")

    async def _answer(
        self, question: str, files: list[str], regions: list[dict[str, Any]] | None, want: str | None
    ) -> Answer:
        """The answer; raises ToolError, one sentence, for what cannot be asked."""

        def asked() -> Answer:
            signals = [self._signal(file) for file in files]
            places = [region_from_part(own) for own in regions or ()]
            return self.model.ask(question, *signals, regions=places, want=want)

        try:
            async with self._lock:
                return await run_sync(asked)
        except DeixisError as error:
            raise ToolError(str(error)) from None

    def _signal(self, file: str) -> Signal:
        path = (self.root / read_name(file, MODALITIES).path).resolve()
        if not path.is_relative_to(self.root) or not path.is_file():
            raise ToolError(f"file: expected a file under {self.root.name or 'the served folder'}; got {file!r:.100}")
        try:
            return open_signal(name_in_folder(file, self.root))
        except DeixisError as error:
            raise ToolError(str(error).replace(str(self.root), ".")) from None


def check_root(root: Path) -> None:
    """Raises InputError for a folder that is not there."""
    if not root.is_dir():
        raise InputError(f"--root: expected a folder, got '{root}'")


def _told(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "regions": answer_parts(answer), "warnings": list(answer.warnings)}


def _named(what: str) -> str:
    """A thing as a question names it."""
    return escaped(what).rstrip(". ")
