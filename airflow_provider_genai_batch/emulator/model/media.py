"""Pictures and speech: small and valid, equal for equal requests, or of a size that a test sets."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
import zlib
from array import array

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject

SPEECH = "audio/L16;codec=pcm;rate=24000"
"""16 bits, one channel, no header."""

_SIDE = 8
_RATE = 24_000
_SHORTEST = _RATE // 10
_LOUD = 8_000
_CHUNK = 12
"""Bytes of a PNG chunk in addition to its content."""


def png(seed: str, size: int = 0) -> bytes:
    """Return a picture of 8 by 8 pixels.

    Args:
        seed: Equal seeds give equal pictures.
        size: The size in bytes, reached with a chunk that viewers ignore; 0: as small as possible.
    """
    digest = hashlib.shake_128(seed.encode(errors="replace"))
    points = digest.digest(3 * _SIDE * _SIDE)
    width = 3 * _SIDE
    lines = b"".join(b"\0" + points[at : at + width] for at in range(0, len(points), width))
    head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0))
    tail = _chunk(b"IDAT", zlib.compress(lines)) + _chunk(b"IEND", b"")
    missing = size - len(head) - len(tail) - _CHUNK
    filler = _chunk(b"fiLl", digest.digest(missing)) if missing >= 0 else b""
    return head + filler + tail


def pcm(seed: str, size: int = 0) -> bytes:
    """Return a tone as raw samples: a tenth of a second, or `size` bytes."""
    pitch = 220 + int.from_bytes(hashlib.sha256(seed.encode(errors="replace")).digest()[:2], "big") % 660
    samples = array(
        "h", (round(_LOUD * math.sin(2 * math.pi * pitch * at / _RATE)) for at in range(_SHORTEST))
    )
    tone = samples.tobytes()
    wanted = (size or len(tone)) // 2 * 2
    return (tone * (wanted // len(tone) + 1))[:wanted]


def part(mime_type: str, data: bytes) -> JsonObject:
    """Return a part that contains bytes."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def seconds(speech: bytes) -> float:
    """Return the duration of raw samples."""
    return len(speech) / 2 / _RATE


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
