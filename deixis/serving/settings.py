"""What a server allows: where it listens, who may ask, and how much of everything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, no_type_check

from deixis.files.budget import MB
from deixis.options import Bounds, Checked, Count, Natural, Positive

LOCALHOST = "127.0.0.1"


@no_type_check
@dataclass(frozen=True)
class ServerSettings(Checked):
    """Limits of one server; every one has a sentence of its own when it is met.

    Attributes:
        host, port: where it listens.
        key_file: of API keys, hashed; required for every host but localhost.
        allow_origins: of pages that may ask from a browser (CORS), beside the studio.
        label_studio_url, label_studio_key: of the Label Studio whose tasks are annotated, and its access token.
        remote_hosts: names of hosts whose files may be fetched by URL; none by default.
        uploads: folder of uploaded files, which servers may share; where none is named, one that goes with the server.
        queue_size: requests that wait, beside those that are answered; more are refused with 429.
        batch_rows: requests that are answered together.
        requests_per_minute: of one key, or one address.
        max_file_bytes: of one file.
        max_body_bytes: of one request, in which files may be written as data URLs.
        max_stored_bytes: of all uploaded files; the oldest go first.
        max_stored_files: uploaded files, however small; the oldest go first.
        stored_s: how long an uploaded file stays.
        max_signals: files of one conversation.
        max_turns: questions of one conversation.
        max_new_tokens: of one answer.
        request_s: for one request, waiting included.
        reading_s, reading_mb: time and memory for parsing one file.
        readers: processes that parse files.
        signal_cache_bytes: of opened signals.
    """

    host: str = LOCALHOST
    port: Annotated[int, Bounds(least=0, most=65535)] = 8000
    key_file: Path | None = None
    allow_origins: tuple[str, ...] = ()
    remote_hosts: tuple[str, ...] = ()
    label_studio_url: str | None = None
    label_studio_key: str | None = None
    uploads: Path | None = None
    queue_size: Count = 64
    batch_rows: Count = 16
    requests_per_minute: Count = 600
    max_file_bytes: Count = 256 * MB
    max_body_bytes: Count = 384 * MB
    max_stored_bytes: Count = 4096 * MB
    max_stored_files: Count = 4096
    stored_s: Positive = 24 * 3600.0
    max_signals: Count = 16
    max_turns: Count = 64
    max_new_tokens: Count = 640
    request_s: Positive = 300.0
    reading_s: Positive = 30.0
    reading_mb: Count = 2048
    readers: Count = 1
    signal_cache_bytes: Natural = 512 * MB
