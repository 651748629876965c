"""Checks of an operator's parameters when it is built, which is when its DAG is parsed.

Only known values are checked then: not templates, and not outputs of other tasks. All parameters are checked again
before anything is paid. Airflow builds an instance of a mapped task when it runs, so its errors appear then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_provider_genai_batch.exceptions import GenAIBatchError, UnsupportedError
from airflow_provider_genai_batch.operators.templates import rendered_parts
from airflow_provider_genai_batch.task.settings.known import is_known, stands_for_more


def check_order(task: Any) -> None:
    """Refuse a `GenAIBatchOperator` that cannot work, whatever its templates will be.

    Raises:
        ConfigurationError, InputError: the message names the parameter.
    """
    from airflow_provider_genai_batch.task.checks.checks import check_order_settings

    check_order_settings(task, known=is_known)
    if is_known(task.model):
        _check_for_some_service(lambda backend: _read_model(task.model, backend))
    source = _known_source(task)
    if is_known([task.config, task.dest, task.display_name, task.webhook]):
        from airflow_provider_genai_batch.wire.parameters.destinations import read_settings

        read_settings(task.config, dest=task.dest, display_name=task.display_name, webhook=task.webhook)
    if task.labels is not None and is_known(task.labels):
        from airflow_provider_genai_batch.wire.parameters.labels import check_labels, refuse_own_labels

        check_labels(task.labels)
        refuse_own_labels(task.labels)
    if source is not None and source.bigquery_uri and is_known(task.model):
        from airflow_provider_genai_batch.wire.catalog.matrix import check_places

        check_places(task.model, source, None, None)
    if task.prompt is not None:
        from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt

        Prompt(task.prompt)
    _check_table(task, source)
    _check_tiers(task, source)
    _check_answers(task, source)
    _check_columns(task, source)
    _check_media(task)
    if task.ready_by is not None:
        _check_ready_by(task, source)
    if task.fallbacks and is_known(task.fallbacks):
        _check_fallbacks(task, source)
    if task.pilot is not None and is_known(task.pilot):
        from airflow_provider_genai_batch.hooks.approval import check_asking

        check_asking(task.pilot)


def _check_table(task: Any, source: Any) -> None:
    """Check the settings for rows of a BigQuery table, as far as they are known; refuse them for other sources."""
    from airflow_provider_genai_batch.requests.tables.row_settings import RowSettings
    from airflow_provider_genai_batch.task.tables import ask

    if source is None:
        return
    if task.prompt is None or not source.bigquery_uri:
        ask.refuse_table_settings(task)
        if is_known([one for one in (task.key, task.columns) if one is not None]):
            RowSettings.of(task.key, task.columns)
        return
    # Otherwise the connection decides whether rows pass through the worker.
    ask.refuse_landing(task, streamed=task.validate == "python")
    settings = {name: getattr(task, name) for name in ask.TABLE_SETTINGS if name != "validate"}
    settings["results_uri"] = task.results_uri
    if is_known(
        [
            task.dest,
            task.config,
            task.where or "",
            *(value for value in settings.values() if value is not None),
        ]
    ):
        from airflow_provider_genai_batch.wire.parameters.destinations import read_settings

        destination = read_settings(task.config, dest=task.dest).destination
        read = ask.read_ask(source.bigquery_uri, destination, output_type=task.output_type, **settings)
        if task.reuse or task.dedupe:
            read.looking_back()


def _check_columns(task: Any, source: Any) -> None:
    """Check the columns of a table that rows of other sources than BigQuery are loaded into."""
    from airflow_provider_genai_batch.task.tables.typed import typed_of

    uri = task.results_uri
    if source is None or uri is None or (task.prompt is not None and source.bigquery_uri):
        return
    if is_known([task.model, uri, task.rename or ""]):
        _check_for_some_service(lambda backend: typed_of(task, backend))


def check_results(task: Any) -> None:
    """Refuse a `GenAIBatchResultsOperator` that cannot work, whatever its templates will be.

    Raises:
        ConfigurationError, InputError: the message names the parameter.
    """
    from airflow_provider_genai_batch.results.media import check_media_uri
    from airflow_provider_genai_batch.results.sinks import form_of
    from airflow_provider_genai_batch.task.checks.row_checks import check_ended
    from airflow_provider_genai_batch.task.checks.values import CHECKS
    from airflow_provider_genai_batch.wire.tables.sql import is_table

    for name in ("max_failed_rows", "ordered", "keep", "truncated", "on_check"):
        if is_known(value := getattr(task, name)):
            CHECKS[name](name, value)
    if is_known(task.checks):
        check_ended(task)
    if is_known(task.results_uri) and not is_table(task.results_uri):
        form_of(task.results_uri)
    if task.media_uri is not None and is_known(task.media_uri):
        check_media_uri(task.media_uri)
    if task.src is not None:
        _known_source(task)
    if task.output_type is not None:
        from airflow_provider_genai_batch.wire.schemas.output_type import answer_check

        answer_check(task.output_type)


def _known_source(task: Any) -> Any:
    """Read the source that `src` names, if it is known. Requests in it are data, whatever they contain."""
    src = task.src
    if src is None or isinstance(src, Iterator) or stands_for_more(src):
        return None
    if callable(src) and not isinstance(src, type):
        return None
    if not is_known(rendered_parts(src)):
        return None
    from airflow_provider_genai_batch.wire.parameters.sources import read_rows, read_source

    return read_source(src) if getattr(task, "prompt", None) is None else read_rows(src)


def _check_tiers(task: Any, source: Any) -> None:
    """Refuse immediate calls to models that neither service offers there, or of inputs that only a job can read."""
    from airflow_provider_genai_batch.task.checks.at_once import tiers_at_once

    wanted = tiers_at_once(task)
    if not wanted:
        return
    in_table = source is not None and source.bigquery_uri and task.prompt is not None
    if source is not None and not in_table and (source.bigquery_uri or source.file_name):
        from airflow_provider_genai_batch.task.inputs.unreadable import unreadable_source

        raise unreadable_source(source.bigquery_uri or source.file_name)
    if is_known(task.model):
        from airflow_provider_genai_batch.wire.catalog.publishers import task_of
        from airflow_provider_genai_batch.wire.catalog.tiers import check_tier

        def check(backend: Any) -> None:
            model = _read_model(task.model, backend)
            for tier in wanted:
                check_tier(tier, model, backend, task_of(model), "global")

        _check_for_some_service(check, _places(task.model))


def _check_answers(task: Any, source: Any) -> None:
    """Check the type of the answers, and the fields of every request."""
    defaults = task.request_defaults if is_known(task.request_defaults) else None
    if task.output_type is not None:
        from airflow_provider_genai_batch.wire.catalog.publishers import check_has_type
        from airflow_provider_genai_batch.wire.schemas.output_type import answer_check, ask_for

        answer_check(task.output_type)
        if is_known(task.model):
            check_has_type(task.model)
        asked = source is not None and source.bigquery_uri and task.prompt is not None
        if source is not None and (source.written_here or asked):
            defaults = ask_for(task.output_type, defaults)
    if defaults is not None and is_known(task.model):
        from airflow_provider_genai_batch.requests.defaults import check_defaults

        places = _places(task.model)
        _check_for_some_service(lambda backend: check_defaults(defaults, backend, task.model), places)


def _check_ready_by(task: Any, source: Any) -> None:
    """Refuse a deadline if the requests can only be submitted as a batch job."""
    from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
    from airflow_provider_genai_batch.task.inputs.unreadable import refuse_unreadable
    from airflow_provider_genai_batch.task.ready.tiers import tiers_of

    if source is not None:
        refuse_unreadable(source, "ready_by")
    ready_by = ReadyBy.of(task.ready_by)
    if ready_by is not None and is_known([task.model, ready_by]):
        places = _places(task.model)
        _check_for_some_service(lambda backend: tiers_of(ready_by, task.model, backend), places)


def _check_fallbacks(task: Any, source: Any) -> None:
    """Refuse fallbacks that no service offers."""
    from airflow_provider_genai_batch.models.settings.fallback import read_fallbacks
    from airflow_provider_genai_batch.models.tier import Tier
    from airflow_provider_genai_batch.task.inputs.unreadable import refuse_unreadable
    from airflow_provider_genai_batch.wire.catalog.publishers import task_of
    from airflow_provider_genai_batch.wire.catalog.tiers import check_tier

    if source is not None:
        refuse_unreadable(source, "fallbacks")
    for one in read_fallbacks(task.fallbacks):
        name, tier = task.model if one.model is None else one.model, Tier(one.tier)

        def check(backend: Any, name: Any = name, tier: Tier = tier) -> None:
            model = _read_model(name, backend)
            if tier.at_once:
                check_tier(tier, model, backend, task_of(model), "global")

        if is_known(name):
            _check_for_some_service(check, _places(name))


def _check_media(task: Any) -> None:
    """Refuse a task whose requests all ask for pictures or sound, if these would not be kept."""
    from airflow_provider_genai_batch.task.checks.checks import keeps_media

    if keeps_media(task) or not is_known([task.model, task.request_defaults]):
        return
    from airflow_provider_genai_batch.models.base import Task
    from airflow_provider_genai_batch.requests.defaults import refuse_media_of_all
    from airflow_provider_genai_batch.wire.catalog.publishers import task_of

    if task_of(task.model) is Task.GENERATE:
        _check_for_some_service(
            lambda backend: refuse_media_of_all(task.request_defaults, backend, task.model)
        )


def _places(model: Any) -> list[Any]:
    """Return the services that run the model in a batch: what the others say of it helps nobody."""
    from airflow_provider_genai_batch.models.base import Backend

    return [backend for backend in Backend if _runs(model, backend)]


def _runs(model: Any, backend: Any) -> bool:
    try:
        _read_model(model, backend)
    except GenAIBatchError:
        return False
    return True


def _check_for_some_service(check: Callable[[Any], object], backends: Sequence[Any] | None = None) -> None:
    """Refuse what neither service accepts; the connection decides which service it is when the task runs."""
    from airflow_provider_genai_batch.models.base import Backend

    refusals: list[GenAIBatchError] = []
    for backend in backends or Backend:
        try:
            check(backend)
        except GenAIBatchError as error:
            refusals.append(error)
        else:
            return
    # An error that neither service can do this says more than one that the name belongs to the other service.
    raise next((error for error in refusals if isinstance(error, UnsupportedError)), refusals[0])


def _read_model(model: Any, backend: Any) -> str:
    from airflow_provider_genai_batch.wire.catalog.model_names import read_model

    return read_model(model, backend)
