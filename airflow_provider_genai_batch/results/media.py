"""Bytes of pictures and sound as they stand in an answer, and names for the files that they become."""

from __future__ import annotations

import io
from binascii import a2b_base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError

_CHARACTERS = 4 * 64 * 1024
"""Of base64, decoded at a time."""
_BYTES = _CHARACTERS // 4 * 3
_OTHER_ALPHABET = str.maketrans({"-": "+", "_": "/", **dict.fromkeys(" \t\r\n")})
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_LONGEST_KEY = 120
"""Characters of a key in a name. What follows it has less than 80, and the commonest limit is 255 bytes."""
_HEX = 16
LONGEST_NAME = "x" * 200
"""As long as the longest name of a file: to find out whether a folder takes it."""


def check_media_uri(uri: str) -> None:
    """Refuse what names no folder for media.

    Raises:
        ConfigurationError: it does not.
    """
    scheme, separator, rest = uri.partition("://")
    if not uri.strip() or "*" in uri or scheme == "bq" or (separator and not rest.strip("/")):
        msg = (
            f"media_uri={uri!r} is not a folder for pictures and sound: give one in object storage, such as "
            "gs://bucket/media/, or a path."
        )
        raise ConfigurationError(msg)


class Base64Bytes(io.RawIOBase):
    """The bytes that base64 stands for, as a file: decoded while they are read, so that they are never held whole.

    Args:
        text: base64 of either alphabet, with its padding or without.
        header: gives the bytes that come before, by the number of those that the text stands for.

    Attributes:
        size: bytes in all.

    Raises:
        ValueError: it is no base64. Some of it shows only when it is read.
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
        """Go to a place."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Give so many bytes, or all that are left, in no more room than they need."""
        left = max(0, self.size - self._at)
        return super().read(left if size < 0 else min(size, left)) or b""

    def readinto(self, buffer: Any) -> int:
        """Give the next bytes, as many as are asked for, or as there are."""
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
        ValueError: it is no base64.
    """
    digest = sha256()
    stream.seek(0)
    while chunk := stream.read(_BYTES):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()


def media_name(key: str | None, candidate: int, part: int, digest: str, ending: str) -> str:
    """Return the name of a file: key, candidate and part, then the begin of its digest.

    With the digest a name stands for its content: whoever writes it again writes the same, whatever other task has
    the same key, and a later night or round that is answered otherwise takes no other file's place. Letters of either
    case are no trouble for the same reason.

    Args:
        key: the row's; None: it has none.
        candidate: which answer, from 0.
        part: which part of it, from 0.
        digest: of the file, in hex.
        ending: without its point.
    """
    return f"{safe_key(key)}-{candidate}-{part}-{digest[:_HEX]}.{ending}"


def safe_key(key: str | None) -> str:
    """Spell a key so that it can be part of any file's name.

    Letters of English, digits, ``_``, ``-`` and points but the first stay; other bytes of its UTF-8 become ``=2F``, as
    in quoted-printable, which reads it back. One that gets too long is cut, and ends in ``~`` and its own digest. None
    becomes ``=``.
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
    """Whether a first look finds nothing that has to be mended; the rest is seen when it is decoded."""
    return "=" not in text[:-2] and not any(odd in text for odd in "-_ \t\r\n")


def _plain(text: str) -> str:
    """Spell base64 as it is decoded here.

    Raises:
        ValueError: it is none.
    """
    text = text.translate(_OTHER_ALPHABET).rstrip("=")
    if len(text) % 4 == 1:
        msg = f"{len(text)} characters are not base64"
        raise ValueError(msg)
    return text + "=" * (-len(text) % 4)


def _decoded_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


def _decoded(text: str) -> bytes:
    """Decode one slice; Python passes over what is not of the alphabet, and then too little comes."""
    try:
        data = a2b_base64(text)
    except ValueError as error:
        msg = f"it is no base64: {error}"
        raise ValueError(msg) from error
    if len(data) != _decoded_size(text):
        msg = "it is not base64: there are characters that base64 does not have"
        raise ValueError(msg)
    return data
