"""Failures of single calls, queued for a method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.faults.methods import METHODS, Method

KINDS = (
    "error",
    "html",
    "drop",
    "lost_reply",
    "unreadable",
    "truncated",
    "hold",
    "redirect",
    "no_status_header",
    "lost_chunk",
    "lost_final_reply",
    "ignored_filter",
    "twice",
    "oldest_first",
    "same_token",
    "misnamed",
)
ERROR_STATUS = range(400, 600)
UPLOAD_KINDS = frozenset({"no_status_header", "lost_chunk", "lost_final_reply"})
_ACTED = frozenset(
    {
        "lost_reply",
        "unreadable",
        "truncated",
        "no_status_header",
        "lost_final_reply",
        "ignored_filter",
        "twice",
        "oldest_first",
        "same_token",
        "misnamed",
    }
)
"""Kinds that carry the call out, whatever they answer."""
_OF_LISTS = frozenset({"ignored_filter", "oldest_first", "same_token"})
_OF_CREATES = frozenset({"twice", "misnamed"})
_LISTS = frozenset({"batches.list", "batchPredictionJobs.list"})
_CREATES = frozenset({"batches.create", "batches.createEmbeddings", "batchPredictionJobs.create"})


@dataclass(frozen=True)
class Fault:
    """One failure. Use the class methods, whose arguments show what each kind needs."""

    kind: str
    status: int = 0
    message: str = ""
    grpc: str | None = None
    details: tuple[Mapping[str, Any], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: str | float | None = None
    retry_delay: str | None = None
    wrapped: bool = False
    acted: bool = False
    url: str = ""
    times: int = 1
    path: str = ""

    @classmethod
    def error(
        cls, status: int, message: str = "", details: Iterable[Mapping[str, Any]] = (), **more: Any
    ) -> Fault:
        """Answer an error of Google's; ``acted=True`` carries the call out first."""
        return cls("error", status=status, message=message, details=tuple(details), **more)

    @classmethod
    def html(cls, status: int = 502, **more: Any) -> Fault:
        """Answer an HTML page of a front end instead of JSON."""
        return cls("html", status=status, **more)

    @classmethod
    def drop(cls, **more: Any) -> Fault:
        """Drop the connection before the call is carried out."""
        return cls("drop", **more)

    @classmethod
    def lost_reply(cls, **more: Any) -> Fault:
        """Carry the call out, then drop the connection."""
        return cls("lost_reply", acted=True, **more)

    @classmethod
    def unreadable(cls, **more: Any) -> Fault:
        """Carry the call out, then answer 200 with a body that is not JSON."""
        return cls("unreadable", acted=True, **more)

    @classmethod
    def truncated(cls, **more: Any) -> Fault:
        """Carry the call out, then send half of the bytes that Content-Length promises."""
        return cls("truncated", acted=True, **more)

    @classmethod
    def hold(cls, *, acted: bool = False, **more: Any) -> Fault:
        """Wait until the ticket is released; ``acted=True`` carries the call out first."""
        return cls("hold", acted=acted, **more)

    @classmethod
    def redirect(cls, url: str, **more: Any) -> Fault:
        """Answer 307 to another URL."""
        return cls("redirect", url=url, **more)

    @classmethod
    def no_status_header(cls, **more: Any) -> Fault:
        """Accept upload bytes, but leave X-Goog-Upload-Status out of the reply."""
        return cls("no_status_header", acted=True, **more)

    @classmethod
    def lost_chunk(cls, **more: Any) -> Fault:
        """Discard upload bytes and drop the connection."""
        return cls("lost_chunk", **more)

    @classmethod
    def lost_final_reply(cls, **more: Any) -> Fault:
        """Finalise an upload, then drop the connection."""
        return cls("lost_final_reply", acted=True, **more)

    @classmethod
    def ignored_filter(cls, **more: Any) -> Fault:
        """List as if no filter had been given; only a list with a filter uses the fault."""
        return cls("ignored_filter", acted=True, **more)

    @classmethod
    def twice(cls, **more: Any) -> Fault:
        """Create two jobs for one call, and return the second."""
        return cls("twice", acted=True, **more)

    @classmethod
    def oldest_first(cls, **more: Any) -> Fault:
        """List the oldest job first; each page of a list needs a fault of its own."""
        return cls("oldest_first", acted=True, **more)

    @classmethod
    def same_token(cls, **more: Any) -> Fault:
        """Make a page of a list name itself as the next page."""
        return cls("same_token", acted=True, **more)

    @classmethod
    def misnamed(cls, name: str, **more: Any) -> Fault:
        """Create the job, and answer 200 with a name that no job has."""
        return cls("misnamed", acted=True, message=name, **more)

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Fault:
        """Read the JSON of the control route.

        Raises:
            ValueError: A field is unknown.
        """
        values = dict(obj)
        if values.get("kind") in _ACTED:
            values["acted"] = True
        try:
            values["details"] = tuple(values.get("details", ()))
            return cls(**values)
        except TypeError as problem:
            raise ValueError(str(problem)) from problem

    def to_json(self) -> dict[str, Any]:
        """Return the fields for the control route."""
        return asdict(self)

    def check(self, method: str) -> None:
        """Refuse a fault that cannot happen to a method.

        Raises:
            ValueError: The method is unknown, or the combination is impossible.
        """
        known = METHODS.get(method)
        if known is None:
            message = f"no method {method!r}; known: {', '.join(METHODS)}"
            raise ValueError(message)
        for impossible, problem in self._impossibilities(known):
            if impossible:
                raise ValueError(problem)

    def _impossibilities(self, method: Method) -> Iterator[tuple[bool, str]]:
        kind = self.kind
        yield kind not in KINDS, f"no kind of fault {kind!r}; known: {', '.join(KINDS)}"
        yield self.times < 1, "times is at least 1"
        answers = kind in {"error", "html"}
        yield (
            answers and self.status not in ERROR_STATUS,
            f"an error has a status from 400 to 599, not {self.status}",
        )
        yield not answers and bool(self.status), f"{kind} has no status of its own"
        said = self.message if kind != "misnamed" else ""
        body = self.retry_delay or self.wrapped or self.details or said or self.grpc
        yield kind != "error" and bool(body), f"{kind} carries no Google error body"
        replies = answers or kind == "redirect"
        yield (
            not replies and bool(self.all_headers()),
            f"{kind} has no reply of its own that could carry headers",
        )
        yield kind == "redirect" and not self.url, "a redirect needs a url"
        yield kind in UPLOAD_KINDS and method.id != "files.upload", f"{kind} happens to files.upload only"
        yield kind in _OF_LISTS and method.id not in _LISTS, f"{kind} happens to lists of jobs only"
        yield kind in _OF_CREATES and method.id not in _CREATES, f"{kind} happens to creates of jobs only"
        yield (
            kind == "unreadable" and method.reply != "json",
            f"{method.id} answers no JSON that could be unreadable",
        )
        yield (
            kind == "truncated" and method.reply == "empty",
            f"{method.id} answers no body that could be truncated",
        )
        before = kind in {"drop", "lost_chunk", "redirect"}
        yield before and self.acted, f"{kind} happens before anything is done"
        yield kind in _ACTED and not self.acted, f"{kind} happens to a call that is acted on"

    def as_error(self) -> ApiError:
        """Return the error to answer."""
        details = [dict(detail) for detail in self.details]
        if self.retry_delay:
            details.append(
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": self.retry_delay}
            )
        return ApiError(
            self.status, self.message or f"Injected {self.status}.", self.grpc, details, self.all_headers()
        )

    def all_headers(self) -> dict[str, str]:
        """Return the extra reply headers."""
        after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return {**self.headers, **after}
