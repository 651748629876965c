"""The requests of existing jobs, read once more, so that each row is joined to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.task.files.overlap import check_apart, check_media_apart
from airflow_provider_genai_batch.task.inputs.read import take_in
from airflow_provider_genai_batch.task.landing.land import Asked, Landing
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check
from airflow_provider_genai_batch.wire.services.sources import read_source


@contextmanager
def landing_of(
    client: GenAIBatchClient, names: Sequence[str], *, src: Any, output_type: Any, **wanted: Any
) -> Iterator[Landing]:
    """Say how the rows of ended jobs are to be landed; the requests are at hand until the block ends.

    Args:
        client: of the task's connection.
        names: the jobs, which asked `src` together.
        src: the requests; None: what they were is not known.
        output_type: what answers are to be; None: whatever they are.
        **wanted: fields of `Landing`.

    Raises:
        ConfigurationError: rows would land where the requests are.
        InputError: the requests cannot be read, or one of them is not usable.
    """
    validate = None if output_type is None else answer_check(output_type)
    if src is None:
        check_media_apart(None, wanted.get("results_uri"), wanted.get("media_uri"))
        yield Landing(validate=validate, output_type=output_type, submits=False, **wanted)
        return
    source = read_source(src)
    check_apart(source, wanted.get("results_uri"))
    check_media_apart(source, wanted.get("results_uri"), wanted.get("media_uri"))
    model = client.get(names[0]).model or ""
    with take_in(client, source, model=model, several_jobs=True) as intake:
        keys = (lambda: [*intake.keys()]) if intake.keyed and intake.readable else (lambda: None)
        yield Landing(
            validate=validate,
            output_type=output_type,
            asked=Asked.of(intake),
            keys=keys,
            submits=False,
            **wanted,
        )
