"""What all commands share: `--verbose`, and errors as one sentence with an exit status.

What belongs here: which errors are ours to explain, and keeping the key out of what is printed.
What doesn't: the texts of those errors; they are written where they are raised.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ldt_pipeline.cli.text import lines_of, one_line, without_secrets

_VERBOSE = "ldt_pipeline.verbose"

_EXPLAINED = frozenset(
    {
        "AlertsFileError",
        "AllocationsFileError",
        "ApiError",
        "ApplyBusyError",
        "ApplyError",
        "ChecksFailedError",
        "CommandError",
        "ContractError",
        "DamagedExtractError",
        "DamagedWarehouseError",
        "NotCompactedError",
        "OtherOrganiserError",
        "OutdatedWarehouseError",
        "QuestionsFileError",
        "RunFailedError",
        "SettingsError",
        "WarehouseBusyError",
    }
)
"""Our errors whose text is a sentence for the person at the terminal. By name: importing them
would make every command as slow as the slowest."""

_WHAT_TO_DO = {
    errno.ENOSPC: "Free some space, then run it again: nothing that was finished is lost.",
    errno.EDQUOT: "Free some space, then run it again: nothing that was finished is lost.",
    errno.EACCES: "Give yourself the right to it, or set LDT_DATA_DIR to another folder.",
    errno.EPERM: "Give yourself the right to it, or set LDT_DATA_DIR to another folder.",
    errno.EROFS: "Set LDT_DATA_DIR to a folder that can be written.",
    errno.EMFILE: "Let it open more files at once, with `ulimit -n 1024`, and run it again.",
    errno.EADDRINUSE: "Choose another port with --port, or none to get a free one.",
}


_READER_GONE = 141  # 128 + SIGPIPE, as shells have it


class CommandError(Exception):
    """A command can't do what was asked of it; the text says why, in one sentence."""


class _Failure(click.ClickException):
    """What click shows of an error of ours."""

    exit_code = 1


class _Interruption(click.ClickException):
    """What click shows after Ctrl-C."""

    exit_code = 130  # 128 + SIGINT, as shells have it


def require_yes(question: str, otherwise: str) -> None:
    """Go on only where somebody says yes to the question.

    Raises:
        CommandError: Nobody does; the text begins with `otherwise`, which says what was not done.
    """
    # polars, once imported, has reads go on after Ctrl-C: the question would stand there until Enter.
    signal.siginterrupt(signal.SIGINT, True)
    try:
        says_yes = click.confirm(question)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        click.echo()
        raise CommandError(f"{otherwise}: nobody can be asked here. Add --yes.") from None
    if not says_yes:
        raise CommandError(f"{otherwise}.")


def _note_verbose(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[_VERBOSE] = True  # shared by the group's context and the command's


VERBOSE = click.Option(
    ["--verbose"],
    is_flag=True,
    expose_value=False,
    callback=_note_verbose,
    help="Show the traceback of an error, and what libraries warn of.",
)


class Command(click.Command):
    """A command with `--verbose`, whose help teaches, and whose errors are one sentence on stderr.

    `examples` are command lines, `failures` the reasons for exit status 1, and `done` and
    `usage` what 0 and 2 mean. `statuses` says what each exit status means.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str],
        failures: str,
        done: str = "done",
        usage: str = "wrong usage",
        ends_by_interruption: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(VERBOSE)
        self.examples = tuple(examples)
        self.statuses = {
            "0": done,
            "1": f"{failures}; one sentence on stderr says why",
            "2": usage,
        }
        if not ends_by_interruption:
            self.statuses["130"] = "interrupted by Ctrl-C"
        self.statuses["141"] = "cut short: what read its output has ended, as in `| head`"

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read what was typed; bytes that are no text would be errors in whatever takes them."""
        for each in args:
            if any("\ud800" <= character <= "\udfff" for character in each):
                shown = each.encode("utf-8", "replace").decode()
                raise click.UsageError(f"{shown!r} is not text in UTF-8: type it again.")
        with explaining(verbose=False):
            return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and exit statuses below the options."""
        del ctx
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{' ' * formatter.current_indent}{example}\n")
        with formatter.section("Exit status"):
            formatter.write_dl(list(self.statuses.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        verbose = bool(ctx.meta.get(_VERBOSE))
        _set_noise(verbose)
        with explaining(verbose=verbose):
            return super().invoke(ctx)


def open_closed_streams() -> None:
    """Open what whoever started us has closed (`>&-`), to nowhere.

    Else the next file to be opened is standard output or error, and what libraries print goes into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def prepare_streams() -> None:
    """Let text go out whatever the terminal's encoding is: a name must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _set_noise(verbose: bool) -> None:
    """Keep libraries from writing between our lines; their records are in Dagster's own."""
    import logging
    import warnings

    if not verbose:
        warnings.simplefilter("ignore")
        # Without any handler, logging would write of that itself.
        logging.getLogger().addHandler(logging.NullHandler())
        for name in ("dagster", "alembic", "urllib3", "asyncio", "aiohttp"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def explaining(*, verbose: bool) -> Generator[None]:
    """Turn an error into what click shows of it."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise  # click's own: wrong usage, --help
    except BrokenPipeError:
        # A reader that has had enough (`| head`).
        _discard(1, 2)
        raise click.exceptions.Exit(_READER_GONE) from None
    except BaseException as error:
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        failure = _failure_of(error)
        try:
            sys.stdout.flush()
        except OSError:  # it is what has no room
            _discard(1)
        if verbose:
            click.echo(
                lines_of(without_secrets("".join(traceback.format_exception(error)))), err=True
            )
        raise failure from None


def _discard(*numbers: int) -> None:
    """Let go of what is left for streams, by their numbers: at exit Python would try it once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in numbers:
        os.dup2(nowhere, number)
    os.close(nowhere)


def _failure_of(error: BaseException) -> click.ClickException:
    kinds = type(error).__mro__
    ours = {each.__name__ for each in kinds if each.__module__.startswith("ldt_pipeline.")}
    if isinstance(error, KeyboardInterrupt) or _is_interrupted_query(error):
        return _Interruption("Interrupted. What was finished is kept; run it again to go on.")
    text = one_line(without_secrets(str(error)))
    if not _EXPLAINED.isdisjoint(ours) and text:
        return _Failure(f"{text} {_of_room(text)}".strip())
    if any(each.__name__ == "IOException" and "duckdb" in each.__module__ for each in kinds):
        return _Failure(f"DuckDB can't use a file. {text} {_of_room(text)}".strip())
    if any(each.__name__ == "OperationalError" for each in kinds):
        return _Failure(_of_dagsters_records(text))
    if isinstance(error, OSError) and error.errno is not None:
        return _Failure(_of_system(error))
    return _Failure(
        f"Something unexpected went wrong ({type(error).__name__}). Run it again with --verbose to "
        "see where, and tell the maintainers."
    )


def _is_interrupted_query(error: BaseException) -> bool:
    """Whether it is what DuckDB makes of Ctrl-C while it is at work on a query."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def _of_room(text: str) -> str:
    """Say what to do where a text of a library tells of a full disk, or of too many open files."""
    if os.strerror(errno.EMFILE) in text:
        return _WHAT_TO_DO[errno.EMFILE]
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    is_full = any(os.strerror(number) in text for number in numbers)
    return _WHAT_TO_DO[errno.ENOSPC] if is_full and "Free some space" not in text else ""


def _of_dagsters_records(text: str) -> str:
    """Explain an error of SQLite, in which Dagster keeps its records."""
    reasons = ("database or disk is full", "disk I/O error", "readonly database", "unable to open")
    reason = next((each for each in reasons if each in text), "an error of SQLite")
    return (
        f"Dagster's records under LDT_DATA_DIR can't be written ({reason}). See that there is "
        "space, and that the folder can be written; then run it again: nothing that was finished "
        "is lost."
    )


def _of_system(error: OSError) -> str:
    reason = error.strerror or os.strerror(error.errno or 0)
    where = f" ({one_line(str(error.filename))})" if error.filename else ""
    advice = _WHAT_TO_DO.get(error.errno or 0, "")
    return f"The system says: {reason}{where}. {advice}".strip()
