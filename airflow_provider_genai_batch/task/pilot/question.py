"""The question to a person before the other requests are submitted, as shown on Airflow's page of required actions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from airflow_provider_genai_batch.clock import in_words
from airflow_provider_genai_batch.models import Plan
from airflow_provider_genai_batch.models.settings.approval import APPROVE, Approval
from airflow_provider_genai_batch.models.settings.question import NO, Question, option_of
from airflow_provider_genai_batch.printable import printable

_DIGITS = 2
"""Significant digits of an amount, so that small changes lead to the same amount."""
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_TILDES = re.compile("~+")


@dataclass(frozen=True)
class Figures:
    """The results of a pilot, for the person who approves."""

    usd: Decimal
    """See `Question.usd`."""
    plan: Plan
    model: str
    spent: float
    """Cost of the pilot in USD."""
    failed: int
    """Failed rows of the pilot."""
    later: float | None = None
    """Most USD if the rest is sent as immediate calls at the deadline; None: there is no deadline."""
    answers: Sequence[str] = ()
    """Some of the pilot's answers, one line each."""


def rounded_up(usd: float) -> Decimal:
    """Round an amount up to two significant digits, such as 13 for 12.1 and 0.0021 for 0.00203."""
    exact = Decimal(str(usd))
    if exact <= 0:
        return Decimal(0)
    step = Decimal(1).scaleb(exact.adjusted() - _DIGITS + 1)
    return exact.quantize(step, rounding=ROUND_CEILING)


def question_of(figures: Figures, approval: Approval, seconds: float | None) -> Question:
    """Build the question.

    Args:
        figures: the results of the pilot.
        approval: who may answer.
        seconds: timeout for an answer; None: no limit.
    """
    rest = figures.plan.requests - figures.plan.pilot
    return Question(
        usd=figures.usd,
        subject=f"Approve up to {figures.usd:f} USD for {rest} requests to {printable(figures.model)}?",
        body=_body(figures, approval, seconds, rest),
        assigned_users=approval.users,
        timeout=seconds,
        on_timeout=option_of(figures.usd) if approval.on_timeout == APPROVE else NO,
    )


def _body(figures: Figures, approval: Approval, seconds: float | None, rest: int) -> str:
    plan, own = figures.plan, figures.plan.own_cost
    failed = f", of which {figures.failed} failed" if figures.failed else ""
    table = [
        ("Requests not submitted yet", f"**{rest}** of {plan.requests}"),
        ("Model", _escaped(figures.model)),
        ("Tier", _escaped(plan.tier)),
        ("Pilot", f"{plan.pilot} rows{failed}, for {figures.spent:.6f} USD"),
    ]
    if own is not None:
        table += [
            ("Expected total cost", f"**{own.expected or own.most:.6f} USD**"),
            ("Range", f"{own.least:.6f} to {own.most:.6f} USD"),
        ]
    if figures.later is not None:
        table.append(
            ("If the rest is sent as immediate calls at the deadline", f"up to {figures.later:.6f} USD")
        )
    table.append(("Approval is needed above", f"{approval.above} USD"))
    ends = "Failed rows that are submitted again cost extra. If you reject, nothing more is submitted."
    if seconds is not None:
        word = "approved" if approval.on_timeout == APPROVE else "rejected"
        ends += f" Without an answer within {in_words(seconds)}, it is {word}."
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in table), "", ends]
    return "\n".join([*lines, "", *_samples(figures.answers)])


def _samples(answers: Sequence[str]) -> list[str]:
    """Return answers in a code block, where Markdown, HTML and links are plain text."""
    if not answers:
        return []
    longest = max((len(run) for run in _TILDES.findall("\n".join(answers))), default=0)
    fence = "~" * max(3, longest + 1)
    return ["Answers of the pilot:", "", f"{fence}text", *answers, fence]


def _escaped(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\1", printable(text))
