"""Airflow's pages in a browser: the form of a connection with its test button, links of a task, runs, logs."""

from __future__ import annotations

import json
import re
import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.processes.child import free_port
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.hooks.connection_form import BEHAVIOUR, FIELDS
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from tests.airflow_stack import AirflowStack, DagRun
from tests.browser.browser import CHROMEDRIVER, CHROMIUM, WHAT_TO_INSTALL, Browser
from tests.browser.connections import ConnectionForm, press_test
from tests.browser.runs import question_page, run_page, task_page

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(None in (CHROMIUM, CHROMEDRIVER), reason=WHAT_TO_INSTALL),
]

DAGS = Path(__file__).with_name("dags")
API_KEY = f"AIza{random.token_urlsafe(26)}"
WRONG_KEY = f"AIza{random.token_urlsafe(26)}"
SERVICES = FIELDS["backend"]["schema"]["values_display"]
HOUR = 3600
# Airflow 3.3.1 and 3.3.2 test no connection without a port; that of a host's own URL is what counts.
PORT = "443"


@dataclass
class World:
    airflow: AirflowStack
    emulator: Emulator
    browser: Browser

    def deferred_for_an_hour(self) -> DagRun:
        self.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=HOUR)))
        run = self.airflow.client.trigger("reviews")
        self.airflow.client.wait_for_task(run, "answer", "deferred")
        return run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage) -> Iterator[World]:
    home = tmp_path_factory.mktemp("airflow")
    with Emulator(storage=cloud_storage, api_keys=[API_KEY]) as emulator:
        settings = {
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_VAR_GENAI_BATCH_RESULTS": str(home / "results"),
            "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(emulator.connection("vertex")),
            "STORAGE_EMULATOR_HOST": cloud_storage.url,
        }
        with AirflowStack(home, DAGS, settings) as airflow, Browser(airflow.url) as browser:
            yield World(airflow, emulator, browser)


@pytest.fixture
def form(world: World) -> ConnectionForm:
    return ConnectionForm(world.browser, GenAIBatchHook.hook_name)


def account(emulator: Emulator) -> dict[str, str]:
    extra = emulator.connection("vertex")["extra"]
    return {**extra, "backend": SERVICES["vertex"], "keyfile_dict": json.dumps(extra["keyfile_dict"])}


def test_the_form_has_every_field_that_the_package_declares(world: World, form: ConnectionForm) -> None:
    assert {"host", "port", "password"} <= form.names()
    assert form.names().isdisjoint(BEHAVIOUR["hidden-fields"])
    assert set(BEHAVIOUR["relabeling"].values()) <= set(form.labels())
    types = form.extras()
    assert types.keys() == FIELDS.keys()
    secret = {name for name, field in FIELDS.items() if field["schema"].get("format") == "password"}
    assert {name for name, kind in types.items() if kind == "password"} == secret
    form.open_extras()
    for field in FIELDS.values():
        assert field["label"] in form.labels()
        assert field["description"] in form.labels()
    assert form.choices() == set(SERVICES.values())
    world.browser.screenshot("connection-form")


def test_a_gemini_connection_made_in_the_form_passes_airflows_test(
    world: World, form: ConnectionForm
) -> None:
    url = world.emulator.url
    form.fill({"connection_id": "gemini", "host": url, "port": PORT, "password": API_KEY})
    form.fill_extras({"backend": SERVICES["gemini"], "api_version": "v1beta"})
    form.save()
    verdict = press_test(world.browser, "gemini")
    world.browser.screenshot("connection-test-passed")
    assert verdict.title == "Test Connection Successful"
    assert verdict.text == f"gemini answers at {url}"


def test_a_vertex_connection_made_in_the_form_passes_airflows_test(
    world: World, form: ConnectionForm
) -> None:
    url = world.emulator.url
    form.fill({"connection_id": "vertex", "host": url, "port": PORT})
    form.fill_extras(account(world.emulator))
    form.save()
    verdict = press_test(world.browser, "vertex")
    assert verdict.title == "Test Connection Successful"
    assert verdict.text == f"vertex answers at {url}"
    stored = world.airflow.client.call("GET", "/connections/vertex")
    assert json.loads(stored["extra"])["backend"] == "vertex"


def test_a_wrong_key_is_told_and_not_shown(world: World, form: ConnectionForm) -> None:
    form.fill({"connection_id": "wrong_key", "host": world.emulator.url, "port": PORT, "password": WRONG_KEY})
    form.save()
    verdict = press_test(world.browser, "wrong_key")
    world.browser.screenshot("connection-test-failed")
    assert verdict.title == "Test Connection Failed"
    assert "API key" in verdict.text
    assert WRONG_KEY not in world.browser.driver.page_source


def test_a_host_where_nobody_answers_is_told_and_no_key_is_shown(world: World, form: ConnectionForm) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    form.fill({"connection_id": "nobody", "host": url, "port": PORT, "password": API_KEY})
    form.save()
    verdict = press_test(world.browser, "nobody")
    assert verdict.title == "Test Connection Failed"
    assert url in verdict.text
    assert API_KEY not in world.browser.driver.page_source


def test_a_damaged_service_account_is_told_and_not_shown(world: World, form: ConnectionForm) -> None:
    extra = account(world.emulator)
    key = json.loads(extra["keyfile_dict"])
    # As pasted by somebody who lost a line of it.
    key["private_key"] = re.sub(r"\n.{64}\n", "\n", key["private_key"], count=1)
    form.fill({"connection_id": "damaged", "host": world.emulator.url, "port": PORT})
    form.fill_extras({**extra, "keyfile_dict": json.dumps(key)})
    form.save()
    verdict = press_test(world.browser, "damaged")
    assert verdict.title == "Test Connection Failed"
    assert "service-account key" in verdict.text
    for line in key["private_key"].splitlines()[1:-1]:
        assert line not in world.browser.driver.page_source


def test_a_deferred_task_leads_to_its_job_and_rows_and_its_run_shows_the_end(world: World) -> None:
    browser, run = world.browser, world.deferred_for_an_hour()
    browser.go(f"{task_page(run, 'answer')}/details")
    browser.see("Deferred")
    links = {name: browser.link(name) for name in ("Batch job", "Rows")}
    browser.screenshot("task-deferred")
    job = world.emulator.jobs[-1]["name"].rpartition("/")[2]
    assert links["Batch job"].startswith("https://console.cloud.google.com/vertex-ai/")
    assert job in links["Batch job"]
    assert links["Rows"].startswith(
        "https://console.cloud.google.com/storage/browser/emulator-staging/reviews"
    )

    world.emulator.clock.advance(HOUR)
    assert world.airflow.client.wait_for(run) == "success"
    browser.go(run_page(run))
    browser.see("GenAIBatchOperator")
    browser.see("Success")
    browser.screenshot("run")
    browser.go(task_page(run, "answer"))
    browser.see("Rows: 4 of 4 ok; they are in gs://emulator-staging/reviews/")
    browser.see("Created job ")
    browser.screenshot("task-log")


def test_a_person_sees_what_a_task_may_cost_and_answers_of_its_pilot_and_rejects_it(world: World) -> None:
    browser, client = world.browser, world.airflow.client
    run = client.trigger("approved_reviews")
    world.airflow.wait_for_question(run, "classify")
    jobs, tries = len(world.emulator.jobs), client.task(run, "classify")["try_number"]
    browser.go(question_page(run, "classify"))
    for text in (
        "19950 of 20000",
        "Expected total cost",
        "Answers of the pilot:",
        "Without an answer within 8 h",
    ):
        browser.see(text)
    browser.screenshot("question")
    path = f"{run.path}/taskInstances/classify/-1/hitlDetails"
    yes, _ = client.call("GET", path)["options"]
    browser.see(f"{yes} for 19950 requests to gemini-2.5-flash?")
    browser.see(yes)
    browser.click("Reject")
    assert client.wait_for(run) == "failed"
    assert client.task(run, "classify")["try_number"] == tries
    browser.go(task_page(run, "classify"))
    browser.see("ApprovalRejected")
    browser.see("19950 requests were not submitted. The pilot cost 0.00")
    browser.screenshot("rejected")
    assert len(world.emulator.jobs) == jobs
