"""The commands and their arguments, defined with Airflow's classes. A command's code is loaded when it is called."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_genai_batch import clock

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_STATES = (
    "QUEUED",
    "PENDING",
    "RUNNING",
    "SUCCEEDED",
    "PARTIALLY_SUCCEEDED",
    "FAILED",
    "CANCELLING",
    "CANCELLED",
    "PAUSED",
    "EXPIRED",
)
_COMMANDS = "airflow_provider_genai_batch.cli.commands"


def _arg(*flags: str, **more: Any) -> Arg:
    return Arg(flags, **more)  # type: ignore[no-untyped-call]  # Airflow's is not typed


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        msg = f"{text} is not a whole number of 0 or more"
        raise ArgumentTypeError(msg)
    return int(text)


def _moment(text: str) -> datetime:
    """Read a time: ISO 8601 (UTC unless it names a zone), or an age such as 90m, 36h or 7d."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    try:
        if unit and number.isascii() and number.isdigit():
            return clock.now() - timedelta(**{unit: int(number)})
        # Python 3.10 reads no Z.
        found = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    except (ValueError, OverflowError) as error:
        msg = f"{text} is not a time: write 2026-01-31, 2026-01-31T06:00 (UTC), or an age: 90m, 36h, 7d"
        raise ArgumentTypeError(msg) from error
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _limit(text: str, **more: Any) -> Arg:
    return _arg("-l", "--limit", help=text, type=_number, **more)


_CONN_ID = _arg(
    "-c", "--conn-id", help="Airflow connection id (default: %(default)s)", default="genai_batch_default"
)
_JOB = _arg(
    "job", help="the job's name, for example batches/abc123 or projects/P/locations/L/batchPredictionJobs/1"
)


def _command(name: str, text: str, *args: Any) -> ActionCommand:
    return ActionCommand(name=name, help=text, func=lazy_load_command(f"{_COMMANDS}.{name}_"), args=args)


def get_genai_batch_cli_commands() -> list[GroupCommand]:
    """Return the group of commands that Airflow (3.2 and later) adds to its own."""
    return [
        GroupCommand(
            name="genai-batch",
            help="Batch jobs on the Gemini Developer API and Vertex AI",
            subcommands=(
                _command(
                    "list",
                    "List jobs, newest first",
                    _CONN_ID,
                    _limit("most jobs to list (default: %(default)s)", default=20),
                    _arg(
                        "-s",
                        "--state",
                        help="only jobs in this state; repeat it for several states",
                        action="append",
                        type=str.upper,
                        choices=_STATES,
                    ),
                    _arg("--name", help="only jobs whose display name contains this text"),
                    _arg(
                        "--since",
                        help="only jobs created at or after this: a date, a time (UTC), or an age: 90m, 36h, 7d",
                        type=_moment,
                    ),
                    _arg("--until", help="only jobs created before this", type=_moment),
                    _arg(
                        "--filter",
                        help='a filter in the syntax of Vertex AI, for example state="JOB_STATE_RUNNING"',
                    ),
                    ARG_OUTPUT,
                ),
                _command("show", "Show a job", _JOB, _CONN_ID, ARG_OUTPUT),
                _command(
                    "cancel",
                    "Cancel a job; requests that it has already answered are billed",
                    _JOB,
                    _CONN_ID,
                    ARG_OUTPUT,
                ),
                _command(
                    "rows",
                    "Print the rows of an ended job as JSON lines, or on a terminal as a table",
                    _JOB,
                    _CONN_ID,
                    _limit("most rows to print"),
                    _arg(
                        "--status",
                        help="only rows with this status",
                        choices=("ok", "invalid", "error", "cancelled"),
                    ),
                    _arg(
                        "-o",
                        "--output",
                        help="json prints JSON lines on a terminal too",
                        choices=("json", "table"),
                    ),
                ),
                _command(
                    "check",
                    "Check a file of requests, or a table, the way the operator does before it submits",
                    _arg(
                        "file",
                        help="path or URI of a JSONL file; with --prompt of a CSV, JSONL or Parquet file",
                    ),
                    _arg("--prompt", help='turns each row into a request, for example "Classify: {text}"'),
                    _arg("--model", help="the model (default: %(default)s)", default="gemini-2.5-flash"),
                    _arg(
                        "--backend",
                        help="the service, for a local file: it is then checked without a connection",
                        choices=("gemini", "vertex"),
                    ),
                    _CONN_ID,
                    ARG_OUTPUT,
                ),
                _command(
                    "estimate",
                    "Estimate what the requests of a file would cost; nothing is submitted",
                    _arg(
                        "file",
                        help="path or URI of a JSONL file; with --prompt of a CSV, JSONL or Parquet file",
                    ),
                    _arg("--model", help="the model (default: %(default)s)", default="gemini-2.5-flash"),
                    _arg("--prompt", help="turns each row into a request: a text with {column} in it"),
                    _arg("--output-type", help="type of the answers, as module:Name"),
                    _arg(
                        "--request-defaults",
                        help="fields of every request as JSON, for example '{\"max_output_tokens\": 100}'",
                    ),
                    _arg(
                        "--reuse",
                        help="earlier results whose answers would be used again: a path or URI, which may contain *;"
                        " repeat it for several",
                        action="append",
                    ),
                    _arg(
                        "--dedupe",
                        help="count equal requests once, as if they were submitted once",
                        action="store_true",
                    ),
                    _CONN_ID,
                    ARG_OUTPUT,
                ),
            ),
        )
    ]
