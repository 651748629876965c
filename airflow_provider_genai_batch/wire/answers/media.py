"""Requests that ask for pictures or sound, and the kinds of files in answers.

Source: Google's GenerationConfig reference (``responseModalities``, ``speechConfig``, ``imageConfig``). Its guides on
image and speech generation: the models have the word in their names, and the samples wrap speech, which comes as
``audio/L16;codec=pcm;rate=24000`` in the byte order of WAV (little-endian).
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
"""The kind of answer of models that have such a word in their name."""
_MODALITIES = {"IMAGE": "pictures", "AUDIO": "sound", "VIDEO": "video"}
_BESIDE = {"imageConfig": "pictures", "speechConfig": "sound"}
"""Fields of ``generationConfig`` that have no other purpose."""
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
"""Types of raw samples, 16 bits each: players need a header to open them."""
_SAMPLE_BYTES = 2


class MediaKind(NamedTuple):
    """The kind of file for the bytes of an answer."""

    ending: str
    mime_type: str
    """The file's type; it differs from the bytes' type if a header is written before them."""
    rate: int = 0
    """Samples per second; 0: the bytes are the file."""
    channels: int = 1

    def header(self, size: int) -> bytes:
        """Return the header for this many bytes: a WAV header for raw samples, otherwise nothing."""
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
    """Return the kind of file for a part's type; for an unknown type, it is ``.bin``."""
    name, *rest = (word.strip().lower() for word in mime_type.split(";"))
    if name not in _SAMPLES:
        return MediaKind(_ENDINGS.get(name, _UNKNOWN), mime_type)
    said = dict(word.partition("=")[::2] for word in rest)
    rate, channels = _number(said.get("rate")), _number(said.get("channels")) or 1
    if not rate:
        return MediaKind("pcm", mime_type)
    return MediaKind("wav", "audio/wav", rate, channels)


def asks_for(request: Mapping[str, Any], model: str) -> str | None:
    """Return why a request's answer has pictures or sound, by its fields or the model's name; None if it has none.

    Args:
        request: with its fields in the service's form; defaults are merged in.
        model: the job's model.
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
    """Refuse a request if its answer would be stored nowhere; see `asks_for`.

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
