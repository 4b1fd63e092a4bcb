"""`python -m ldt_pipeline.sandbox`: the sandbox as a process of its own.

What belongs here: arguments of the command line. What doesn't: anything that the sandbox does
(`service`). It prints two lines that a shell can read, then serves until interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import datetime

from ldt_pipeline.sandbox.faults import ALL_FAULTS, Fault
from ldt_pipeline.sandbox.service import serve


def main(arguments: list[str] | None = None) -> None:
    """Serve an account as the command line says."""
    options = _parser().parse_args(arguments)
    # The same as Ctrl-C, which also ends making an account up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(
        participants=options.participants,
        seed=options.seed,
        host=options.host,
        port=options.port,
        latency_ms=options.latency_ms,
        fault_rate=options.fault_rate,
        fault_rates=dict(options.fault),
        changes_per_second=options.changes_per_second,
        cursors=options.cursors,
        list_end=options.list_end,
        events=options.events,
        applications=options.applications,
        now=options.now,
        ready=_announce,
    )


def _announce(base_url: str, api_key: str) -> None:
    sys.stdout.write(f"LDT_API_BASE_URL={base_url}\nLDT_API_KEY={api_key}\n")
    sys.stdout.flush()


def _fault(text: str) -> tuple[Fault, float]:
    name, _, rate = text.partition("=")
    if name not in ALL_FAULTS:
        raise argparse.ArgumentTypeError(f"{name} is no fault; known are {', '.join(ALL_FAULTS)}")
    try:
        return name, float(rate)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not of the form NAME=RATE") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ldt_pipeline.sandbox",
        description="Serve a stand-in for the Let's Do This API, full of made-up people.",
    )
    parser.add_argument("--participants", type=int, default=1000, help="how many people entered")
    parser.add_argument("--applications", type=int, default=None, help="how many applied")
    parser.add_argument("--events", type=int, default=6, help="how many events there are")
    parser.add_argument("--seed", type=int, default=0, help="which account")
    parser.add_argument(
        "--now",
        type=datetime.fromisoformat,
        default=None,
        help="when the history ends, with offset",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--latency-ms", type=float, default=0, help="how long answers are held back"
    )
    parser.add_argument(
        "--fault-rate", type=float, default=0, help="how often something passing goes wrong, 0 to 1"
    )
    parser.add_argument(
        "--fault", type=_fault, action="append", default=[], metavar="NAME=RATE",
        help=f"one fault at a rate of its own: {', '.join(ALL_FAULTS)}",
    )  # fmt: skip
    parser.add_argument(
        "--changes-per-second", type=float, default=0, help="random changes while serving"
    )
    parser.add_argument(
        "--cursors", choices=("opaque", "record_id"), default="opaque", help="what cursors are"
    )
    parser.add_argument(
        "--list-end", choices=("null", "absent", "empty", "again"), default="null",
        help="what `next` is on the last page",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
