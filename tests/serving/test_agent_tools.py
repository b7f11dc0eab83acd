"""The tools of `deixis mcp`, called by the protocol's own client: in this process, and the real command once."""

import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from deixis.serving.agent_tools import AgentTools
from tests.serving.conftest import SCENE


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("files")
    shutil.copy(SCENE, root / "scene.png")
    return root


def with_client(source: Any, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Client(source) as client:
            return await use(client)

    return anyio.run(run)


@pytest.fixture(scope="module")
def tools(bundled, folder):
    return AgentTools(bundled, folder)


def called(tools: AgentTools, name: str, **arguments: Any) -> Any:
    return with_client(tools.server(), lambda client: client.call_tool(name, arguments))


def test_an_agent_asks_about_a_region(tools):
    region = {"box_xyxy": [33, 329, 143, 434]}
    result = called(tools, "ask", question="What is {0}?", files=["scene.png"], regions=[region])
    assert result.structured_content["text"] == "A blue mug."


def test_an_agent_locates_and_segments(tools):
    (box,) = called(tools, "locate", what="the orange car", file="scene.png").structured_content["regions"]
    assert box["box_xyxy"] == pytest.approx([268, 166, 411, 292], abs=20)
    (mask,) = called(tools, "segment", what="the orange car", file="image:scene.png").structured_content["regions"]
    assert mask["mask"]["size"] == [512, 512]


def test_an_agent_gets_a_drawing(tools):
    result = called(tools, "draw", question="Mark the orange car.", files=["scene.png"])
    assert result.content[0].type == "image"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({"files": ["../secret.png"]}, "expected a file under", id="above-the-root"),
        pytest.param({"files": ["/etc/passwd"]}, "expected a file under", id="absolute"),
        pytest.param({"files": []}, "expected at least one file", id="no-file"),
        pytest.param(
            {"files": ["scene.png"], "regions": [{"box_xyxy": [0, 0, 9000, 1]}]}, "lies outside", id="outside"
        ),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_for_the_agent(tools, arguments, sentence):
    result = called(tools, "ask", question="What is this?", **arguments)
    assert result.is_error
    assert sentence in result.content[0].text


def test_the_command_lists_its_tools_over_stdin_and_stdout(folder):
    command = StdioServerParameters(command=sys.executable, args=["-m", "deixis", "mcp", "--root", str(folder)])
    listed = with_client(command, lambda client: client.list_tools())
    assert {tool.name for tool in listed.tools} == {"abilities", "ask", "locate", "segment", "draw"}
