"""Refusals for lack of quota or capacity, in the forms that clients of the live services have received (2026)."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.emulator.errors import ApiError

_HELP = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}
_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def minute_quota(model: str, most: int, wait: float) -> ApiError:
    """Return the 429 for too many input tokens per minute. It names metric, limit and wait."""
    return _counted(
        "generate_content_paid_tier_input_token_count",
        "GenerateContentPaidTierInputTokensPerModelPerMinute",
        model,
        most,
        wait,
    )


def day_quota(model: str, most: int, wait: float) -> ApiError:
    """Return the 429 for too many requests per day. It names a wait of hours."""
    return _counted(
        "generate_requests_per_model_per_day",
        "GenerateRequestsPerDayPerProjectPerModel",
        model,
        most,
        wait,
    )


def _counted(metric: str, quota_id: str, model: str, most: int, wait: float) -> ApiError:
    name = f"generativelanguage.googleapis.com/{metric}"
    violation: dict[str, Any] = {
        "quotaMetric": name,
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": str(most),
    }
    return ApiError(
        429,
        f"{_QUOTA}\n* Quota exceeded for metric: {name}, limit: {most}, model: {model}\n"
        f"Please retry in {wait:.9f}s.",
        details=[
            _HELP,
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
            # The text has more digits than the detail.
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{int(wait)}s"},
        ],
    )


def spend_window() -> ApiError:
    """Return the 429 for too much spending in ten minutes. It names neither a number nor a wait."""
    return ApiError(429, _QUOTA, details=[_HELP])


def enqueued_tokens() -> ApiError:
    """Return the 429 of a create call for too many enqueued tokens. It does not name the quota."""
    return ApiError(429, _QUOTA, details=[_HELP])


def spending_cap() -> ApiError:
    """Return the 429 for the spending cap, which lasts until the month or the setting changes."""
    return ApiError(
        429,
        "Your project has exceeded its monthly spending cap. Please go to AI Studio to manage your project's "
        "spending cap.",
    )


def no_room(backend: str) -> ApiError:
    """Return the error for a lack of capacity. Neither service names a wait."""
    if backend == "vertex":
        return ApiError(429, "Resource exhausted. Please try again later.")
    return ApiError(
        503,
        "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try "
        "again later.",
    )
