"""The services as the wire shows them: the Gemini API, Vertex AI and Cloud Storage, told in HTTP, with lies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from tests.hostile.jobs import ENDED, Job
from tests.hostile.world import World

HOST = "http://127.0.0.1:1"
STORAGE = "http://127.0.0.1:2"
_PAGE = 3
_CODE = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True)
class Lies:
    """How this service lies; each of it the documents leave open."""

    order: str
    """Of lists: newest first, oldest first, or none."""
    ignores_filter: bool
    stale: float
    """Seconds by which entries of lists are late."""
    shows_deleted: bool
    list_lag: float
    """Seconds until lists show a new job."""
    hides: float
    """Seconds for which a new job is 404 by its name."""
    late: float
    """Seconds until the output of an ended job can be read, at most."""
    date_skew: float
    trouble: float
    """Share of calls that go wrong."""

    @classmethod
    def of(cls, world: World) -> Lies:
        """Throw the dice."""
        pick = world.chance.choice
        return cls(
            order=pick(["newest", "newest", "oldest", "shuffled"]),
            ignores_filter=pick([False, True]),
            stale=pick([0.0, 0.0, 60.0, 600.0]),
            shows_deleted=pick([False, True]),
            list_lag=pick([0.0, 3.0, 10.0]),
            hides=pick([0.0, 0.0, 20.0]),
            late=pick([0.0, 0.0, 40.0, 300.0]),
            date_skew=pick([0.0, 0.0, 600.0, -600.0]),
            trouble=pick([0.0, 0.02, 0.1]),
        )


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, message: str, status: str = "") -> None:
        super().__init__(message)
        self.code, self.status = code, status or _CODE.get(code, "UNKNOWN")


@dataclass
class Service:
    """All of it."""

    world: World
    lies: Lies
    jobs: list[Job] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    """By bucket/name."""
    attempt: int = 0
    created: Callable[[Job], None] = lambda _: None
    """Is told of each job of the task's before it is there."""
    cancelling: Callable[[Job], None] = lambda _: None
    """Is told of each cancellation."""

    # ------------------------------------------------------------ one call

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or not."""
        world = self.world
        verb, url = request.method, urlsplit(str(request.url))
        what = f"{verb} {url.path.rpartition('/')[2] or url.path}"
        world.step(f"{what}, before")
        world.now += world.chance.choice([0.05, 0.3, 2.0])
        body = b"".join(request.stream) if hasattr(request.stream, "__iter__") else b""
        trouble = self._trouble(what)
        if trouble == "refused":
            return self._error(world.chance.choice([429, 503]), "not now")
        if trouble == "reset":
            raise httpx.ReadError("reset", request=request)
        try:
            answer = self._route(request, verb, unquote(url.path), parse_qs(url.query), body)
        except Refused as refusal:
            answer = self._error(refusal.code, str(refusal), refusal.status)
        world.step(f"{what}, after")
        if trouble == "lost":
            raise httpx.ReadError("reset after it was acted upon", request=request)
        if trouble == "spoilt" and "alt=media" in url.query:
            raise httpx.ReadError("reset half way", request=request)
        if trouble == "spoilt" and answer.status_code == 200:
            spoilt = world.chance.choice([b'{"name": "operations/abc"}', b"123", b'{"name": "bat', b"<html>"])
            return self._ok(spoilt)
        return answer

    def _trouble(self, what: str) -> str:
        if not self.world.likely(self.lies.trouble):
            return ""
        kind = self.world.chance.choice(["refused", "reset", "lost", "spoilt"])
        self.world.saw(f"{kind}: {what}")
        return kind

    def _ok(self, body: Any, headers: dict[str, str] | None = None, status: int = 200) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        date = formatdate(self.world.now + self.lies.date_skew, usegmt=True)
        size = str(len(raw))
        headers = {"date": date, "content-length": size, **(headers or {})}
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(raw))

    def _error(self, code: int, message: str, status: str = "") -> httpx.Response:
        status = status or _CODE.get(code, "UNKNOWN")
        return self._ok({"error": {"code": code, "message": message, "status": status}}, status=code)

    def _route(  # noqa: PLR0911 - a place a line
        self, request: httpx.Request, verb: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> httpx.Response:
        if str(request.url).startswith(STORAGE):
            return self._storage(verb, path, query, body, request.headers.get("content-range", ""))
        found = re.fullmatch(r"/v1beta/models/([^:]+):batchGenerateContent", path)
        if found:
            return self._ok(self._gemini(self._create_gemini(found[1], json.loads(body))))
        if path == "/v1beta/batches":
            return self._list(("gemini",), query, self._gemini, "operations")
        found = re.fullmatch(r"/v1beta/(batches/[^:/]+)(:cancel)?", path)
        if found:
            return self._one(found[1], verb, found[2], self._gemini)
        if path.startswith("/v1beta/files/"):
            raise Refused(404, f"no file {path}")
        found = re.fullmatch(r"/v1/projects/([^/]+)/locations/([^/]+)/batchPredictionJobs", path)
        if found and verb == "POST":
            return self._ok(self._vertex(self._create_vertex((found[1], found[2]), json.loads(body))))
        if found:
            return self._list((found[1], found[2]), query, self._vertex, "batchPredictionJobs")
        found = re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+/batchPredictionJobs/\d+)(:cancel)?", path)
        if found:
            return self._one(found[1], verb, found[2], self._vertex)
        raise Refused(501, f"{verb} {path} is not told here")

    # ------------------------------------------------------------ jobs

    def _create_gemini(self, model: str, body: dict[str, Any]) -> Job:
        batch = body["batch"]
        asked = batch["inputConfig"]["requests"]["requests"]
        keys = [one["metadata"]["key"] for one in asked]
        return self._create(("gemini",), batch["displayName"], {}, keys, model, {})

    def _create_vertex(self, place: tuple[str, str], body: dict[str, Any]) -> Job:
        keys: list[str] = []
        for uri in body["inputConfig"]["gcsSource"]["uris"]:
            raw = self.objects.get(uri.removeprefix("gs://"))
            if raw is None:
                raise Refused(400, f"no object {uri}")
            keys += [json.loads(line)["key"] for line in raw.splitlines()]
        return self._create(place, body["displayName"], body.get("labels", {}), keys, body["model"], body)

    def _create(
        self,
        place: tuple[str, ...],
        display_name: str,
        labels: dict[str, str],
        keys: list[str],
        model: str,
        resource: dict[str, Any],
    ) -> Job:
        world = self.world
        world.now += world.chance.choice([0.5, 3.0])
        job = self.make(place, display_name, labels, keys, model, resource, by=self.attempt)
        self.created(job)
        self.jobs.append(job)
        if world.likely(0.04):
            twin = self.make(place, display_name, labels, keys, model, resource, by=self.attempt)
            twin.twin = True
            self.jobs.append(twin)
            world.saw(f"one POST makes two jobs: {job.name}, {twin.name}")
        return job

    def make(
        self,
        place: tuple[str, ...],
        display_name: str,
        labels: dict[str, str],
        keys: list[str],
        model: str,
        resource: dict[str, Any],
        *,
        by: int | None,
    ) -> Job:
        """Decide what becomes of a job."""
        chance, now, lies = self.world.chance, self.world.now, self.lies
        number = len(self.jobs) + 1
        gemini = place == ("gemini",)
        name = (
            f"batches/b{number}"
            if gemini
            else f"projects/{place[0]}/locations/{place[1]}/batchPredictionJobs/{number}"
        )
        fates = ["SUCCEEDED"] * 5 + [
            "FAILED",
            "EXPIRED",
            "CANCELLED",
            *([] if gemini else ["PARTIALLY_SUCCEEDED"]),
        ]
        fate = "SUCCEEDED" if self.world.serene else chance.choice(fates)
        starts = now + chance.choice([0.0, 30.0])
        runs = chance.choice([5.0, 300.0, 1800.0]) if not self.world.likely(0.04) else 40 * 3600.0
        runs = min(runs, 60.0) if self.world.serene else runs
        good = set(keys)
        bad: set[str] = set()
        if fate != "SUCCEEDED" or self.world.likely(0.3):
            for key in keys:
                if chance.random() < 0.4:
                    good.discard(key)
                    bad |= {key} if chance.random() < 0.5 or fate == "SUCCEEDED" else set()
        if fate == "FAILED" and (gemini or chance.random() < 0.7):
            good, bad = set(), set()  # the Gemini API shows an error or an output, never both
        if fate == "PARTIALLY_SUCCEEDED":
            good, bad = good | {keys[0]}, bad - {keys[0]}
        lag = 0.0 if self.world.serene else lies.late
        lags = (
            (chance.choice([0.0, lag]),) if gemini else (chance.choice([0.0, lag]), chance.choice([0.0, lag]))
        )
        double = {
            key: chance.choice(["error", "ok"]) for key in keys if key in good and self.world.likely(0.05)
        }
        output = resource.get("outputConfig", {}).get("gcsDestination", {}).get("outputUriPrefix", "")
        serene = self.world.serene
        return Job(
            name, place, by, display_name, labels, keys, model, now, starts, starts + runs, fate, good, bad, lags,
            shown=now + (0.0 if serene else lies.list_lag), appears=now + (0.0 if serene else lies.hides),
            directory=f"{output.rstrip('/')}/prediction-{number}", double=double, resource=resource,
            cancel_takes=chance.choice([0.0, 20.0, 300.0]),
        )  # fmt: skip

    def job(self, name: str) -> Job:
        """Give a job by its name."""
        for job in self.jobs:
            gone = job.deleted is not None and self.world.now >= job.deleted
            if job.name == name and not gone and (self.world.now >= job.appears or self.world.serene):
                return job
        raise Refused(404, f"{name} not found")

    def _one(
        self, name: str, verb: str, cancel: str | None, view: Callable[..., dict[str, Any]]
    ) -> httpx.Response:
        job, now = self.job(name), self.world.now
        if verb == "DELETE":
            self.world.promise(job.by is not None, f"a stranger's job is deleted: {name}")
            raise Refused(501, "nobody here deletes jobs")
        if not cancel:
            return self._ok(view(job))
        self.world.promise(job.by is not None, f"a stranger's job is cancelled: {name}")
        state = job.state(now)
        self.world.saw(f"cancel of {name} in {state}")
        if state in ENDED and (job.place != ("gemini",) or self.world.likely(0.5)):
            raise Refused(400, "it has ended", "FAILED_PRECONDITION")
        self.cancelling(job)
        if job.cancelled is None and state not in ENDED:
            job.cancelled = now
        return self._ok({})

    def _list(
        self,
        place: tuple[str, ...],
        query: dict[str, list[str]],
        view: Callable[..., dict[str, Any]],
        name: str,
    ) -> httpx.Response:
        lies, now = self.lies, self.world.now
        honest = self.world.serene
        jobs = [job for job in self.jobs if job.place == place and (now >= job.shown or honest)]
        jobs = [
            job for job in jobs
            if job.deleted is None or now < job.deleted or (lies.shows_deleted and not honest)
        ]  # fmt: skip
        wanted = query.get("filter", [""])[0]
        if wanted and (honest or not lies.ignores_filter):
            label, _, value = wanted.removeprefix("labels.").partition("=")
            jobs = [job for job in jobs if job.labels.get(label) == value]
        jobs.reverse()
        if not honest and lies.order == "oldest":
            jobs.reverse()
        elif not honest and lies.order == "shuffled":
            jobs.sort(key=lambda job: job.name[::-1])
        begin = int(query.get("pageToken", ["0"])[0])
        page = jobs[begin : begin + _PAGE]
        more = {"nextPageToken": str(begin + _PAGE)} if begin + _PAGE < len(jobs) else {}
        at = now if honest else now - lies.stale
        return self._ok({name: [view(job, max(at, job.created), listed=True) for job in page], **more})

    # ------------------------------------------------------------ how jobs are shown

    def _gemini(self, job: Job, at: float | None = None, *, listed: bool = False) -> dict[str, Any]:
        now = self.world.now if at is None else at
        state = job.state(now)
        good, bad = self._counts(job, now)
        meta: dict[str, Any] = {
            "name": job.name,
            "model": f"models/{job.model}",
            "displayName": job.display_name,
            "createTime": self.world.stamp(job.created),
            "state": f"BATCH_STATE_{state}",
            "batchStats": {
                "requestCount": str(len(job.keys)),
                "successfulRequestCount": str(good),
                "failedRequestCount": str(bad),
                "pendingRequestCount": str(len(job.keys) - good - bad),
            },
        }
        shown: dict[str, Any] = {"name": job.name, "metadata": meta}
        if state in ENDED:
            shown["done"] = True
            meta["endTime"] = self.world.stamp(job.end())
            if state == "FAILED":
                shown["error"] = {"code": 13, "message": "it failed"}
            elif not listed and job.shards(now):
                rows = [line for key in job.shards(now)[0] for line in self._lines(job, key, now)]
                shown["response"] = {"inlinedResponses": {"inlinedResponses": rows}}
        return shown

    def _vertex(self, job: Job, at: float | None = None, *, listed: bool = False) -> dict[str, Any]:  # noqa: ARG002
        now = self.world.now if at is None else at
        state = job.state(now)
        good, bad = self._counts(job, now)
        shown = {
            **job.resource,
            "name": job.name,
            "state": f"JOB_STATE_{state}",
            "createTime": self.world.stamp(job.created),
        }
        if state != "PENDING":
            left = len(job.keys) - good - bad
            stats = {"successfulCount": good, "failedCount": bad, "incompleteCount": left}
            shown["completionStats"] = {name: str(count) for name, count in stats.items() if count}
            shown["outputInfo"] = {"gcsOutputDirectory": job.directory}
        if state in ENDED:
            shown["endTime"] = self.world.stamp(job.end())
            if state == "FAILED":
                shown["error"] = {"code": 13, "message": "it failed"}
        return shown

    def _counts(self, job: Job, now: float) -> tuple[int, int]:
        """Return how many rows were answered and failed, as far as they are counted."""
        return len(job.answered(now)), len(job.bad) if job.state(now) in ENDED else 0

    def _lines(self, job: Job, key: str, now: float) -> list[dict[str, Any]]:
        """Return what the output says of a request: nothing if it was not served."""
        vertex = job.place != ("gemini",)
        mark = {"key": key} if vertex else {"metadata": {"key": key}}
        answer = {
            "candidates": [{"content": {"parts": [{"text": f"{key} by {job.name}"}]}, "finishReason": "STOP"}]
        }
        status = 'Error: {"error": {"code": 500, "message": "no", "status": "INTERNAL"}}'
        failed = {"status": status} if vertex else {"error": {"code": 13, "message": "no"}}
        bad: dict[str, Any] = {**mark, **failed}
        ok: dict[str, Any] = {**mark, "response": answer, **({"status": ""} if vertex else {})}
        if key in job.answered(now):
            if key in job.double:
                return [bad, ok] if job.double[key] == "error" else [ok, bad]
            return [ok]
        return [bad] if key in job.bad else []

    # ------------------------------------------------------------ Cloud Storage

    def _storage(
        self, verb: str, path: str, query: dict[str, list[str]], body: bytes, asked: str
    ) -> httpx.Response:
        found = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path)
        if found and verb == "POST":
            session = f"{STORAGE}/session/{found[1]}/{query['name'][0]}"
            return self._ok(b"", {"location": session})
        if path.startswith("/session/") and verb == "PUT":
            name = path.removeprefix("/session/")
            if asked == "bytes */*":
                return self._ok({}) if name in self.objects else self._ok(b"", status=308)
            self.objects[name] = body
            return self._ok({})
        found = re.fullmatch(r"/storage/v1/b/([^/]+)/o/(.+)", path)
        if found:
            return self._object(f"{found[1]}/{found[2]}", verb, query)
        found = re.fullmatch(r"/storage/v1/b/([^/]+)/o", path)
        if found:
            objects = self._all_objects()
            prefix = f"{found[1]}/{query.get('prefix', [''])[0]}"
            names = sorted(name for name in objects if name.startswith(prefix))
            items = [
                {"name": name.partition("/")[2], "size": str(len(objects[name])), "generation": "1"}
                for name in names
            ]
            return self._ok({"items": items})
        raise Refused(501, f"{verb} {path} is not told here")

    def _object(self, name: str, verb: str, query: dict[str, list[str]]) -> httpx.Response:
        objects = self._all_objects()
        if name not in objects:
            raise Refused(404, f"no object {name}")
        if verb == "DELETE":
            self.world.promise("stranger" not in name, f"a stranger's object is deleted: {name}")
            self.objects.pop(name, None)
            return self._ok(b"", status=204)
        if query.get("alt") == ["media"]:
            return self._ok(objects[name])
        return self._ok({"name": name.partition("/")[2], "size": str(len(objects[name])), "generation": "1"})

    def _all_objects(self) -> dict[str, bytes]:
        now = self.world.now
        found = dict(self.objects)
        for job in self.jobs:
            if job.place != ("gemini",) and job.directory:
                for number, shard in enumerate(job.shards(now)):
                    lines = [json.dumps(line) for key in shard for line in self._lines(job, key, now)]
                    name = (
                        f"{job.directory.removeprefix('gs://')}/predictions-{number}-of-{len(job.lags)}.jsonl"
                    )
                    found[name] = "".join(f"{line}\n" for line in lines).encode()
        return found
