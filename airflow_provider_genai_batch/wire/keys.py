"""Keys: they match the rows that come back to their requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from struct import unpack
from typing import Any

from msgspec.json import Decoder

from airflow_provider_genai_batch.exceptions import RequestError

MAX_KEY_CHARACTERS = 512
"""Keys of all rows are held while rows are matched, so a key must be short."""

_WIDTH, _WIDEST = 8, 18
"""The least and the most digits of a stamp; the index has to fit 63 bits."""
_LEAD = 10**_WIDTH
_numbers = Decoder(list[int]).decode
_TAKEN_AS_TEXT = re.compile(r"[A-Za-z_][ -~]*")
_WORDS = frozenset(
    {"true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "null", "none", "nan", "inf", "infinity"}
)
_MARK = "key="
_CUSTOM_MARK = "_key-"
"""Uses only characters that a ``custom_id`` may have."""

MASK = (1 << 63) - 1
"""Mask for sums of key digests."""
_EMPTY = blake2b(digest_size=8)
_TOGETHER = 1024
_THREE_DIGITS = [f"{number:03d}" for number in range(1000)]


def check_key(key: Any) -> None:
    """Refuse an invalid key.

    Raises:
        RequestError: not a string, empty, too long, or not encodable as UTF-8.
    """
    if not isinstance(key, str):
        msg = f"key is {key!r}, not a string"
        raise RequestError(msg, "Write it in quotes.")
    if not key:
        msg = "key is empty"
        raise RequestError(msg, "Give a name, or leave key out to have one stamped.")
    if len(key) > MAX_KEY_CHARACTERS:
        msg = f"key has {len(key)} characters, more than {MAX_KEY_CHARACTERS}"
        raise RequestError(msg, "All keys are held in memory while rows are joined: use a short id.")
    if not key.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in key):
        msg = "key holds half of a surrogate pair"
        raise RequestError(msg, "Keys are UTF-8 text.")


def stamp(index: int) -> str:
    """Return the key for a request without one, at `index` (from 0): ``r00000042``.

    It starts with a letter. Up to a hundred million, it sorts in the order of the numbers.
    """
    return f"r{index:0{_WIDTH}d}"


def stamps(begin: int, end: int) -> list[str]:
    """Return the stamps of the places from `begin` up to `end`, at a third of the cost of `stamp`."""
    found: list[str] = []
    while begin < end:
        thousand, first = divmod(begin, 1000)
        last = min(1000, first + end - begin)
        found += map(f"r{thousand:0{_WIDTH - 3}d}".__add__, _THREE_DIGITS[first:last])
        begin += last - first
    return found


def stamped_index(key: str) -> int | None:
    """Return the index that `stamp` put into a key; None for any other key."""
    width = len(key) - 1
    if width < _WIDTH or key[0] != "r":
        return None
    digits = key[1:]
    # Python reads other scripts' digits too, and refuses to read thousands of them.
    if not digits.isascii() or not digits.isdecimal():
        return None
    if width != _WIDTH and not (width <= _WIDEST and digits[0] != "0"):
        return None
    return int(digits)


def stamped_indices(keys: Sequence[str]) -> Sequence[int | None]:
    """Return `stamped_index` of several keys; together, stamps of the usual width cost a quarter."""
    joined, number = ",".join(keys), len(keys)
    digits = joined.replace("r", "").replace(",", "")
    step = _WIDTH + 2
    # With as many digits, each letter and each comma is in its place, so no key has a comma of its own.
    stamped = len(digits) == _WIDTH * number and digits.isascii() and digits.isdecimal()
    if not stamped or joined[::step] != "r" * number or joined[step - 1 :: step] != "," * (number - 1):
        return [stamped_index(key) for key in keys]
    # JSON numbers cannot begin with zeros, so each gets a digit in front.
    return [number - _LEAD for number in _numbers(f"[{joined.replace('r', '1')}]")]


def sum_of_stamps(begin: int, end: int) -> int:
    """Return the sum of the digests of the stamps of some places, see `key_digest`."""
    firsts = range(begin, end, _TOGETHER)
    return sum(sum(key_digests(stamps(one, min(one + _TOGETHER, end)))) for one in firsts)


def spell_key(key: str) -> str:
    """Return a key as it is written for Vertex AI; `read_key` reverses it.

    Captures of the live service show that its importer guesses types and may turn a string such as ``"0042"`` into a
    number. So a key that could be read as something else gets a prefix.
    """
    return key if _is_plain(key, _MARK) else _MARK + key


def read_key(key: str) -> str:
    """Return the key without the mark of `spell_key`, if it has one."""
    return key.removeprefix(_MARK)


def spell_custom_id(key: str) -> str:
    """Return a key as ``custom_id``, marked as by `spell_key` if necessary; `read_custom_id` reverses it."""
    return key if _is_plain(key, _CUSTOM_MARK) else _CUSTOM_MARK + key


def read_custom_id(custom_id: str) -> str:
    """Return the key without the mark of `spell_custom_id`, if it has one."""
    return custom_id.removeprefix(_CUSTOM_MARK)


def _is_plain(key: str, mark: str) -> bool:
    """Whether every importer takes the key as text, and no reader takes part of it for a mark."""
    return (
        _TAKEN_AS_TEXT.fullmatch(key) is not None
        and key.strip().lower() not in _WORDS
        and not key.startswith(mark)
    )


def key_digest(key: str) -> int:
    """Return 63 bits that identify a key: the same in every process, and safe in any JSON."""
    return (
        int.from_bytes(blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest(), "little") & MASK
    )


def key_digests(keys: Sequence[str]) -> list[int]:
    """Return `key_digest` of several keys, at a third of the cost."""
    try:
        spelled = [*map(str.encode, keys)]
    except UnicodeEncodeError:
        spelled = [key.encode(errors="surrogatepass") for key in keys]
    found, empty = [], _EMPTY.copy
    for key in spelled:
        digest = empty()
        digest.update(key)
        found.append(digest.digest())
    return [number & MASK for number in unpack(f"<{len(found)}Q", b"".join(found))]
