"""The mutants: one small lie each, and the test that does not believe it."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One change to a copy of the package.

    Attributes:
        name: what the changed package does, as a sentence without its subject.
        file: path inside the package.
        old: text that is there exactly once.
        new: what takes its place.
        test: id of the test that must fail.
    """

    name: str
    file: str
    old: str
    new: str
    test: str


CLIENT = (
    Mutant(
        "repeats a create",
        "client/calls.py",
        "gemini.read_created, safe=False)",
        "gemini.read_created, safe=True)",
        "tests/client/test_retries.py::test_a_created_embedding_job_is_sent_once_too",
    ),
    Mutant(
        "takes the key to another host",
        "client/transport/http.py",
        '_CREDENTIAL_HEADERS = ("x-goog-api-key", ',
        "_CREDENTIAL_HEADERS = (",
        "tests/client/test_downloads.py::test_a_redirect_to_another_host_goes_without_the_key",
    ),
    Mutant(
        "logs upload URLs",
        "client/transport/http.py",
        "logging.getLogger(_name).addFilter(_HideUploads())",
        "pass",
        "tests/client/test_secrets.py::test_no_log_record_of_a_gemini_job_holds_the_key_or_an_upload_url",
    ),
    Mutant(
        "lets a job's name choose the host",
        "wire/services/vertex.py",
        'LOCATION = r"[a-z0-9-]+"',
        'LOCATION = r"[^/]+"',
        "tests/client/test_names.py::test_what_is_no_vertex_job_is_refused_before_it_is_sent",
    ),
    Mutant(
        "comes back before it was asked to",
        "flows/retry.py",
        "    if hint is not None:",
        "    if hint is not None and failures > 99:",
        "tests/client/test_retries.py::test_a_hint_decides_how_long_is_waited",
    ),
    Mutant(
        "never renews a refused token",
        "client/transport/retries.py",
        "may = self._renewable and error.code == 401",
        "may = self._renewable and error.code == 499",
        "tests/client/test_retries.py::test_an_expired_token_is_renewed_once_also_for_a_create",
    ),
    Mutant(
        "renews a refused token for ever",
        "client/transport/retries.py",
        "        self._renewable = False\n        return may",
        "        return may and self._tries > 0 and not setattr(self, '_tries', self._tries - 1)",
        "tests/client/test_retries.py::test_a_token_that_is_refused_again_is_not_renewed_for_ever",
    ),
    Mutant(
        "forgets where the server stands after half a chunk",
        "client/storage/uploads.py",
        "chunk, offset = chunk[have - offset :], have",
        "chunk, offset = chunk[have - offset :], offset",
        "tests/client/test_upload_faults.py::test_whatever_happens_to_chunks_the_bytes_arrive_whole_and_in_order",
    ),
    Mutant(
        "writes over an object that came in between",
        "wire/services/storage.py",
        "name=name, ifGenerationMatch=generation)",
        "name=name)",
        "tests/client/test_repeatable_objects.py::"
        "test_an_object_that_another_writer_finished_in_between_is_used",
    ),
    Mutant(
        "deletes a user's own input",
        "client/storage/input_cleanup.py",
        "return name if job.source.file_name == name else None",
        "return job.source.file_name",
        "tests/client/test_input_cleanup.py::test_a_users_own_input_stays",
    ),
    Mutant(
        "hands out a download's first bytes twice",
        "client/storage/downloads.py",
        "self._skip = self.handed_out",
        "self._skip = 0",
        "tests/client/test_downloads.py::test_a_download_that_breaks_off_ends_with_the_same_bytes",
    ),
    Mutant(
        "stops at an empty page",
        "client/jobs.py",
        'pages.turn(token or "")\n        if jobs',
        'pages.turn((token or "") if jobs else "")\n        if jobs',
        "tests/client/test_calls.py::test_an_empty_page_with_a_token_does_not_end_a_list",
    ),
    Mutant(
        "counts a cancelled row as answered",
        "wire/answers/results.py",
        '"cancelled" if gone else "error"',
        '"ok" if gone else "error"',
        "tests/wire/test_results.py::test_a_refused_row_says_why",
    ),
    Mutant(
        "takes a failed look for an empty one",
        "flows/submission/create.py",
        "            blind = error\n",
        "            blind = None\n",
        "tests/flows/test_submit.py::test_who_cannot_look_does_not_create_again",
    ),
    Mutant(
        "takes an earlier job for the lost one",
        "flows/submission/search.py",
        "hint.name in (*self.before, besides)",
        "hint.name == besides",
        "tests/flows/test_submit.py::test_a_lost_reply_without_reattach_is_not_taken_for_the_job_of_an_earlier_attempt",
    ),
    Mutant(
        "waits past the deadline",
        "flows/watch.py",
        'limits = [(plan.deadline, "timeout")]',
        'limits = [(plan.deadline + 7200, "timeout")]',
        "tests/flows/test_watch.py::test_a_deadline_cancels_what_goes_on",
    ),
    Mutant(
        "believes SUCCEEDED without looking at rows",
        "flows/outcome/settle.py",
        "    if counts.failed > allowed_rows(max_failed_rows, counts.total):",
        "    if counts.failed > counts.total:",
        "tests/flows/test_settle.py::test_a_job_that_succeeded_is_judged_by_its_rows",
    ),
    Mutant(
        "counts a row twice",
        "results/keys/key_match.py",
        "        if self._own is not None and not self._own.add(key):",
        "        if self._own is not None and self._own.add(key) is self:",
        "tests/results/test_row_counter.py::test_the_first_of_two_rows_counts",
    ),
)

EMULATOR = (
    Mutant(
        "lets a bad key pass",
        "emulator/credentials/auth.py",
        "        if key == _BAD_KEY or ",
        "        if key == '' or ",
        "tests/client/test_retries.py::test_a_bad_key_is_said_to_be_one",
    ),
    Mutant(
        "counts in numbers",
        "emulator/gemini/view.py",
        "return {name: str(number) for",
        "return {name: number for",
        "tests/emulator/test_gemini_batches.py::"
        "test_a_file_batch_counts_its_rows_at_create_and_shuffles_its_output",
    ),
    Mutant(
        "says the results once",
        "emulator/gemini/view.py",
        '        metadata["output"] = results',
        '        metadata["output"] = {}',
        "tests/emulator/test_gemini_batches.py::"
        "test_an_inline_batch_answers_its_rows_twice_in_the_order_asked",
    ),
    Mutant(
        "lists files oldest first",
        "emulator/gemini/files.py",
        "key=lambda one: -one.seq",
        "key=lambda one: one.seq",
        "tests/emulator/test_files.py::test_files_are_listed_in_pages_of_ten_newest_first",
    ),
    Mutant(
        "takes bytes at any offset",
        "emulator/gemini/uploads.py",
        "    if offset != str(upload.received):",
        "    if offset == 'nowhere':",
        "tests/emulator/test_files.py::test_bytes_for_another_place_are_refused_and_nothing_changes",
    ),
)

_ANY_INTERLEAVING = (
    "tests/flows/test_any_interleaving.py::"
    "test_whatever_dies_and_whenever_no_task_pays_twice_or_stays_without_its_rows"
)
_OWN = "tests/flows/test_own_jobs.py::"
SUBMIT = (
    Mutant(
        "does not look for a create without an answer",
        "flows/submission/create.py",
        "found = (yield from self._after_loss(error, intent)) if sent else None",
        "found = None",
        _ANY_INTERLEAVING,
    ),
    Mutant(
        "takes a job that is being cancelled for a dead one",
        "models/jobs/job.py",
        "    return Worth.ROWS if ending or unknown or",
        "    return Worth.ROWS if unknown or",
        _ANY_INTERLEAVING,
    ),
    Mutant(
        "creates on a stale look",
        "flows/submission/create.py",
        "if search.steady() - search.looked > STALE and",
        "if search.steady() - search.looked > STALE * 1e9 and",
        _ANY_INTERLEAVING,
    ),
    Mutant(
        "lets a dead job hide a fresh one",
        "flows/submission/search.py",
        "if self.attempt.reattach and choose(own, self.attempt.mine).kept:",
        "if own:",
        _ANY_INTERLEAVING,
    ),
    Mutant(
        "does not write an intent down",
        "flows/submission/create.py",
        "            kept = yield Remember(intent)\n",
        "            kept = None\n",
        _ANY_INTERLEAVING,
    ),
    Mutant(
        "trusts the filter of a list",
        "client/jobs.py",
        "found |= {job.name: job for job in jobs if identity.is_kin(job)}",
        "found |= {job.name: job for job in jobs}",
        "tests/client/test_find_jobs.py::test_jobs_of_others_are_not_found_where_the_service_ignores_the_filter",
    ),
    Mutant(
        "takes any list to be newest first",
        "client/pages.py",
        "return not self._broken and self._steps >= NEWEST_FIRST_AFTER",
        "return True",
        "tests/client/test_find_jobs.py::test_a_job_is_found_whatever_the_order_of_the_list",
    ),
    Mutant(
        "walks in circles",
        "client/pages.py",
        "        self.in_circles = token in self._seen",
        "        self.in_circles = False",
        "tests/client/test_calls.py::test_a_list_that_leads_in_circles_ends_with_a_warning",
    ),
    Mutant(
        "takes any name for a job's",
        "wire/services/gemini.py",
        "    if not JOB_NAME.fullmatch(job.name):",
        "    if not job.name:",
        "tests/client/test_calls.py::test_the_answer_to_a_create_that_names_no_job_is_unreadable",
    ),
    Mutant(
        "cancels what only a list calls its own",
        "flows/submission/withdraw.py",
        "yield from _became(Cancel(job.name, only_if=unwanted, is_new=is_new))",
        "yield from _became(Cancel(job.name, is_new=is_new))",
        f"{_OWN}test_a_job_that_only_a_list_calls_the_tasks_own_is_left_alone",
    ),
    Mutant(
        "believes a list that a job runs",
        "flows/submission/search.py",
        "        job = yield from read_job(hint.name, created, self.clock)",
        "        job = hint if hint.name else (yield from read_job(hint.name, created, self.clock))",
        f"{_OWN}test_a_list_that_says_running_of_a_job_that_ended_without_rows_does_not_keep_a_new_one_away",
    ),
    Mutant(
        "lets twins run on",
        "flows/submission/own_jobs.py",
        "    surplus = tuple(job for job in others if goes_on(job))",
        "    surplus = ()",
        f"{_OWN}test_of_three_jobs_that_ask_the_same_one_goes_on",
    ),
    Mutant(
        "takes the first 404 for the last word",
        "flows/submission/own_jobs.py",
        "            if left <= 0:",
        "            if left is not None:",
        f"{_OWN}test_a_job_that_its_name_does_not_find_for_twenty_seconds_is_reattached",
    ),
    Mutant(
        "forgets the unclear create of another input",
        "flows/record.py",
        "        return max(self.doubt, 0.0 if self.job else self.intent)",
        "        return 0.0 if self.job else self.intent",
        f"{_OWN}test_an_attempt_that_goes_by_its_note_still_looks_for_the_job_of_an_unclear_create",
    ),
    Mutant(
        "takes notes for exact",
        "flows/submission/search.py",
        "sum(LOOKS_AFTER_LOSS) + NOTE_SKEW > now",
        "sum(LOOKS_AFTER_LOSS) > now",
        f"{_OWN}test_a_note_of_a_machine_whose_clock_is_wrong_makes_no_second_job",
    ),
    Mutant(
        "waits by the machine's clock",
        "task/jobs/watcher.py",
        "drive(watch(names, plan, clock=self.client.service_time), self.act)",
        "drive(watch(names, plan, clock=clock.time), self.act)",
        "tests/operators/test_clocks_that_differ.py::"
        "test_a_jump_of_the_machines_clock_cancels_no_job_that_has_time",
    ),
    Mutant(
        "cancels though the service's time is not over",
        "flows/watch.py",
        "Cancel(name, only_if=is_late, ",
        "Cancel(name, ",
        "tests/flows/test_watch.py::test_a_deadline_is_checked_by_the_clock_of_the_last_look_before_a_cancellation",
    ),
    Mutant(
        "takes a list that lags for the whole",
        "flows/outcome/stray_jobs.py",
        "    return all(job.name in shown for job in young)",
        "    return shown is not young",
        "tests/flows/test_strays.py::test_a_list_that_does_not_show_a_young_job_that_is_known_is_asked_again",
    ),
    Mutant(
        "cancels whatever a name leads to",
        "client/jobs.py",
        "if only_if is not None and not only_if(job):",
        "if only_if is not None and not job.name:",
        "tests/client/test_cancel.py::test_a_job_that_may_not_be_cancelled_is_read_and_left_alone",
    ),
    Mutant(
        "keeps to what the service's clock told first",
        "client/service_clock.py",
        "            if least <= known_most and known_least <= most:",
        "            if least is not None:",
        "tests/client/test_service_clock.py::test_a_machine_that_was_asleep_learns_the_time_anew",
    ),
    Mutant(
        "asks a database again in a retry",
        "task/inputs/queries/snapshot.py",
        "return next(iter(self._like(self._begin)), None)",
        "return None",
        "tests/task/test_rows_of_a_query.py::"
        "test_a_retry_asks_the_rows_of_the_first_try_whatever_the_database_has_by_then[other rows]",
    ),
    Mutant(
        "asks old rows of a database for a task that was cleared",
        "task/inputs/queries/snapshot.py",
        'self._begin = f"{self._whose}-{first_try}-"',
        'self._begin = f"{self._whose}-1-"',
        "tests/task/test_rows_of_a_query.py::"
        "test_a_cleared_task_asks_the_database_anew_and_pays_for_other_rows_only",
    ),
    Mutant(
        "keeps rows of a database in the order of the last query",
        "task/inputs/queries/snapshot.py",
        "        if not before:\n            return fetched",
        "        if before or not before:\n            return fetched",
        "tests/task/test_rows_of_a_query.py::"
        "test_a_cleared_task_asks_the_database_anew_and_pays_for_other_rows_only",
    ),
)

ANSWERS = (
    Mutant(
        "leaves Claude's cached tokens out of its input",
        "wire/answers/claude.py",
        "return tokens(fresh + made + cached, ",
        "return tokens(fresh, ",
        "tests/wire/test_partner_rows.py::test_a_message_of_claude_is_a_row_with_all_of_its_input_counted",
    ),
    Mutant(
        "asks partners' models for values of a dict in Google's dialect",
        "wire/schemas/partner_schema.py",
        '_HOLD_ONE = frozenset({"items", "additionalProperties"})',
        '_HOLD_ONE = frozenset({"items"})',
        "tests/wire/test_partner_answers_asked.py::test_values_of_a_dict_are_asked_for_in_plain_json_schema",
    ),
    Mutant(
        "takes half an answer of Claude's tool for a whole one",
        "wire/schemas/output_type.py",
        "        or has_answer_tool(fields)",
        "        or False",
        "tests/wire/test_partner_answers_asked.py"
        "::test_a_request_whose_answer_has_a_schema_asks_for_a_type_in_every_spelling",
    ),
    Mutant(
        "lets a request name a tool that is not there",
        "wire/partners/request.py",
        "    check_tool_choice(body, family, model)",
        "    pass",
        "tests/wire/test_partner_answers_asked.py"
        "::test_a_choice_of_a_tool_that_is_not_there_is_refused_by_name",
    ),
    Mutant(
        "gives long keys one file of media",
        "results/media.py",
        'return f"{name}~{sha256(data).hexdigest()[:_HEX]}"',
        "return name",
        "tests/results/test_media.py::test_long_keys_that_begin_alike_have_names_of_their_own",
    ),
    Mutant(
        "drops what it does not know without a count",
        "wire/answers/members.py",
        "        if name not in known and not nothing(member) and to_lower_camel(name) not in known:",
        "        if name in known and nothing(member) and to_lower_camel(name) not in known:",
        "tests/wire/test_partner_rows.py::test_what_lands_nowhere_is_counted_unless_the_response_is_kept",
    ),
)

TOLD = (
    Mutant(
        "forgets what ended while the list could not be read",
        "client/polling/ended_jobs.py",
        "since = min(now - self._window, (self._last or now - self._window) - CLOCK_SKEW)",
        "since = now - self._window - CLOCK_SKEW",
        "tests/client/test_ended_jobs.py::test_what_was_submitted_and_ended_while_the_service_was_away_is_told_of",
    ),
    Mutant(
        "takes a paused job for one that has ended",
        "client/polling/ended_jobs.py",
        "if not job.state.final:",
        "if not job.done:",
        "tests/client/test_ended_jobs.py::test_a_paused_job_has_not_ended",
    ),
    Mutant(
        "fires for a job again and again",
        "triggers/job_events.py",
        "if job.name not in seen and self._wants(job):",
        "if self._wants(job):",
        "tests/triggers/test_job_events.py::test_it_fires_for_each_job_that_ends_once_and_says_how",
    ),
    Mutant(
        "writes over what the user tells of an asset",
        "reporting/outlets.py",
        "extra.setdefault(KEY, extra)",
        "extra.update({KEY: extra})",
        "tests/reporting/test_outlets.py::test_what_the_user_put_there_stays",
    ),
    Mutant(
        "names a dataset with its password",
        "reporting/datasets.py",
        'user, _, server = host.rpartition("@")',
        'user, server = "", host',
        "tests/reporting/test_datasets.py::test_no_password_and_no_signature_is_in_a_name",
    ),
)

MUTANTS = (*CLIENT, *EMULATOR, *SUBMIT, *ANSWERS, *TOLD)
