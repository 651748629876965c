"""Settings of operators and sensors, checked before anything is paid."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import PurePath
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.settings.pilot import Pilot, check_pilot
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy, check_ready_by
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.results.media import check_media_uri
from airflow_provider_genai_batch.results.sinks import check_results_uri, form_of
from airflow_provider_genai_batch.task.checks.fallback_checks import check_beside_fallbacks
from airflow_provider_genai_batch.task.checks.row_checks import check_checks, check_rows_are_read
from airflow_provider_genai_batch.wire.tables.sql import has_no_file, is_table


def check_order_settings(task: Any, *, known: Callable[[Any], bool] | None = None) -> None:
    """Refuse settings of `GenAIBatchOperator` that cannot be meant.

    Args:
        task: the operator.
        known: tells which values are known by now; None: all are, and it is where they are used.

    Raises:
        ConfigurationError, InputError: the message names the setting.
    """
    for name, check in _CHECKS.items():
        value = getattr(task, name)
        given = value is not None or name not in _MAY_BE_NONE
        if given and (known is None or known(value)):
            check(name, value)
    _check_addresses(task, known)
    _check_at_once(task, known)
    _check_used_again(task, known or (lambda _: True))
    for name in ("results_uri", "media_uri"):
        if task.wait is False and getattr(task, name) is not None:
            msg = (
                f"With wait=False no rows are landed: leave {name} to a GenAIBatchResultsOperator downstream."
            )
            raise ConfigurationError(msg)
    if task.checks:
        check_rows_are_read(task, known or (lambda _: True))
    if task.ready_by is not None or task.fallbacks is not None:
        _check_late(task, known or (lambda _: True))


def _check_late(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse what is to be asked in place of jobs that are late, and cannot be."""
    if task.ready_by is not None:
        _check_deadline(task, known)
    if task.fallbacks is not None and known(task.fallbacks):
        check_beside_fallbacks(task)


def _check_addresses(task: Any, known: Callable[[Any], bool] | None) -> None:
    if task.results_uri is not None:
        if known is None:
            check_results_uri(task.results_uri)
        elif known(task.results_uri) and not is_table(task.results_uri):
            form_of(task.results_uri)
    if task.media_uri is not None and (known is None or known(task.media_uri)):
        check_media_uri(task.media_uri)


def _check_at_once(task: Any, known: Callable[[Any], bool] | None) -> None:
    """Refuse what cannot be asked at once.

    Raises:
        ConfigurationError: its answers would have no place, or the task would not wait for them.
    """
    wanted = [
        name
        for name in ("tier", "online_below", "retry_tier", "pilot")
        if getattr(task, name) not in (None, Tier.BATCH.value)
        and (known is None or known(getattr(task, name)))
    ]
    if "pilot" in wanted and _tier_of_pilot(task) == Tier.BATCH.value:
        _check_pilot_in_batch(task)
        wanted.remove("pilot")
    if not wanted:
        return
    how = f"{wanted[0]}={getattr(task, wanted[0])!r} asks requests at once"
    if has_no_file(task.results_uri):
        if wanted == ["pilot"]:
            msg = (
                f"pilot={task.pilot!r} asks a sample at once; its answers are kept beside a file of rows, which the "
                'task does not have: give it a file as results_uri, or ask it in a job, by Pilot(rows=…, tier="batch").'
            )
            raise ConfigurationError(msg)
        msg = (
            f"{how}, and their answers are nowhere but where this task keeps them, beside its rows: give it a file as "
            f"results_uri, or leave {wanted[0]} out, as the rows of a table in BigQuery have to."
        )
        raise ConfigurationError(msg)
    if task.wait is False:
        msg = f"{how}, which takes as long as the task runs: leave wait=False out, or {wanted[0]}."
        raise ConfigurationError(msg)


def _tier_of_pilot(task: Any) -> Any:
    pilot = Pilot.of(task.pilot)
    return None if pilot is None else pilot.tier


def _check_pilot_in_batch(task: Any) -> None:
    if task.wait is False:
        msg = "pilot is judged before the other requests are asked, so the task waits: leave wait=False out."
        raise ConfigurationError(msg)
    if task.ready_by is not None:
        msg = 'A pilot of tier "batch" may take a day, and ready_by is to be kept: ask it as "standard".'
        raise ConfigurationError(msg)


def tiers_at_once(task: Any) -> list[Tier]:
    """Return the tiers in which some of a task's requests may be asked at once; what is to be rendered names none."""
    small = None if task.online_below is None else Tier.STANDARD.value
    named = [task.tier, task.retry_tier, small, _tier_of_pilot(task)]
    return [tier for tier in (Tier.FLEX, Tier.STANDARD) if tier.value in named]


def _check_used_again(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse `reuse` and `dedupe` where no rows land, for their rows come from nowhere else."""
    if not (task.reuse or task.dedupe) or not has_no_file(task.results_uri):
        return
    source = getattr(task, "src", None)
    elsewhere = isinstance(source, (str, list)) and known(source) and not str(source).startswith("bq://")
    if task.prompt is None or elsewhere or (task.results_uri is None and task.dest is None):
        raise no_place_for_unasked(task)
    results = getattr(task.reuse, "results", task.reuse)
    for one in results if isinstance(results, (list, tuple)) else [results]:
        if isinstance(one, str) and known(one) and one.strip()[:1] != "{":
            refuse_no_table(one)


def refuse_no_table(uri: str) -> None:
    """Refuse earlier results of rows in BigQuery that are no table there.

    Raises:
        ConfigurationError: they are files, or several tables named at once.
    """
    if not is_table(uri):
        msg = (
            f"reuse names {uri}, and the rows of this task are in BigQuery: what they ask is digested there in another "
            "way than in files, so no file answers them. Nothing was asked, and no model is billed. Name tables, as "
            "bq://project.dataset.table."
        )
        raise ConfigurationError(msg)
    if "*" in uri:
        msg = (
            f"reuse names {uri}, which is no single table. Nothing was asked, and no model is billed. Name each table, "
            "in a list."
        )
        raise ConfigurationError(msg)


def no_place_for_unasked(task: Any) -> ConfigurationError:
    """Return the refusal of `reuse` and `dedupe` where rows that are not asked have no place."""
    name = "reuse" if task.reuse else "dedupe"
    msg = (
        f"{name} needs a results_uri that is a file, or the rows of a table in BigQuery (prompt, src and results_uri "
        "as bq://project.dataset.table): rows that are not asked land there, beside those that are. Give it, or leave "
        f"{name} out."
    )
    return ConfigurationError(msg)


def _check_validate(name: str, value: Any) -> None:
    if value not in (None, "python"):
        msg = f'{name} is "python", or left out, not {value!r}.'
        raise ConfigurationError(msg)


def keeps_media(task: Any) -> bool:
    """Whether pictures and sound of answers have a place; a task that lands nothing leaves them to whoever does."""
    return task.media_uri is not None or task.keep is not None or task.wait is False


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False: a word such as "false" would be true.

    Raises:
        ConfigurationError: it is neither.
    """
    if not isinstance(value, bool):
        msg = f"{name} is {value!r}; give True or False."
        raise ConfigurationError(msg)


def check_seconds(name: str, value: Any, *, optional: bool = True) -> None:
    """Refuse what is no span of time; None is one that was not given, where it is `optional`.

    Raises:
        ConfigurationError: it is not, or it is nothing or less.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if not (value is None and optional) and not (_is_number(value) and 0 < value < math.inf):
        msg = f"{name} is {value!r}; give seconds above 0, as a number or a timedelta."
        raise ConfigurationError(msg)


def check_count(name: str, value: Any, *, least: int, optional: bool = True) -> None:
    """Refuse what is no number of things; None is one that was not given, where it is `optional`.

    Raises:
        ConfigurationError: it is not, or it is too small.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        msg = f"{name} is {value!r}; give a whole number, {least} or more."
        raise ConfigurationError(msg)


def check_allowance(value: Any) -> None:
    """Refuse a ``max_failed_rows`` that is neither a count (int) nor a fraction (float up to 1.0).

    Raises:
        ConfigurationError: it is neither.
    """
    if not _is_number(value) or value < 0 or (isinstance(value, float) and value > 1):
        msg = f"max_failed_rows is {value!r}; give a count (int) or a fraction of all rows (float up to 1.0)."
        if isinstance(value, float) and value > 1 and value.is_integer():
            msg += f" Write {int(value)} if {int(value)} rows may fail."
        raise ConfigurationError(msg)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, (str, type(None))):
        msg = f"{name} is {value!r}, which is not a string."
        raise ConfigurationError(msg)


def _check_deadline(task: Any, known: Callable[[Any], bool]) -> None:
    if known(task.ready_by):
        check_ready_by(task.ready_by)
    if task.wait is False or has_no_file(task.results_uri):
        need = "wait=True" if task.wait is False else "a results_uri that is a file"
        msg = (
            f"ready_by needs {need}: what is asked at the deadline is answered to the task, which writes the rows. "
            f"{'Leave wait out' if task.wait is False else 'Say where they are to land'}, or leave ready_by out."
        )
        raise ConfigurationError(msg)
    ready_by = ReadyBy.of(task.ready_by)
    if ready_by is not None and ready_by.at not in ("", "None"):
        _check_tiers_by_deadline(task)


def _check_tiers_by_deadline(task: Any) -> None:
    """Refuse tiers in which requests would be asked whatever the deadline."""
    if task.tier in _TIERS_AT_ONCE:
        msg = (
            f"tier={task.tier!r} asks all requests at once, and ready_by is about jobs that are late: leave tier out, "
            "or ready_by."
        )
        raise ConfigurationError(msg)
    pilot, ready_by = Pilot.of(task.pilot), ReadyBy.of(task.ready_by)
    other = None if ready_by is None else ready_by.model
    if pilot is not None and pilot.approve_above is not None and other not in (None, task.model):
        msg = (
            "approve_above asks a person by what the pilot's model costs, and ready_by may ask the rest of "
            f"{other!r}: leave the model of ready_by out, or approve_above."
        )
        raise ConfigurationError(msg)
    flex = Tier.FLEX.value
    for name, tier in (("retry_tier", task.retry_tier), ("pilot", _tier_of_pilot(task))):
        if tier == flex:
            msg = (
                f'{name} is asked in the tier "flex", where requests may wait for hours, and ready_by is to be kept: '
                'ask it as "standard".'
            )
            raise ConfigurationError(msg)


_WORDS = {"on_timeout": ("cancel", "leave"), "on_check": ("fail", "warn")}


def _check_word(name: str, value: Any) -> None:
    one, other = _WORDS[name]
    if value not in (one, other):
        msg = f'{name} is "{one}" or "{other}", not {value!r}.'
        raise ConfigurationError(msg)


_TIERS = [tier.value for tier in Tier]
_TIERS_AT_ONCE = [tier.value for tier in Tier if tier.at_once]


def _check_tier(name: str, value: Any) -> None:
    words = _TIERS if name == "tier" else _TIERS_AT_ONCE
    if value not in words and not (value is None and name == "retry_tier"):
        msg = f"{name} is {' or '.join(f'{word!r}' for word in words)}, not {value!r}."
        raise ConfigurationError(msg)


def _check_cost(name: str, value: Any) -> None:
    if value is not None and not (_is_number(value) and 0 < value < math.inf):
        msg = f"{name} is {value!r}; give USD above 0, as a number."
        raise ConfigurationError(msg)


def check_reuse(name: str, value: Any) -> None:
    """Refuse what names no earlier results.

    Raises:
        ConfigurationError: it names none.
    """
    results = getattr(value, "results", value)
    if results in (None, True, False) and value is results:
        return
    for one in results if isinstance(results, (list, tuple)) else [results]:
        path = isinstance(one, (str, PurePath)) and str(one)
        if one is not True and not path and not isinstance(one, Mapping) and not hasattr(one, "results_uri"):
            msg = (
                f"{name} is {value!r}; give True, an address or path of landed rows, a manifest, a list of these, or "
                "Reuse(results, max_age=…)."
            )
            raise ConfigurationError(msg)
    age = getattr(value, "max_age", None)
    if age is not None and age <= timedelta(0):
        msg = f"max_age of {name} is {age!r}; give a timedelta above 0."
        raise ConfigurationError(msg)


def check_answers(name: str, value: Any) -> None:
    """Refuse words for `keep` and `truncated` that are none.

    Raises:
        ConfigurationError: it is none.
    """
    words = {"keep": (None, "response"), "truncated": ("ok", "invalid")}[name]
    if not (value is None or isinstance(value, str)) or value not in words:
        msg = f"{name} is {' or '.join(map(repr, words))}, not {value!r}."
        raise ConfigurationError(msg)


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "checks": check_checks,
    "pilot": check_pilot,
    **dict.fromkeys(("on_check", "on_timeout"), _check_word),
    **dict.fromkeys(("keep", "truncated"), check_answers),
    **dict.fromkeys(("results_uri", "media_uri", "display_name", "prompt_name"), _check_text),
    **dict.fromkeys(("wait", "deferrable", "cancel_on_kill", "reattach"), check_flag),
    **dict.fromkeys(("ordered", "plan_only", "dedupe"), check_flag),
    "poll_interval": partial(check_seconds, optional=False),
    **dict.fromkeys(("timeout", "pending_timeout"), check_seconds),
    "max_failed_rows": lambda _, value: check_allowance(value),
    "retry_failed_rows": partial(check_count, least=0, optional=False),
    "max_active_jobs": partial(check_count, least=1, optional=False),
    **dict.fromkeys(
        ("max_requests_per_job", "max_bytes_per_job", "max_bytes"), partial(check_count, least=1)
    ),
    "max_cost": _check_cost,
    "validate": _check_validate,
    **dict.fromkeys(("tier", "retry_tier"), _check_tier),
    "online_below": partial(check_count, least=1),
    "reuse": check_reuse,
}
_MAY_BE_NONE = ("checks", "pilot")
"""Not given, so there is nothing to check. The other checks say themselves what None is."""
