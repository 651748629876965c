"""The commands: list, show, cancel, rows, check and estimate."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import timezone
from functools import wraps
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

from airflow.cli.simple_table import AirflowConsole
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_genai_batch.cli.estimate import estimate
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.exceptions import GenAIBatchError, InputError
from airflow_provider_genai_batch.flows.outcome.messages import reason
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.task.files.files import local_path, read_chunks
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.settings.order import read_order
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.catalog.matrix import kind_of
from airflow_provider_genai_batch.wire.catalog.model_names import read_model

_SHOWN = 80
"""The most characters of an answer in a table."""
_TABLE = 100
"""The most rows of a table."""


def _command(command: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """Print an error of this package in one line, and exit with status 1, without a word if nobody reads on."""

    @wraps(command)
    def run(args: Namespace) -> None:
        # Airflow gives connections of the metadata database only to processes of the deployment. This is one.
        os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
        try:
            command(args)
            sys.stdout.flush()
        except (GenAIBatchError, AirflowNotFoundException) as error:
            raise SystemExit(f"{type(error).__name__}: {error}") from error
        except BrokenPipeError as error:
            # What is left in the buffer is written when the process ends, and would fail there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from error

    return run


@contextmanager
def _client(args: Namespace) -> Iterator[GenAIBatchClient]:
    with _logs_apart(), GenAIBatchHook(args.conn_id).get_conn() as client:
        yield client


@contextmanager
def _logs_apart() -> Iterator[None]:
    """Send what Airflow logs on standard output to the error stream, because other programs read the answer there."""
    # Handlers of Airflow 2 have no stream of their own and write to whatever standard output is at the time.
    handlers = [each for each in logging.getLogger().handlers if vars(each).get("stream") is sys.stdout]
    for handler in handlers:
        cast("logging.StreamHandler[Any]", handler).setStream(sys.stderr)
    with redirect_stdout(sys.stderr):
        yield


@_command
def list_(args: Namespace) -> None:
    """Print jobs, newest first."""
    with _client(args) as client:
        jobs = list(islice(filter(_wanted(args), client.list(filter=args.filter)), args.limit))
    _print([_brief(job) for job in jobs], args.output)


@_command
def show_(args: Namespace) -> None:
    """Print one job."""
    with _client(args) as client:
        job = client.get(args.job).model_dump(mode="json", exclude_none=True)
    fields = [{"field": name, "value": value} for name, value in _flat(job)]
    _print([job] if args.output in ("json", "yaml") else fields, args.output)


@_command
def cancel_(args: Namespace) -> None:
    """Request the cancellation of a job."""
    with _client(args) as client:
        became = client.run(cancel_job(client.calls, args.job)).words
    if args.output == "table":
        print(f"{args.job} {became}.")  # noqa: T201 - a command's answer
    else:
        _print([{"name": args.job, "answer": became}], args.output)


@_command
def rows_(args: Namespace) -> None:
    """Print the rows of an ended job while they are read."""
    answer = sys.stdout
    with _client(args) as client:
        job = client.get(args.job)
        if not job.done:
            msg = (
                f"Job {job.name} has not ended: it is {job.state.value}, and has rows only once it has ended."
            )
            raise InputError(msg)
        rows = client.plain_rows(job)
        if (first := next(rows, None)) is None:
            why = f" ({reason(job)})" if job.problem else ""
            print(f"Job {job.name} ended as {job.state.value} and has no rows{why}.", file=sys.stderr)  # noqa: T201
            return
        found = islice(_with_status(chain([first], rows), args.status), args.limit)
        if args.output == "json" or (args.output is None and not answer.isatty()):
            for row in found:
                print(_json(row), file=answer)
            return
        table = [_short(row) for row in islice(found, _TABLE)]
    _print(table, "table")


@_command
def check_(args: Namespace) -> None:
    """Read a file of requests as the operator does, and print what the operator would do with it."""
    if args.backend and local_path(args.file) is not None:
        with _logs_apart():
            verdict = _checked(args, GenAIBatchClient(_nobody(Backend(args.backend), args.model)))
    else:
        with _client(args) as client:
            _check_backend(args, client.config.backend)
            verdict = _checked(args, client)
    _print([verdict], args.output)


@_command
def estimate_(args: Namespace) -> None:
    """Plan the requests of a file as the operator does, and print what they may cost."""
    defaults = _object(args.request_defaults)
    output_type = None if args.output_type is None else _named(args.output_type)
    with _client(args) as client:
        found = estimate(client, args, defaults, output_type)
    if args.output in ("json", "yaml"):
        _print([found.as_dict()], args.output)
        return
    _print([{"field": name, "value": value} for name, value in found.lines().items()], args.output)


def _object(text: str | None) -> Any:
    try:
        found = None if text is None else json.loads(text)
    except ValueError as error:
        msg = f"--request-defaults is not valid JSON: {error}"
        raise InputError(msg) from error
    if not isinstance(found, (dict, type(None))):
        msg = f"--request-defaults is {found!r}; give a JSON object."
        raise InputError(msg)
    return found


def _named(text: str) -> Any:
    """Import the object that ``module:Name`` names."""
    module, _, name = text.partition(":")
    sys.path.insert(0, str(Path.cwd()))  # python -m does this by itself, but the airflow command does not
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        msg = f"--output-type {text} cannot be imported ({error}). Give it as module:Name."
        raise InputError(msg) from error
    finally:
        sys.path.pop(0)


def _print(records: list[dict[str, Any]], output: str) -> None:
    """Print as Airflow's commands do, but keep numbers in JSON, and text in tables; Airflow changes both.

    Its tables read brackets in a text as styles, and names between colons as pictures.
    """
    if output == "json":
        print(_json(records))  # noqa: T201 - a command's answer
    else:
        AirflowConsole(markup=False, emoji=False).print_as(records, output)


def _json(value: Any) -> str:
    """Return JSON for any terminal and file: characters that are not printable are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if printable(text, len(text)) == text else json.dumps(value)


def _check_backend(args: Namespace, backend: Backend) -> None:
    """Refuse a service that is not the one of the connection through which the file is read."""
    if args.backend in (None, backend.value):
        return
    msg = (
        f"--backend is {args.backend}, but {args.file} is read through the connection {args.conn_id}, whose service is "
        f"{backend.value}: give another --conn-id, or leave --backend out."
    )
    raise InputError(msg)


def _nobody(backend: Backend, model: str) -> ClientConfig:
    """Return settings of a client that reads a local file and calls no service, with a location that runs the model."""
    places = kind_of(read_model(model, backend)).places
    location = "global" if places["global"].allowed else "us-central1"
    return ClientConfig(backend, api_key="none", project="none", location=location, staging_uri="gs://none/")


def _checked(args: Namespace, client: GenAIBatchClient) -> dict[str, Any]:
    report = {"file": args.file, "backend": client.config.backend.value}
    return report | (_checked_lines(args, client) if args.prompt is None else _checked_table(args, client))


def _checked_lines(args: Namespace, client: GenAIBatchClient) -> dict[str, Any]:
    order = read_order(client.config, model=args.model, src=args.file)
    if order.source.file_name or order.source.bigquery_uri:
        msg = f"Only the service reads {args.file}, so its requests cannot be checked here."
        raise InputError(msg)
    # A task splits what is too much for one job.
    most = sys.maxsize
    check = Preflight(
        order.backend, order.task, order.model, name=args.file, max_bytes=most, max_requests=most
    )
    for _ in check.blocks(read_chunks(args.file, client)):
        pass
    sent = "as it is" if check.unchanged else "with changes"
    return _verdict(check.rows, check.bytes, check.keyless, sent)


def _checked_table(args: Namespace, client: GenAIBatchClient) -> dict[str, Any]:
    order = read_order(client.config, model=args.model, src=args.file, prompt=args.prompt)
    assert order.prompt is not None  # noqa: S101 - it was given
    with ExitStack() as stack:
        reader = InputReader(stack, client, order.source, order.model, None, order.prompt, several_jobs=True)
        writer = reader.table_writer(order.prompt)
        size = sum(map(len, writer.blocks(reader.table_rows(order.prompt))))
    return _verdict(
        writer.rows, size, writer.rows, f"a request a row, with {', '.join(order.prompt.columns)}"
    )


def _verdict(requests: int, size: int, stamped: int, sent: str) -> dict[str, Any]:
    return {"requests": requests, "bytes": size, "keys to be added": stamped, "sent": sent}


def _wanted(args: Namespace) -> Callable[[BatchJob], bool]:
    """Return a filter for jobs. It uses only fields that the lists of both services show."""
    states = {JobState(state) for state in args.state or ()}

    def wanted(job: BatchJob) -> bool:
        created = job.create_time
        return (
            (not states or job.state in states)
            and (args.name is None or args.name in (job.display_name or ""))
            and (args.since is None or (created is not None and created >= args.since))
            and (args.until is None or (created is not None and created < args.until))
        )

    return wanted


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and value of each field of an object, except empty ones."""
    for name, it in value.items():
        path = f"{prefix}{name}"
        if isinstance(it, dict):
            yield from _flat(it, f"{path}.")
        elif isinstance(it, list) and it:
            yield path, ", ".join(each if isinstance(each, str) else _json(each) for each in it)
        elif it not in ("", []):
            yield path, it


def _with_status(rows: Iterator[PlainRow], status: str | None) -> Iterator[PlainRow]:
    return (row for row in rows if status in (None, row.get("status")))


def _short(row: PlainRow) -> dict[str, Any]:
    key, error = row.get("key"), row.get("error")
    said = row.get("text") or (error and _cause(error)) or row.get("output") or ""
    return {
        "key": key and printable(str(key)),
        "status": row.get("status"),
        "answer": printable((said if isinstance(said, str) else _json(said))[:_SHOWN]),
    }


def _cause(error: Mapping[str, Any]) -> str:
    code, message = f"{error.get('code') or ''} {error.get('status') or ''}".strip(), error.get("message")
    return f"{code}: {message}" if code and message else code or str(message or "")


def _brief(job: BatchJob) -> dict[str, Any]:
    counts = job.counts
    return {
        "name": job.name,
        "state": job.state.value,
        "model": job.model,
        "display_name": job.display_name,
        "created": job.create_time and f"{job.create_time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "requests": counts.total,
    }
