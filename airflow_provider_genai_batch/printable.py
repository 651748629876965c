"""Text for logs, exceptions and XCom: text from elsewhere, such as the service or a model, is made safe for them.

Landed rows are data, and keep the text unchanged.
"""

from __future__ import annotations

import re

LONGEST = 1000
"""The most characters of one text from elsewhere."""
# Control characters, including line breaks and the escape that begins terminal sequences; other line breaks; characters
# that change the writing direction; and halves of surrogate pairs. PostgreSQL stores neither NUL nor the halves.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text as one line of bounded length, in which control characters are shown as escapes.

    A text that is too long keeps its beginning and its end, because a display name ends with the identity of its job.
    """
    if len(text) <= longest and not _UNFIT.search(text):
        return text
    head, tail = (_UNFIT.sub(_escaped, part) for part in (text[:longest], text[-longest:]))
    if len(text) <= longest and len(head) <= longest:
        return head
    cut = f"… (of {len(text)} characters) …"
    end = (longest - len(cut)) // 4
    return head[: longest - len(cut) - end] + cut + tail[-end:]


def number_of(count: int | None, noun: str) -> str:
    """Return a number with its noun, such as ``1 request`` or ``20 requests``; None: only ``requests``."""
    if count is None:
        return f"{noun}s"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
