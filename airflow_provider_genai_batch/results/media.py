"""The bytes of pictures and sound in an answer, and names for the files that they become."""

from __future__ import annotations

import io
from binascii import a2b_base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError

_CHARACTERS = 4 * 64 * 1024
"""Characters of base64 that are decoded at a time."""
_BYTES = _CHARACTERS // 4 * 3
_OTHER_ALPHABET = str.maketrans({"-": "+", "_": "/", **dict.fromkeys(" \t\r\n")})
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_LONGEST_KEY = 120
"""Characters of a key in a file name. The rest of the name has fewer than 80; the usual limit is 255 bytes."""
_HEX = 16
LONGEST_NAME = "x" * 200
"""As long as the longest file name, to find out whether a folder accepts it."""


def check_media_uri(uri: str) -> None:
    """Refuse a URI that is not a folder for media.

    Raises:
        ConfigurationError: it is not a folder.
    """
    scheme, separator, rest = uri.partition("://")
    if not uri.strip() or "*" in uri or scheme == "bq" or (separator and not rest.strip("/")):
        msg = (
            f"media_uri={uri!r} is not a folder for pictures and sound: give one in object storage, such as "
            "gs://bucket/media/, or a path."
        )
        raise ConfigurationError(msg)


class Base64Bytes(io.RawIOBase):
    """Base64 text as a binary file: it is decoded while it is read, so the bytes are never held as a whole.

    Args:
        text: base64 of either alphabet, with or without padding.
        header: returns bytes that come before the decoded ones; takes the number of decoded bytes.

    Attributes:
        size: bytes in all.

    Raises:
        ValueError: it is not base64. Some errors show only when it is read.
    """

    def __init__(self, text: str, header: Callable[[int], bytes] = lambda _size: b"") -> None:
        super().__init__()
        self._text = text if len(text) % 4 == 0 and _is_plain(text) else _plain(text)
        size = _decoded_size(self._text)
        self._head, self._at = header(size), 0
        self.size = len(self._head) + size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or all that are left, without allocating more than that."""
        left = max(0, self.size - self._at)
        return super().read(left if size < 0 else min(size, left)) or b""

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into a buffer; return their number."""
        view, begin = memoryview(buffer), self._at
        while data := self._next(len(view) - (self._at - begin)):
            at = self._at - begin
            view[at : at + len(data)] = data
            self._at += len(data)
        return self._at - begin

    def _next(self, most: int) -> bytes:
        if self._at < len(self._head):
            return self._head[self._at : self._at + most]
        begin = self._at - len(self._head)
        group = begin // 3
        groups = min((begin % 3 + most + 2) // 3, _CHARACTERS // 4)
        return _decoded(self._text[4 * group : 4 * (group + groups)])[begin % 3 :][:most]


def digest_of_bytes(stream: Base64Bytes) -> str:
    """Return the SHA-256 of all bytes, in hex.

    Raises:
        ValueError: it is not base64.
    """
    digest = sha256()
    stream.seek(0)
    while chunk := stream.read(_BYTES):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()


def media_name(key: str | None, candidate: int, part: int, digest: str, ending: str) -> str:
    """Return a file's name: key, candidate and part, then the beginning of its digest.

    Because of the digest, a name identifies its content. Writing a file again writes the same content, even if another
    task has the same key. A later run or round with another answer overwrites no other file. For the same reason, file
    systems that ignore case cause no conflict.

    Args:
        key: the row's key; None: it has none.
        candidate: number of the candidate, from 0.
        part: number of the part, from 0.
        digest: of the file, in hex.
        ending: without the dot.
    """
    return f"{safe_key(key)}-{candidate}-{part}-{digest[:_HEX]}.{ending}"


def safe_key(key: str | None) -> str:
    """Encode a key so that it can be part of any file's name.

    English letters, digits, ``_``, ``-`` and any dot except a leading one stay; other bytes of its UTF-8 become
    ``=2F``, as in quoted-printable, which decodes it. A key that gets too long is cut, and ends in ``~`` and its own
    digest. None becomes ``=``.
    """
    if key is None:
        return "="
    data = key.encode(errors="surrogatepass")
    spelled = [
        chr(byte) if byte in _SAFE and (place or byte != ord(".")) else f"={byte:02X}"
        for place, byte in enumerate(data[:_LONGEST_KEY])
    ]
    if len(data) <= _LONGEST_KEY and sum(map(len, spelled)) <= _LONGEST_KEY:
        return "".join(spelled)
    name, most = "", _LONGEST_KEY - 1 - _HEX
    for letter in spelled:
        if len(name) + len(letter) > most:
            break
        name += letter
    return f"{name}~{sha256(data).hexdigest()[:_HEX]}"


def _is_plain(text: str) -> bool:
    """Whether a first look finds nothing to normalize; decoding finds the rest."""
    return "=" not in text[:-2] and not any(odd in text for odd in "-_ \t\r\n")


def _plain(text: str) -> str:
    """Normalize base64 for the decoder.

    Raises:
        ValueError: it is not base64.
    """
    text = text.translate(_OTHER_ALPHABET).rstrip("=")
    if len(text) % 4 == 1:
        msg = f"{len(text)} characters are not base64"
        raise ValueError(msg)
    return text + "=" * (-len(text) % 4)


def _decoded_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


def _decoded(text: str) -> bytes:
    """Decode one slice; Python skips characters outside the alphabet, which then shows in the size."""
    try:
        data = a2b_base64(text)
    except ValueError as error:
        msg = f"it is no base64: {error}"
        raise ValueError(msg) from error
    if len(data) != _decoded_size(text):
        msg = "it is not base64: there are characters that base64 does not have"
        raise ValueError(msg)
    return data
