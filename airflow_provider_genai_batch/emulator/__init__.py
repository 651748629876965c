"""An offline stand-in for Google's batch services: the Gemini Developer API and Vertex AI.

It was written independently of the rest of this package, from Google's documents and captures of the live services. It
is strict about requests, and its replies vary wherever a client must cope with that. ``FIDELITY.md`` beside this file
says what is faithful, simplified and absent.

In process::

    from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle, VirtualClock

    with Emulator(clock=VirtualClock()) as emu:
        emu.url                                   # http://127.0.0.1:PORT, every API and the control routes
        emu.connection("gemini")                  # fields of an Airflow connection; also "vertex"
        emu.script(JobScript(end="FAILED", error={"code": 8, "message": "quota"}))
        emu.faults.add("batches.create", Fault.lost_reply())
        emu.jobs                                  # snapshots of every job there ever was
        emu.requests                              # every request, secrets redacted

On a port: ``python -m airflow_provider_genai_batch.emulator --port 8765``.

The arguments of ``Emulator``:

* ``directory``: state is kept there and survives a restart, even kill -9. Without it: a temporary
  folder.
* ``clock``: ``VirtualClock()`` (the default) is real time plus the seconds given to ``advance``;
  ``VirtualClock(start=datetime)`` stands still between calls of ``advance``; ``RealClock()`` cannot be
  moved.
* ``lifecycle``: the lifecycle of every job whose script has none.
* ``answer``: ``callable(request: dict) -> str | dict``; a string is the text of the answer, a dict with
  ``candidates``, ``promptFeedback`` or ``embedding`` is the whole response, any other dict is answered
  as JSON text; raise ``RowError(code, message, details=())`` to fail the row. Called from worker
  threads.
* ``api_keys``: the accepted Gemini keys; ``None``: every key except ``bad-key``. On Vertex every bearer
  token except ``bad-token`` is accepted, unless the emulator issued it and it has expired.
* ``host``, ``port``: where it listens (127.0.0.1, and a free port).
* ``token_ttl``: seconds for which tokens issued by the emulator are valid (3600).
* ``switches``: ``Switches(...)``, behaviour of the services that documents leave open; can be changed later.
* ``storage``, ``bigquery``: ``True`` starts the stand-in; pass a started one to share it.
* Vertex: the service has no access to a bucket whose name contains ``forbidden`` (code 7, late).

Lifecycle: how a job proceeds. A *look* is a get or, unless ``list_counts=False``, an appearance in a list
page.

* ``Lifecycle(looks=n)``: n looks find it unfinished, the next finds it at its end.
  ``Lifecycle.at_once()`` is n = 0 (the create reply still says PENDING).
* ``Lifecycle.timed(pending=s, running=s)``: seconds of the clock.
* ``Lifecycle.stuck(state="PENDING")``: it never ends by itself; the service's own limits still apply
  (Gemini: EXPIRED 48 h after creation; Vertex: EXPIRED after 72 h in the queue, FAILED after 24 h of
  running).

JobScript: what happens to one job (all fields optional; rows are named by key, or by index as an int; over
HTTP an index is written "#3").

* ``lifecycle``; ``states``: intermediate states, each seen by at least one look, the last one until the
  end (default PENDING, RUNNING); ``end``: bare ("FAILED"), prefixed, or unknown such as
  "BATCH_STATE_HIBERNATING", which is sent unchanged and never means done; ``error``: the job's
  google.rpc.Status.
* rows: ``row_errors`` {row: code or Status; for Claude also ``{"type", "message"}`` in Anthropic's words},
  ``failing_fraction`` with ``failing_error`` and ``seed``, ``all_rows_fail`` (code or Status),
  ``missing`` (rows that never come, and that the service does not count), ``duplicated`` (rows),
  ``unknown_keys`` (keys of no request), ``shuffle`` (None: file and Vertex output shuffled, inline kept),
  ``drop_metadata`` (inline rows; True or rows), ``blocked`` (rows answered by promptFeedback only, or
  refused in the family's way), ``served`` (fraction of rows that come back when the job ends early:
  EXPIRED, FAILED, CANCELLED, or after a cancel while running, where the default is a half and otherwise
  none).
* answers: ``answers`` {row: text, dict, or a whole response}, ``finish_reasons`` {row: reason} (``stop_reason``
  of Claude, ``finish_reason`` of open models), ``content`` {row: whether the answer keeps its content; by
  default filtered ones do not}; Gemini only: ``candidates`` {row: reasons, one candidate for each},
  ``parts`` {row: parts as they are on the wire}, ``members`` {row: further members of its first candidate},
  ``media_bytes`` (size of each picture or sound; they are small by default).
* families (Vertex): ``foreign_lines`` (what fails for a line of another family: "import", the job, or "row"; None:
  the job of a partner or open model, the row of a Gemini model), ``siblings`` (Claude: members beside ``custom_id``
  and ``request`` come back), ``status_column`` (open models: rows have a ``status``), ``envelope`` (open
  models: ``response`` is ``{status_code, request_id, body}``), ``response_type`` ("STRING" or "JSON": the
  column of partner and open models in BigQuery), ``embedding_usage`` ("tokenCount" or "usageMetadata"),
  ``row_form`` ("2025-12" or "2026-05": Gemini rows as one dated capture has them, which differ).
* reply shapes: ``late_output`` (n reads of the output, or looks at an inline or Vertex job, come too
  early), ``late_seconds`` (the same by the clock), ``inline_results`` (a file job answers inline),
  ``bare_list`` (inlinedResponses is a list), ``stale_counters`` (list entries still say pending),
  ``lagging_counters`` (Vertex: the fraction of done rows that completionStats calls incomplete),
  ``list_lag`` (lists that miss the job), ``list_lag_seconds``, ``empty_page`` (the list page holding
  the job is preceded by an empty one that carries a token), ``get_lag`` (calls by name that answer 404
  after create), ``get_lag_seconds``, ``stale_entries`` (list entries still say RUNNING after the job
  has ended or was deleted), ``large_results`` (Gemini, inline: a get that carries the rows is 503),
  ``inline_limit`` (bytes of rows from which this happens; None: a gigabyte or a thousand pictures).
* failed rows of Gemini models: ``status_object`` (their error is an object in ``status``, which only third-party
  readers expect; captures show ``error`` on the Gemini API, and text in ``status`` on Vertex AI).
* cancel: ``cancel_looks`` (looks until a cancel takes effect; Gemini 0, Vertex 1), ``cancel_ignored``.
* Vertex: ``shards``, ``shard_looks`` and ``shard_seconds`` (gets, or seconds, from one shard to the
  next, after the end), ``failed_row_response`` ("empty" or "absent"), ``extra_objects`` (names of other
  objects in the output directory). ``emu.script(script, backend=None)`` queues it: the next job created
  (of that backend) uses it.

Fault: a failure of one call; ``ticket = emu.faults.add(method, fault)`` queues it for a method and
raises ValueError if it cannot happen there. Every kind takes ``times=n`` and ``path="..."`` (only requests whose
path contains this).

* ``Fault.error(status, message="", grpc=None, details=(), headers={}, retry_after=None,
  retry_delay=None, wrapped=False, acted=False)``: an error body; ``retry_delay="28s"`` adds RetryInfo,
  ``wrapped`` puts it in a one-element list, ``acted=True`` acts first. ``Fault.html(status,
  acted=False)``: an error page of a front end.
* ``Fault.drop()``: the connection dies before anything happened; ``Fault.lost_reply()``: after acting.
* ``Fault.unreadable()``: act, then 200 without JSON; ``Fault.truncated()``: act, then half of the promised
  bytes.
* ``Fault.hold(acted=False)``: wait; ``ticket.wait_held(timeout)`` until a call waits,
  ``ticket.release()``.
* ``Fault.redirect(url)``: 307 elsewhere.
* ``Fault.ignored_filter()``: a list with a filter answers as if it had none; ``Fault.twice()``: one
  create call makes two jobs and returns the second; ``Fault.oldest_first()``: a list in reverse order;
  ``Fault.same_token()``: a page names itself as the next; ``Fault.misnamed(name)``: a create call answers 200
  with a name that no job has.
* files.upload only: ``Fault.no_status_header()``, ``Fault.lost_chunk()`` (bytes thrown away, connection
  dropped), ``Fault.lost_final_reply()``.

Method ids: Gemini ``batches.create``, ``batches.createEmbeddings``, ``batches.get``, ``batches.list``,
``batches.cancel``, ``batches.delete``, ``files.start``, ``files.upload``, ``files.query``,
``files.cancel``, ``files.get``, ``files.list``, ``files.delete``, ``files.download``; Vertex
``batchPredictionJobs.create``, ``.get``, ``.list``, ``.cancel``, ``.delete``, ``operations.get``; online:
``models.generateContent``, ``models.embedContent``, ``models.batchEmbedContents``, ``models.countTokens`` (Gemini),
``publishers.models.generateContent``, ``publishers.models.countTokens`` (Vertex);
``oauth.token``, ``iam.generateAccessToken``.

``emu.jobs``: dicts with ``name, backend, state`` (JOB_STATE_* words without a prefix), ``display_name,
model, kind`` ("generate" or "embed"), ``labels, input, rows {total, succeeded, failed, pending}, looks,
live`` (neither ended nor deleted), ``cancel_requested, deleted, error, output, created, ended`` (seconds).
Oldest first; reading it does not count as a look.

``emu.capacity = Capacity(...)``: sets the limits of online calls: ``minute_tokens``, ``day_requests``,
``spend_tokens``, ``cap_tokens`` (429 in four shapes), ``slots``, ``spells`` {tier: (seconds served, seconds shed)},
``seconds`` (504 for callers with a shorter timeout), ``latency`` (real seconds in a slot), ``tier_on_vertex``. Use
``Fault.hold()`` for a call that hangs, and ``Fault.error(status, acted=True)`` for 499, 500 and evictions of a running
call.

``emu.force(name, state, error=None)`` sets the state of a job; ``emu.storage`` and
``emu.bigquery`` are the stand-ins, ``emu.storage_url`` and ``emu.bigquery_url`` are their addresses.

``emu.requests``: dicts with ``method`` (None for an unknown path), ``verb, path, query, headers``
(redacted), ``has_api_key, has_key_query, has_bearer, body_size, body`` (parsed, small JSON only),
``status`` (None: dropped), ``fault`` (its kind). ``emu.clear_requests()`` deletes them.

Leaving the context raises ``Unspent`` (an AssertionError), which names unused faults and scripts, unless
another exception is already being raised.

Over HTTP, plain JSON: ``GET/POST/DELETE /_emulator/faults`` (POST ``{"method", "kind", ...}``, answers
``{"id"}``; ``POST /_emulator/faults/{id}/release``), ``GET/POST /_emulator/clock`` (``{"advance":
seconds}``), ``GET/POST /_emulator/jobs`` (POST queues ``{"backend", ...script fields}``), ``PATCH
/_emulator/jobs/{name}`` (``{"state", "error"}`` forces a state), ``GET/DELETE /_emulator/requests``,
``GET/PATCH /_emulator/switches``, ``GET/PATCH /_emulator/capacity``,
``GET /_emulator/connection/{backend}``, ``GET /_emulator/health``.
"""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.capacity import Capacity
from airflow_provider_genai_batch.emulator.clock import Clock, RealClock, VirtualClock
from airflow_provider_genai_batch.emulator.emulator import Emulator, Unspent
from airflow_provider_genai_batch.emulator.faults.fault import Fault
from airflow_provider_genai_batch.emulator.jobs.lifecycle import Lifecycle
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.switches import Switches

__all__ = [
    "Capacity",
    "Clock",
    "Emulator",
    "Fault",
    "JobScript",
    "Lifecycle",
    "RealClock",
    "RowError",
    "Switches",
    "Unspent",
    "VirtualClock",
]
