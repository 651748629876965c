"""Take the pictures of README and docs from a real Airflow: ``python -m tests.pictures``, or ``make pictures``.

The DAGs, texts and emulator are those of the demo. It needs Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx

from airflow_provider_genai_batch.emulator import Emulator
from tests.airflow_stack import AirflowStack
from tests.airflow_stack.google import emulated_google
from tests.browser.browser import Browser
from tests.browser.runs import question_page, run_page, task_page
from tests.demo.emulator_command import EmulatorCommand
from tests.demo.loading import client_of, into_bigquery, into_jsonl
from tests.demo.report import Step
from tests.demo.texts import reviews, tweets

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
PROJECT = "my-project"
DATASET = "reviews"
SECONDS = 40
"""How long jobs run: so long that the first picture is taken meanwhile."""
NEGATIVE = re.compile("broke|Never|loud|late")
NO_LUCK = {"code": 13, "message": "Internal error."}


def main() -> None:
    """Run two of the examples, and save what is to be seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="source distribution of vaderSentiment")
    texts: Path = parser.parse_args().texts
    _take_question()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genai-batch-pictures-")))
        with Step("starting the emulator"):
            emulator = stack.enter_context(EmulatorCommand(pending=5, running=SECONDS))
        client = stack.enter_context(client_of(PROJECT, emulator.bigquery))
        into_bigquery(reviews(texts), client, DATASET)
        into_jsonl(tweets(texts), folder / "tweets.jsonl")
        with Step("starting Airflow"):
            airflow = stack.enter_context(
                AirflowStack(folder / "airflow", ROOT / "example_dags", _variables(emulator, folder))
            )
        with (
            Step("the run of a DAG whose job goes on"),
            Browser(airflow.url, width=1120, height=720, scale=1.25) as browser,
        ):
            _take_run(airflow, browser)
        with (
            Step("the log of a task that has ended"),
            Browser(airflow.url, width=1240, height=600, scale=1.25) as browser,
        ):
            _take_log(airflow, browser, emulator)


def _variables(emulator: EmulatorCommand, folder: Path) -> dict[str, str]:
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
        "AIRFLOW_VAR_GENAI_BATCH_JSONL": str(folder / "tweets.jsonl"),
    }


def _take_run(airflow: AirflowStack, browser: Browser) -> None:
    run = airflow.client.trigger("nightly_bigquery")
    airflow.client.wait_for_task(run, "answer", "deferred", 120)
    browser.go(run_page(run))
    browser.see("Running")
    browser.click("Show Graph (Press g)")
    browser.click("Collapse Details Panel")
    browser.see("deferred")
    _save(browser, "run")


def _take_log(airflow: AirflowStack, browser: Browser, emulator: EmulatorCommand) -> None:
    script = {"row_errors": {"17": NO_LUCK, "171": NO_LUCK, "1717": NO_LUCK}}
    httpx.post(f"{emulator.url}/_emulator/jobs", json=script, trust_env=False, timeout=120).raise_for_status()
    run = airflow.client.trigger("jsonl_through_files_api")
    airflow.client.wait_for(run, 6 * SECONDS)
    browser.go(task_page(run, "answer"))
    browser.see("Rows: ")
    browser.click("Press f for fullscreen")
    browser.press("//*[@role='dialog']//button[@aria-label='Log Settings']")
    browser.press("//*[@role='menuitem'][starts-with(normalize-space(), 'Hide Timestamps')]")
    _save(browser, "log")


def _take_question() -> None:
    """Take the page on which a person approves what a task may cost."""
    with (
        Step("the question of a task"),
        tempfile.TemporaryDirectory(prefix="genai-batch-pictures-") as folder,
        Emulator(answer=lambda asked: "negative" if NEGATIVE.search(str(asked)) else "positive") as emulator,
    ):
        variables = {
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_VAR_GENAI_BATCH_RESULTS": f"{folder}/results",
        }
        with (
            AirflowStack(Path(folder) / "airflow", ROOT / "tests" / "browser" / "dags", variables) as airflow,
            Browser(airflow.url, width=1120, height=980, scale=1.25) as browser,
        ):
            run = airflow.client.trigger("approved_reviews")
            airflow.client.wait_for_task(run, "classify", "awaiting_input", 300)
            browser.go(question_page(run, "classify"))
            browser.see("Answers of the pilot")
            _save(browser, "approval")


def _save(browser: Browser, name: str) -> None:
    """Save a picture once nothing moves any more."""
    last = b""

    def steady() -> bool:
        nonlocal last
        before, last = last, browser.driver.get_screenshot_as_png()
        return before == last

    browser.until(steady, "nothing moves")
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(last)


if __name__ == "__main__":
    main()
