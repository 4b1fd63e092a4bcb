"""Processes that need not wait for their imports: half of what a short command costs is Dagster's.

They are processes like any others, with an exit status and streams of their own, and can be killed.
What they do without is importing other people's packages. Our own modules are imported anew in each
`ldt`, with its environment: some look at the settings when they are imported.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

LDT = Path(sys.executable).with_name("ldt")
SECONDS = 120

_begun: set[tuple[str, ...]] = set()


def processes() -> ForkServerContext:
    """Give a way to start processes that have imported everything already."""
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["ldt_pipeline_tests.preloaded"])
    return context


def run_command(
    *arguments: str, folder: Path, environment: Mapping[str, str], seconds: float = SECONDS
) -> subprocess.CompletedProcess[bytes]:
    """Run `ldt` in a folder, in no other environment than this.

    The first time each command is run as people run it, so that an import which it misses is
    missed; then it is forked.
    """
    words = [each for each in arguments if not each.startswith("-")]
    command = tuple(words[: 2 if words[:1] in (["alerts"], ["allocations"], ["erase"]) else 1])
    if command not in _begun:
        _begun.add(command)
        return subprocess.run(
            [str(LDT), *arguments],
            env={**environment},
            cwd=folder,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    return _run_forked(arguments, folder, environment, seconds)


def _run_forked(
    arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place) / name for name in ("out", "err")]
        process = processes().Process(
            target=_be_ldt, args=(arguments, str(folder), dict(environment), *map(str, streams))
        )
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([str(LDT), *arguments], seconds)
        out, err = (path.read_bytes() for path in streams)
        assert process.exitcode is not None
        return subprocess.CompletedProcess([str(LDT), *arguments], process.exitcode, out, err)


def _be_ldt(
    arguments: tuple[str, ...], folder: str, environment: dict[str, str], out: str, err: str
) -> None:
    for number, path in enumerate((out, err), start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [str(LDT), *arguments]
    for name in [each for each in sys.modules if each.split(".")[0] == "ldt_pipeline"]:
        del sys.modules[name]
    from ldt_pipeline.cli import main

    sys.exit(main())
