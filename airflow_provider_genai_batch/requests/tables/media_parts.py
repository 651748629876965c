"""Columns with URIs of pictures, sound or documents, as parts of a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError

_TURN = ("parts", "role")


def with_media(prompt: Any, media: Any) -> Any:
    """Return a prompt with a part for each column that holds a file's URI.

    Args:
        prompt: see `Prompt`.
        media: MIME types such as ``image/png`` by column, or None.

    Raises:
        ConfigurationError: `media` is not such a dict, there is no prompt, or the prompt has turns, so it is not clear
            which turn the files belong to.
    """
    if media is None:
        return prompt
    if not isinstance(media, Mapping) or not media or not all(map(_is_type, media.values())):
        msg = f'media is {media!r}: give a dict from columns to types, such as {{"photo": "image/png"}}.'
        raise ConfigurationError(msg)
    if prompt is None:
        msg = "media is for rows: give prompt, of which the files of a row become parts, or leave media out."
        raise ConfigurationError(msg)
    parts = [*prompt] if isinstance(prompt, (list, tuple)) else [prompt]
    if any(isinstance(one, Mapping) and any(name in one for name in _TURN) for one in parts):
        msg = "media goes with a prompt that is a string or a list of parts: put fileData into the turn that it is of."
        raise ConfigurationError(msg)
    files = [{"fileData": {"fileUri": f"{{{column}}}", "mimeType": kind}} for column, kind in media.items()]
    return [*parts, *files]


def _is_type(kind: Any) -> bool:
    return isinstance(kind, str) and "/" in kind
