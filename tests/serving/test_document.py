"""The server is as its OpenAPI document says: Schemathesis asks what the document allows, and what it does not.

A schema says neither which files are sound nor which are stored. Every other request that the document allows is
therefore given what is there: a file, the id of one, a question about it. A longer run, of another seed:

    DOCUMENT_EXAMPLES=1000 DOCUMENT_SEED=7 pytest tests/serving/test_document.py
"""

import os
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from deixis.errors import printable
from deixis.serving.app import routed
from deixis.serving.chat.schema import EXAMPLE
from tests.fuzz.signal_seeds import single_files

EXAMPLES = int(os.environ.get("DOCUMENT_EXAMPLES", "15"))
SEED = int(os.environ.get("DOCUMENT_SEED", "0"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
"""Without positive_data_acceptance: no schema says what a sound file is, and that users and assistant take turns.
Without the checks of keys: they have tests of their own, and this server needs none."""
FILES = [own.files[own.name] for own in single_files() if own.name in ("a.png", "a.wav", "a.ply")]

document = schemathesis.openapi.from_dict(routed().openapi())
document.config.seed = SEED
document.config.generation.update(modes=list(GenerationMode))


# the server draws random numbers while Hypothesis makes the next request: not by a strategy, as it suspects
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@document.parametrize()
@seed(SEED)
@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_every_operation_is_as_the_document_says(case, server):
    is_allowed, excluded = case.meta is None or case.meta.generation.mode.is_positive, []
    if is_allowed and crc32(repr((case.path_parameters, case.body)).encode()) % 2:
        give_what_is_there(case, server)
        excluded = [negative_data_rejection]  # what it counts as wrong may be replaced
    response = case.call_and_validate(base_url=server.url, checks=CHECKS, excluded_checks=excluded)
    if response.status_code >= 400:
        message = response.json()["error"]["message"]
        assert printable(message) == message
        assert "\n" not in message


def give_what_is_there(case, server):
    """Puts the names of what the server has, and sound files, into a request."""
    named = {"name": server.service.name, "sample_id": "image-866"}
    if "file_id" in case.path_parameters:
        named = {"file_id": server.service.uploads.add("a.png", [FILES[0]]).id, "name": "picture.png"}
    case.path_parameters |= {name: value for name, value in named.items() if name in case.path_parameters}
    if case.path == "/v1/files" and isinstance(case.body, dict):
        case.body = {"file": FILES[len(case.body.get("purpose", "")) % len(FILES)]}
    elif case.path == "/v1/chat/completions" and isinstance(case.body, dict):
        case.body |= EXAMPLE | {"model": server.service.name}
