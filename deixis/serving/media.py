"""Files inside messages: data URLs, base64, ids of uploads; every one becomes an upload, so that it is read once.

A URL of another host is fetched only where the server allows that host by name (`remote`); no path of this machine is.
"""

import base64
import binascii
import re

from anyio.to_thread import run_sync

from deixis.serving.chat.schema import AudioPart, AudioUrlPart, FilePart, ImagePart, MediaPart, VideoPart
from deixis.serving.errors import RequestError
from deixis.serving.remote import fetch
from deixis.serving.service import Service
from deixis.signals import Signal

_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII)
ENDINGS = {"jpeg": "jpg", "x-wav": "wav", "wave": "wav", "mpeg": "mp3", "quicktime": "mov", "x-matroska": "mkv"}
"""Subtypes of media types whose files end otherwise."""
SHOWN = 60


async def signal_of(service: Service, part: MediaPart, field: str, owner: str) -> Signal:
    """The signal in the file of a part. Raises RequestError for a URL, data or a file that cannot be used."""
    modality, number = part.modality, part.number
    if isinstance(part, FilePart):
        if part.file.file_id is not None:
            return await service.open(service.uploads.get(part.file.file_id, owner), field)
        data, name = part.file.file_data or "", part.file.filename or ""
        return await _stored(service, data, name, f"{field}.file.file_data", owner, modality, number)
    if isinstance(part, AudioPart):
        own, field = part.input_audio, f"{field}.input_audio"
        return await _stored(service, own.data, f"audio.{own.format}", field, owner, modality or "audio", number)
    if isinstance(part, ImagePart):
        field = f"{field}.image_url.url"
        return await signal_of_url(service, part.image_url.url, field, owner, modality or "image", number)
    if isinstance(part, VideoPart):
        field = f"{field}.video_url.url"
        return await signal_of_url(service, part.video_url.url, field, owner, modality or "video", number)
    assert isinstance(part, AudioUrlPart), "these are all parts with a file"
    field = f"{field}.audio_url.url"
    return await signal_of_url(service, part.audio_url.url, field, owner, modality or "audio", number)


async def signal_of_url(
    service: Service, url: str, field: str, owner: str, modality: str, number: float | None = None
) -> Signal:
    """The signal in the file of a URL. Raises RequestError as `signal_of`."""
    if url.startswith("data:"):
        return await _stored(service, url, "", field, owner, modality, number)
    content, name = await fetch(url, service.settings, field)
    _, signal = await service.add(name, [content], owner, modality, number, field)
    return signal


async def _stored(
    service: Service, data: str, name: str, field: str, owner: str, modality: str | None, number: float | None
) -> Signal:
    match = _DATA.match(data)
    if match is None and data.startswith("data:"):
        raise RequestError(f"{field}: expected data:TYPE;base64,DATA; got {data[:SHOWN]!r}", param=field)
    kind, _, subtype = ((match and match["type"]) or "").partition("/")
    name = name or f"{kind or 'file'}{f'.{ENDINGS.get(subtype, subtype)}' if subtype else ''}"
    content = await run_sync(_decoded, data, match.end() if match else 0, field)
    _, signal = await service.add(name, [content], owner, modality, number, field)
    return signal


def _decoded(data: str, start: int, field: str) -> bytes:
    try:
        return base64.b64decode(data[start:] if start else data, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(f"{field}: expected a file in base64; got {data[:SHOWN]!r}", param=field) from None
