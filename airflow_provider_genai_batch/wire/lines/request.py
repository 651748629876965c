"""One request: from any spelling that users write to the body of one line.

Source: Google's GenerateContentRequest reference; captures of what Google's google-genai SDK sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.catalog.model_names import check_same_model
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.lines.beside import FOREIGN, check_no_list, read_beside
from airflow_provider_genai_batch.wire.partners.content import messages_of
from airflow_provider_genai_batch.wire.partners.fields import partner_fields
from airflow_provider_genai_batch.wire.partners.request import (
    PartnerRequest,
    custom_id,
    finished,
    own_request,
)
from airflow_provider_genai_batch.wire.prompts.config import (
    check_one_schema,
    checked_against,
    merged,
    request_fields,
)
from airflow_provider_genai_batch.wire.prompts.content import contents, is_prompt
from airflow_provider_genai_batch.wire.prompts.embed import embed_config, embed_request, takes_text_only
from airflow_provider_genai_batch.wire.spelling import as_written, camel, fields_of

_PROMPTS = frozenset({"contents", "content"})


_NOTHING: tuple[str | None, dict[str, str] | None, dict[str, Any]] = (None, None, {})


class WireRequest(NamedTuple):
    """One request as it is sent; `wire.lines.entry` writes it."""

    key: str | None
    """None: none was given, so one is stamped."""
    request: dict[str, Any]
    metadata: dict[str, str] | None = None
    """Beside the key, returned with the row; Gemini inline only."""
    beside: dict[str, Any] | None = None
    """Other fields beside the request, by the user's names; Vertex AI only, which returns them with the row."""
    family: Family = Family.GOOGLE
    """The model family whose format the request has."""


class SpelledDefaults(NamedTuple):
    """Fields that every request of a job gets, as `spell_defaults` returns them."""

    fields: dict[str, Any]
    checked: str
    """The schema that every answer is checked against; see `checked_against`."""


def spell_defaults(defaults: Any, *, backend: Backend, task: Task, model: str) -> SpelledDefaults:
    """Convert the fields that every request of a job gets, once for all requests.

    Args:
        defaults: SDK config or REST fields; None: there are none.
        backend: where the requests go.
        task: generate or embed.
        model: the job's model.

    Raises:
        RequestError: one of them cannot be sent.
    """
    if defaults is None:
        return SpelledDefaults({}, "")
    if (family := family_of(model)) is not Family.GOOGLE:
        return SpelledDefaults(partner_fields(defaults, family), checked_against(defaults))
    if task is Task.EMBED:
        return SpelledDefaults(embed_config(defaults, backend), "")
    return SpelledDefaults(request_fields(defaults, backend), checked_against(defaults))


def rest_request(item: Any, *, backend: Backend, task: Task, model: str, defaults: Any = None) -> WireRequest:
    """Convert one request into REST, with lowerCamel names.

    Args:
        item: a prompt (string, part, Content, list of them); `BatchRequest`; SDK spelling
            (``contents, config, metadata, key``); REST spelling (``key, request``) or a bare request; dicts
            or objects of ``google.genai.types``, in any mixture.
        backend: where it goes.
        task: generate or embed.
        model: the job's model.
        defaults: SDK config or REST fields for every request, or the result of `spell_defaults`; the request's own
            values win.

    Raises:
        RequestError: it cannot be sent; with the field's name and the remedy.
    """
    if not isinstance(defaults, SpelledDefaults):
        defaults = spell_defaults(defaults, backend=backend, task=task, model=model)
    if (family := family_of(model)) is not Family.GOOGLE:
        return _of_a_partner(item, family, model, defaults)
    given = _opened(item, task, model, backend)
    if task is Task.EMBED:
        own = embed_config(given.config, backend, origin=given.origin)
        config = {**defaults.fields, **own}
        request = embed_request(given.prompt, config, backend=backend, model=model)
        if takes_text_only(model, backend) and (given.key is not None or given.beside):
            strange = next(iter(given.beside or ())) if given.key is None else "key"
            msg = f"{model} takes lines with content and nothing else, but there is {strange}"
            raise RequestError(msg, "Leave it out: rows join by their text. Or use a gemini-embedding model.")
    else:
        own = {}
        if given.config is not None:
            own = request_fields(given.config, backend, flat=given.flat, origin=given.origin)
        if defaults.checked and "generationConfig" in own:
            check_one_schema(defaults.checked, own)
        fields = merged(defaults.fields, own) if defaults.fields else own
        request = {"contents": contents(given.prompt, backend), **fields}
    return WireRequest(given.key, request, given.metadata, given.beside or None)


def _of_a_partner(item: Any, family: Family, model: str, defaults: SpelledDefaults) -> WireRequest:
    """Convert a request to a partner's model from the partner's format or from Google's."""
    asked = own_request(item, family, model)
    if asked is None:
        given = _opened(_keyed(item), Task.GENERATE, model, Backend.VERTEX)
        if given.key is not None:
            custom_id(given.key, family)
        turns = contents(given.prompt, Backend.VERTEX)
        own = partner_fields(given.config, family, flat=given.flat, origin=given.origin)
        fields = {**own, "messages": messages_of(turns, family, model)}
        asked = PartnerRequest(fields, given.key, given.beside)
    for name, value in (asked.beside or {}).items():
        check_no_list(name, value)
    return WireRequest(
        asked.key,
        finished(asked, family, model, defaults.fields, defaults.checked),
        None,
        asked.beside or None,
        family,
    )


def _keyed(item: Any) -> Any:
    """Rename the partner's ``custom_id`` of a prompt to ``key``, so that it can be read as Google's format."""
    if isinstance(item, Mapping) and "custom_id" in item and "key" not in item:
        return {("key" if name == "custom_id" else name): value for name, value in item.items()}
    return item


class _Opened(NamedTuple):
    """The fields of a request, as the user spelled them."""

    prompt: Any
    config: Any = None
    flat: bool = True
    key: str | None = None
    metadata: dict[str, str] | None = None
    beside: dict[str, Any] | None = None
    origin: Any = None
    """The source of `config`, if `config` has lowerCamel names by now."""


def _opened(item: Any, task: Task, model: str, backend: Backend) -> _Opened:
    if isinstance(item, (str, list, tuple)):
        return _Opened(item)
    fields = fields_of(item)
    if fields and "request" in fields:
        return _from_envelope(item, fields, task, model, backend)
    if fields and not _PROMPTS.isdisjoint(fields):
        return _from_parameters(item, fields, task, model, backend)
    if is_prompt(item):
        return _Opened(item)
    raise _not_a_request(item, fields, task)


def _from_envelope(item: Any, fields: dict[str, Any], task: Task, model: str, backend: Backend) -> _Opened:
    """Open ``{"key": …, "request": {…}, "metadata": {…}}``."""
    others = {
        name: value
        for name, value in _written(item, fields)
        if camel(name) not in ("key", "request", "metadata")
    }
    inside = fields_of(fields["request"])
    if inside is None:
        msg = f"request is not an object: request is of type {type(fields['request']).__name__}"
        raise RequestError(msg, "Give a GenerateContentRequest as a dict or an object.")
    key, metadata, beside = read_beside(fields, others, backend)
    if "config" in inside:
        msg = "config inside request is the SDK's spelling"
        raise RequestError(
            msg, "Write generationConfig, systemInstruction, tools, …, or put config beside contents."
        )
    prompt, rest = _prompt_and_rest(inside, task, model)
    return _Opened(prompt, rest, False, key, metadata, beside, fields["request"])


def _from_parameters(item: Any, fields: dict[str, Any], task: Task, model: str, backend: Backend) -> _Opened:
    """Open ``{"contents": …, "config": …, "metadata": …, "key": …}`` or a bare GenerateContentRequest."""
    key, metadata, beside = _NOTHING
    if "key" in fields or "metadata" in fields:
        key, metadata, beside = read_beside(fields, {}, backend)
    config = fields.pop("config", None)
    prompt, rest = _prompt_and_rest(
        {name: value for name, value in fields.items() if name not in ("key", "metadata")}, task, model
    )
    if config is not None and rest:
        msg = f"{next(iter(rest))} stands beside config"
        raise RequestError(msg, "Put everything into config, or leave config out and write REST fields.")
    if config is not None:
        return _Opened(prompt, config, True, key, metadata, beside)
    return _Opened(prompt, rest, False, key, metadata, beside, item)


def _prompt_and_rest(fields: dict[str, Any], task: Task, model: str) -> tuple[Any, dict[str, Any]]:
    rest = dict(fields)
    check_same_model(rest.pop("model", None), model)
    given = [
        rest.pop(name)
        for name in ("contents", "content")
        if name in rest and (task is Task.EMBED or name == "contents")
    ]
    name = "content" if task is Task.EMBED else "contents"
    if len(given) != 1:
        msg = f"the request has no {name}" if not given else "the request has content and contents"
        raise RequestError(msg, f"Give {name} once.")
    if not given[0] and isinstance(given[0], (list, tuple, Mapping)):
        msg = f"the request has no {name}: it is empty"
        raise RequestError(msg, "Give at least one prompt.")
    return given[0], rest


def _written(item: Any, fields: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return the fields as the user spelled them."""
    return item.items() if isinstance(item, Mapping) else fields.items()


def _not_a_request(item: Any, fields: dict[str, Any] | None, task: Task) -> RequestError:
    if fields is None:
        return RequestError(
            f"a request cannot be of type {type(item).__name__}", "Give a string, a dict or a BatchRequest."
        )
    prompt = "content" if task is Task.EMBED else "contents"
    for name in fields:
        if name in FOREIGN:
            remedy = FOREIGN[name].replace("contents", prompt)
            return RequestError(f"unknown field {as_written(item, name)!r} and no {prompt}", remedy)
    shown = ", ".join(sorted(as_written(item, name) for name in fields)) or "nothing"
    remedy = f'Give {{"{prompt}": …}} or {{"request": {{…}}}}.'
    if fields and task is Task.GENERATE:
        column = as_written(item, next(iter(fields)))
        remedy += f' For rows of a table give prompt to the operator, such as prompt="… {{{column}}} …".'
    return RequestError(f"neither {prompt} nor request: there is {shown}", remedy)
