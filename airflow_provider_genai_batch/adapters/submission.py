"""Submission of the one job of a common.ai task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.hooks.genai_batch import open_earlier_client
from airflow_provider_genai_batch.hooks.state_store.records import JobRecords
from airflow_provider_genai_batch.hooks.task_instance import begin_of, owner_of
from airflow_provider_genai_batch.models import BatchJob, BatchSource
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.inputs.read import read_input, staging_place
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.submitter import JobSubmitter
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.settings.order import read_order


def submit(
    client: GenAIBatchClient,
    context: Any,
    identity: Identity,
    *,
    model: str,
    requests: Iterable[Any],
    defaults: Any,
) -> BatchJob:
    """Create the job of an identity, or reattach to one that is running.

    common.ai calls this when it knows of no job, or has finished with earlier ones. So this does not
    reattach to an ended job: common.ai's own record decides that, not what the service still shows.

    Raises:
        InputError: a request cannot be sent; nothing was sent.
        ConfigurationError: the connection has a `max_cost_per_day`; nothing was sent.
        CreateOutcomeUnknown: the job may have been created, and the service could not be asked.
        CallError: the service refused the call.
    """
    client.config.refuse_uncounted("other operators")
    finder, owner = JobFinder(JobWatcher(client, open_earlier_client)), owner_of(context)
    since, name = owner.run_begin, identity.display_name(owner.readable_name)
    again = context["ti"].try_number > 1
    ended = finder.find_ended(identity, since) if again else []
    order = read_order(
        client.config, model=model, src=BatchSource(stream=requests), request_defaults=defaults
    )
    with read_input(client, order.source, model=model, request_defaults=defaults) as prepared:
        return (
            JobSubmitter(finder)
            .submit(
                identity,
                lambda: order.spec(
                    identity,
                    name,
                    prepared,
                    prepared.place(client, identity, staging_place(client, None)),
                    owner.labels,
                ),
                Attempt(look_first=again, before=ended, since=since),
                display_name=name,
                records=JobRecords(context),
                budget=context["task"].timeout,
            )
            .job
        )


def find_orphan(
    client: GenAIBatchClient, context: Any, identity: Identity, intent: float | None
) -> BatchJob | None:
    """Find the job of a create call whose answer an earlier attempt did not receive.

    Args:
        client: the client of the task's connection.
        context: the task's context.
        identity: the identity of the job.
        intent: when that attempt recorded that it was about to create the job, in seconds since the epoch; None: not
            known.

    Raises:
        CallError: the service could not be asked, so nothing is known.
    """
    return JobFinder(JobWatcher(client)).find_orphan(identity, intent or begin_of(context))
