"""Requests that ask for pictures or sound, and the kinds of files that answers bring.

Source: Google's GenerationConfig reference (``responseModalities``, ``speechConfig``, ``imageConfig``); its guides on
image and speech generation, whose models carry the word in their names, and whose samples wrap speech, which comes as
``audio/L16;codec=pcm;rate=24000`` in the byte order of WAV, which is little-endian.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.values import get, mapping

_MADE_FOR = {
    "pictures": re.compile(r"(?:^|-)(?:image|banana)(?:-|$)"),
    "sound": re.compile(r"(?:^|-)(?:tts|native-audio)(?:-|$)"),
}
"""What models answer with that have a word in their name."""
_MODALITIES = {"IMAGE": "pictures", "AUDIO": "sound", "VIDEO": "video"}
_BESIDE = {"imageConfig": "pictures", "speechConfig": "sound"}
"""Fields of ``generationConfig`` that are of use for nothing else."""
REMEDY = (
    'Give media_uri, a folder such as "gs://bucket/media/", and they are written there as files; or keep="response", '
    "and each row has them as base64"
)

_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/flac": "flac",
    "audio/aiff": "aiff",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "application/json": "json",
}
_UNKNOWN = "bin"
_SAMPLES = frozenset({"audio/l16", "audio/pcm"})
"""Types of bare samples, 16 bits each: no player opens them without a header."""
_SAMPLE_BYTES = 2


class MediaKind(NamedTuple):
    """What a file of an answer's bytes is."""

    ending: str
    mime_type: str
    """Of the file, which is another than that of the bytes where a header is written before them."""
    rate: int = 0
    """Samples a second; 0: the bytes are the file."""
    channels: int = 1

    def header(self, size: int) -> bytes:
        """Return what comes before so many bytes: of bare samples the header of WAV."""
        if not self.rate:
            return b""
        frame = self.channels * _SAMPLE_BYTES
        layout = (16, 1, self.channels, self.rate, self.rate * frame, frame, 8 * _SAMPLE_BYTES)
        return (
            struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
            + struct.pack("<4sIHHIIHH", b"fmt ", *layout)
            + struct.pack("<4sI", b"data", size)
        )


def media_kind(mime_type: str) -> MediaKind:
    """Tell by a part's type what file its bytes make; one that nobody knows is ``.bin``."""
    name, *rest = (word.strip().lower() for word in mime_type.split(";"))
    if name not in _SAMPLES:
        return MediaKind(_ENDINGS.get(name, _UNKNOWN), mime_type)
    said = dict(word.partition("=")[::2] for word in rest)
    rate, channels = _number(said.get("rate")), _number(said.get("channels")) or 1
    if not rate:
        return MediaKind("pcm", mime_type)
    return MediaKind("wav", "audio/wav", rate, channels)


def asks_for(request: Mapping[str, Any], model: str) -> str | None:
    """Tell why a request is answered with pictures or sound: what it says, else the model's name; None: it is not.

    Args:
        request: with its fields spelled as the service has them; defaults are merged in.
        model: the job's.
    """
    if given := request.get("generationConfig") or request.get("generation_config"):
        config = mapping(given)
        modalities = get(config, "responseModalities")
        if isinstance(modalities, list) and modalities:
            for asked in map(str, modalities):
                if made := _MODALITIES.get(asked.upper()):
                    return f"generationConfig.responseModalities asks for {made} ({asked})"
            return None
        for name, made in _BESIDE.items():
            if get(config, name):
                return f"generationConfig.{name} asks for {made}"
    name = model.rpartition("/")[2]
    made = next((made for made, word in _MADE_FOR.items() if word.search(name)), "")
    return f"{name} answers with {made}" if made else None


def refuse_media(request: Mapping[str, Any], model: str) -> None:
    """Refuse a request whose answer nobody keeps; see `asks_for`.

    Raises:
        RequestError: it asks for pictures or sound.
    """
    why = asks_for(request, model)
    if why is not None:
        msg = f"{why}, and nothing says where to write them"
        by_name = not why.startswith("generationConfig")
        text = '. Where only text is wanted, give response_modalities=["TEXT"] in request_defaults'
        raise RequestError(msg, f"{REMEDY}{text if by_name else ''}.")


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 8 else 0
