"""Whatever channels do: no trouble is lost, none is told twice within the quiet time.

A machine lets troubles begin, grow and end, channels fail and recover, processes die between
sending and writing that down, and time pass. What a channel took is compared with what was wrong.
"""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ldt_pipeline.alerting.book import BookFile
from ldt_pipeline.alerting.channels import DeliveryError
from ldt_pipeline.alerting.config import AlertsFile, Channel
from ldt_pipeline.alerting.delivering import LONGEST_WAIT, deliver
from ldt_pipeline.alerting.message import Message
from ldt_pipeline.alerting.owed import Rules
from ldt_pipeline.alerting.trouble import Trouble

JOBS = ["a", "b", "c"]
CHANNELS = ["one", "two"]
CONFIG = AlertsFile(
    channels={name: Channel(command=(name,)) for name in CHANNELS},
    gather_seconds=30,
    quiet_minutes=60,
    remind_hours=12,
    messages_per_hour=3,
)
RULES: Rules = CONFIG.rules
HOUR = dt.timedelta(hours=1)


class Killed(BaseException):
    """The process died after a channel took a message, and before that was written down."""


class Alerts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.moment = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
        self.file = BookFile(self.folder, clock=lambda: self.moment)
        self.is_down = dict.fromkeys(CHANNELS, False)
        self.is_killed = False
        self.open: dict[str, dt.datetime] = {}
        self.begun: dict[str, list[dt.datetime]] = defaultdict(list)
        # What each channel took: when, why, how often it had happened, and whether by a process
        # that died, which can't know that it was.
        self.took: dict[tuple[str, str], list[tuple[dt.datetime, str, int, bool]]] = defaultdict(
            list
        )
        self.sent: dict[str, list[dt.datetime]] = defaultdict(list)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def send(self, channel: Channel, message: Message) -> str:
        assert channel.command is not None
        name = channel.command[0]
        if self.is_down[name]:
            raise DeliveryError("down")
        self.sent[name].append(self.moment)
        for each in message.record["troubles"]:
            entry = (self.moment, each["why"], each.get("step", 0), self.is_killed)
            self.took[name, each["job"]].append(entry)
        if self.is_killed:
            raise Killed
        return ""

    def deliver(self) -> None:
        try:
            deliver(self.file, CONFIG, send=self.send)
        except Killed:
            self.is_killed = False

    @rule(job=st.sampled_from(JOBS), times=st.integers(1, 200), step=st.integers(0, 2))
    def fail(self, job: str, times: int, step: int) -> None:
        with self.file.changed() as book:
            for _ in range(times):
                trouble = Trouble(source="run", severity="error", job=job, step=step)
                book.note(trouble, self.moment)
        if job not in self.open:
            self.open[job] = self.moment
            self.begun[job].append(self.moment)

    @rule(job=st.sampled_from(JOBS))
    def repair(self, job: str) -> None:
        with self.file.changed() as book:
            book.close(f"run/{job}/", self.moment)
        self.open.pop(job, None)

    @rule(job=st.sampled_from(JOBS))
    def come_and_go(self, job: str) -> None:
        """What flaps is what quiet time is for, and two rules in a row rarely make it."""
        for _ in range(2):
            self.fail(job, 1, 0)
            self.wait(40)
            self.repair(job)
            self.wait(40)

    @rule(seconds=st.sampled_from([1, 20, 40, 120, 900, 3700, 13 * 3600]))
    def wait(self, seconds: int) -> None:
        self.moment += dt.timedelta(seconds=seconds)
        self.deliver()

    @rule(name=st.sampled_from(CHANNELS), is_down=st.booleans())
    def break_or_mend(self, name: str, is_down: bool) -> None:
        self.is_down[name] = is_down

    @rule()
    def kill_the_next(self) -> None:
        self.is_killed = True

    @rule()
    def settle(self) -> None:
        """With every channel up, and time enough, each knows of each trouble, and what is over."""
        self.is_down = dict.fromkeys(CHANNELS, False)
        self.is_killed = False
        end = self.moment + LONGEST_WAIT + RULES.quiet + 2 * HOUR
        while self.moment < end:
            self.moment += dt.timedelta(minutes=20)
            self.deliver()
        for name in CHANNELS:
            for job, begun in self.begun.items():
                took = [each for each in self.took[name, job] if not each[3]]
                assert took, "it was never told"
                believes_it_is_over = took[-1][1] in ("over", "passed")
                assert believes_it_is_over == (job not in self.open)
                # Where the limit held back that it was over, and it began again: known all along.
                assert took[-1][0] >= begun[-1] or not believes_it_is_over, "not told of the last"

    @invariant()
    def nothing_twice(self) -> None:
        for took in self.took.values():
            entered = [each for each in took if not each[3]]
            for (before, why, step, _), (after, then, higher, _) in itertools.pairwise(entered):
                if then in ("new", "passed"):
                    assert why in ("over", "passed")
                    assert after - before >= RULES.quiet
                elif then == "reminder":
                    assert after - before >= RULES.remind
                elif then == "worse":
                    assert higher > step
                else:
                    assert why not in ("over", "passed")

    @invariant()
    def not_too_many(self) -> None:
        for sent in self.sent.values():
            for moment in sent:
                recent = [each for each in sent if moment - HOUR < each <= moment]
                # A process that died doesn't count what it sent.
                killed = sum(
                    len({each[0] for each in took if each[3]}) for took in self.took.values()
                )
                assert len(recent) <= CONFIG.messages_per_hour + killed

    @invariant()
    def nothing_is_kept_for_ever(self) -> None:
        book = self.file.read()
        assert set(self.open) == {each.trouble.job for each in book.open_records()}


TestAlerts = Alerts.TestCase
TestAlerts.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    phases=[Phase.generate],  # a history is short as it is, and making it shorter takes minutes
)
