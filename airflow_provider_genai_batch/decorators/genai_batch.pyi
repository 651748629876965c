# What ``**kwargs`` of the module beside this are. A test holds it against the operator.
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from airflow.providers.common.compat.sdk import TaskDecorator
from airflow.sdk.bases.decorator import Task

from airflow_provider_genai_batch.checks import Check

_Parameters = ParamSpec("_Parameters")
_Returned = TypeVar("_Returned")

@overload
def genai_batch_task(
    *,
    multiple_outputs: bool = False,
    model: str,
    prompt: Any = None,
    media: Mapping[str, str] | None = None,
    prompt_name: str | None = None,
    key: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    staging: Any = None,
    rename: Mapping[str, str] | None = None,
    max_bytes: int | None = None,
    validate: str | None = None,
    dest: Any = None,
    config: Any = None,
    request_defaults: Any = None,
    output_type: Any = None,
    results_uri: str | None = None,
    media_uri: str | None = None,
    ordered: bool = False,
    keep: str | None = None,
    truncated: str = "ok",
    display_name: str | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    webhook: Any = None,
    conn_id: str = "genai_batch_default",
    wait: bool = True,
    deferrable: bool | None = None,
    poll_interval: float = 60,
    timeout: float | timedelta | None = None,
    pending_timeout: float | timedelta | None = None,
    on_timeout: str = "cancel",
    max_failed_rows: float = 0,
    retry_failed_rows: int = 0,
    max_requests_per_job: int | None = None,
    max_bytes_per_job: int | None = None,
    max_active_jobs: int = 10,
    max_cost: float | None = None,
    max_cost_per_day: float | None = None,
    ready_by: Any = None,
    fallbacks: Any = None,
    plan_only: bool = False,
    tier: str = "batch",
    online_below: int | None = None,
    retry_tier: str | None = None,
    pilot: Any = None,
    checks: Sequence[Check] | None = None,
    on_check: str = "fail",
    cancel_on_kill: bool = True,
    reattach: bool = True,
    reuse: Any = None,
    dedupe: bool = False,
    **kwargs: Any,
) -> Callable[[Callable[_Parameters, _Returned]], Task[_Parameters, _Returned]]: ...
@overload
def genai_batch_task(
    python_callable: Callable[..., Any], *, multiple_outputs: bool = False, **kwargs: Any
) -> TaskDecorator: ...
