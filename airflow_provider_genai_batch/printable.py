"""Text of others, such as the service's or a model's, on its way into logs, exceptions and XCom: the one place for it.

Rows that land are data and keep the text as it came.
"""

from __future__ import annotations

import re

LONGEST = 1000
"""Characters of one text that somebody else wrote."""
# Controls with line breaks and the escape that begins terminal sequences, other line breaks, characters that turn the
# direction of what follows, and halves of surrogate pairs. PostgreSQL stores neither the first control nor the last.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text as one line without controls, which are shown as escapes, and of bounded length.

    Of one that is too long the begin and the end stay: a display name ends with what tells whose job it is.
    """
    if len(text) <= longest and not _UNFIT.search(text):
        return text
    head, tail = (_UNFIT.sub(_escaped, part) for part in (text[:longest], text[-longest:]))
    if len(text) <= longest and len(head) <= longest:
        return head
    cut = f"… (of {len(text)} characters) …"
    end = (longest - len(cut)) // 4
    return head[: longest - len(cut) - end] + cut + tail[-end:]


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
