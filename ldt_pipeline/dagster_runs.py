"""One run of a job in this process, and what its failure says.

What belongs here: running a job of the code location, and turning a failed run into one sentence.
What doesn't: which jobs, and in what order (`runner.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any, TextIO, cast

import dagster as dg

from ldt_pipeline.dead_runs import our_tags
from ldt_pipeline.settings import load_settings
from ldt_pipeline.warehouse.checking import NOTHING_PUBLISHED

_DAGSTERS_OWN = (
    "Exception while writing logger call to event log",
    "Exception while storing event batch",
    "Falling back to storing multiple single-event storage requests",
)

_INTERRUPTED = ("DagsterExecutionInterruptedError", "RuntimeError: Query interrupted")
"""What Ctrl-C becomes in a step: Dagster's own error, or DuckDB's where it was at work on a query."""

_CHECK_FAILED = "DagsterAssetCheckFailedError"


class RunFailedError(Exception):
    """A Dagster run failed; the text says why, in one sentence. `kind` names the step's error."""

    def __init__(self, text: str, *, kind: str = "") -> None:
        super().__init__(text)
        self.kind = kind


class _WithoutDagstersOwn:
    """A stream without the lines that Dagster writes when its records can't be written.

    The error itself is raised all the same, and becomes our one sentence; or else writing them one
    by one has helped.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if not text.startswith(_DAGSTERS_OWN):
            self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _without_generators_complaints() -> Generator[None]:
    """Keep quiet where Dagster's generators don't end when told to, as on a full disk.

    Python writes a stack for that to stderr, beside the error itself, which is raised all the same.
    """
    report = sys.unraisablehook

    def leave_out(unraisable: sys.UnraisableHookArgs) -> None:
        if not (isinstance(unraisable.object, Generator) and _is_ignored_exit(unraisable)):
            report(unraisable)

    sys.unraisablehook = leave_out
    try:
        yield
    finally:
        sys.unraisablehook = report


def _is_ignored_exit(unraisable: sys.UnraisableHookArgs) -> bool:
    error = unraisable.exc_value
    return isinstance(error, RuntimeError) and str(error) == "generator ignored GeneratorExit"


class Runner:
    """Runs jobs of the code location in this process, recorded in an instance."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions = definitions
        self.instance = instance
        self.runs: list[str] = []

    def run(
        self,
        job_name: str,
        *,
        tags: Mapping[str, str] | None = None,
        config: dg.RunConfig | None = None,
    ) -> None:
        """Run a job.

        Args:
            job_name: Which one.
            tags: More tags of the run.
            config: Its configuration, in place of the job's own.

        Raises:
            RunFailedError: It failed.
        """
        job = self._definitions.resolve_job_def(job_name)
        run_config: dict[str, Any] = config.to_config_dict() if config else {}
        # What is given here takes the place of the job's own configuration, it adds nothing to it.
        # Dagster's own account of each step goes to its event log; here a sentence is enough.
        run_config["loggers"] = {"console": {"config": {"log_level": "CRITICAL"}}}
        with (
            redirect_stderr(cast("TextIO", _WithoutDagstersOwn(sys.stderr))),
            _without_generators_complaints(),
        ):
            result = job.execute_in_process(
                instance=self.instance,
                run_config=run_config,
                tags={**our_tags(load_settings()), **(tags or {})},
                raise_on_error=False,
            )
        self.runs.append(job_name)
        if not result.success:
            raise _failure(result)


def _failure(result: dg.ExecuteInProcessResult) -> BaseException:
    """Give the error of the first step that failed, without Dagster's wrapping.

    The step's own stack is a note of it, for whoever wants to see it. Ctrl-C between steps, or before
    a step's own work, is an error of the run alone.
    """
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        if event.is_run_failure:
            error = event.job_failure_data.error
        stack = error.to_string() if error else ""
        if any(each in stack for each in _INTERRUPTED):
            return KeyboardInterrupt()
        if not event.is_step_failure:
            continue
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            # Of checks Dagster gives the names alone.
            text = _failed_checks(result) if error.cls_name == _CHECK_FAILED else ""
            failure = RunFailedError(
                text or error.message.strip().split(": ", 1)[-1].strip(), kind=error.cls_name or ""
            )
            failure.add_note(stack)
            return failure
    return RunFailedError(f"The run {result.run_id} failed; Dagster's page of it says why.")


def _failed_checks(result: dg.ExecuteInProcessResult) -> str:
    """Say what the checks found that ended a run."""
    found = [
        f"{each.asset_key.to_user_string()}: {each.description}"
        for each in result.get_asset_check_evaluations()
        if each.blocking and not each.passed and each.severity is dg.AssetCheckSeverity.ERROR
    ]
    return f"{NOTHING_PUBLISHED} {'; '.join(found)}." if found else ""
