"""Run the demonstration: ``python -m tests.demo`` in the root of the repository, or ``make demo``."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.airflow_stack import AirflowStack
from tests.airflow_stack.google import emulated_google
from tests.demo.emulator_command import EmulatorCommand
from tests.demo.loading import client_of, into_bigquery, into_jsonl
from tests.demo.report import Step, say
from tests.demo.runs import in_bigquery, in_jsonl, run_and_report
from tests.demo.texts import CREDIT, reviews, tweets

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "demo"
PROJECT = "emulator-project"
DATASET = "reviews"


def main() -> int:
    """Set up, run, report, and stop everything.

    Returns:
        0 when both DAGs ran to success.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="source distribution of vaderSentiment")
    parser.add_argument("--keep", action="store_true", help="leave all running until Ctrl-C")
    options = parser.parse_args()
    _keep_inside(FOLDER)
    # So that whatever was started is stopped when this is ended by a signal. A shell starts programs in the
    # background with SIGINT ignored, which Python leaves as it is.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            succeeded = demonstrate(options.texts, stack)
            if options.keep:
                say("Running until Ctrl-C.")
                signal.pause()
            say("… stopping everything")
    except KeyboardInterrupt:
        succeeded = options.keep
    shutil.rmtree(FOLDER / "tmp")
    say("✓ everything has stopped; databases, logs and rows are in build/demo")
    return 0 if succeeded else 1


def demonstrate(texts: Path, stack: ExitStack) -> bool:
    """Start everything, run two of the examples and print their results.

    Args:
        texts: Source distribution of vaderSentiment.
        stack: Stops at its end what is started here.

    Returns:
        Whether both succeeded.
    """
    with Step("starting the emulator of both services, Cloud Storage and BigQuery"):
        emulator = stack.enter_context(EmulatorCommand(pending=2, running=4))
    client = stack.enter_context(client_of(PROJECT, emulator.bigquery))
    with Step("loading real texts"):
        rows = into_bigquery(reviews(texts), client, DATASET)
        lines = into_jsonl(tweets(texts), FOLDER / "tweets.jsonl")
    say(f"  {rows} sentences of product reviews into BigQuery, {lines} tweets into a JSONL file:")
    say(f"  {CREDIT}")
    say("  The answers are those of the emulator's pretend model; no model is asked and nothing is paid.")
    with Step("starting Airflow: API server, scheduler, DAG processor, triggerer"):
        home = FOLDER / "airflow"
        airflow = stack.enter_context(AirflowStack(home, ROOT / "example_dags", _variables(emulator)))
    say(f"  {airflow.url} — no login: every visitor is an administrator")
    say(f"  the emulator: {emulator.url}/_emulator/jobs and {emulator.url}/_emulator/requests")
    return all(
        [
            run_and_report(
                airflow.client,
                "nightly_bigquery",
                f"{rows} reviews from a BigQuery table to a BigQuery table, by Vertex AI",
                in_bigquery(client),
            ),
            run_and_report(
                airflow.client,
                "jsonl_through_files_api",
                f"{lines} tweets through the Files API, by the Gemini API",
                in_jsonl,
            ),
        ]
    )


def _keep_inside(folder: Path) -> None:
    """Have every process write its temporary files into the checkout."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")


def _variables(emulator: EmulatorCommand) -> dict[str, str]:
    google = emulated_google(
        emulator.connection("gemini"),
        emulator.connection("vertex"),
        storage=emulator.storage,
        bigquery=emulator.bigquery,
        project=PROJECT,
    )
    return {
        **google,
        "AIRFLOW_VAR_GENAI_BATCH_DATASET": DATASET,
        "AIRFLOW_VAR_GENAI_BATCH_JSONL": str(FOLDER / "tweets.jsonl"),
        "AIRFLOW_VAR_GENAI_BATCH_RESULTS": str(FOLDER / "results"),
    }


if __name__ == "__main__":
    sys.exit(main())
