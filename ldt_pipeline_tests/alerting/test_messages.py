"""What messages say, what is held back, and what can't get into them."""

from __future__ import annotations

import datetime as dt
import errno
from collections.abc import Callable

import msgspec
import pytest

from ldt_pipeline.alerting.book import BOOK, Book, BookFile
from ldt_pipeline.alerting.channels import DeliveryError
from ldt_pipeline.alerting.config import AlertsFile, Channel
from ldt_pipeline.alerting.delivering import LONGEST_WAIT, deliver, wait_after
from ldt_pipeline.alerting.message import Message
from ldt_pipeline.alerting.trouble import Trouble, kind_of

START = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
CONFIG = AlertsFile(
    channels={
        "one": Channel(command=("one",)),
        "errors": Channel(command=("two",), at_least="error"),
    },
    messages_per_hour=2,
    gather_seconds=0,
    pages="https://dagster.example.org",
)


class Clock:
    """A book with a clock that is set by hand, and a channel that keeps what it gets."""

    def __init__(self, folder) -> None:
        self.moment = START
        self.file = BookFile(folder, clock=lambda: self.moment)
        self.got: dict[str, list[Message]] = {"one": [], "two": []}
        self.error: DeliveryError | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def send(self, channel: Channel, message: Message) -> str:
        if self.error is not None:
            raise self.error
        self.meanwhile()
        self.got[channel.command[0]].append(message)
        return ""

    def after(self, minutes: float, *troubles: Trouble) -> None:
        self.moment += dt.timedelta(minutes=minutes)
        with self.file.changed() as book:
            for each in troubles:
                book.note(each, self.moment)
        deliver(self.file, CONFIG, send=self.send)


def failed(job: str) -> Trouble:
    return Trouble(source="run", severity="error", job=job, run_id="r1")


def test_what_is_too_much_for_an_hour_comes_in_one_message(tmp_path) -> None:
    clock = Clock(tmp_path)
    for number in range(10):
        clock.after(1, failed(f"job-{number}"))
    assert [each.text.count("- error") for each in clock.got["one"]] == [1, 1]
    clock.after(60)
    last = clock.got["one"][-1]
    assert last.text.startswith("8 new.\nHeld back since 2026-05-01 12:03 UTC")
    assert last.text.endswith("See https://dagster.example.org\n")
    assert last.record["held_since"] == "2026-05-01T12:03:00+00:00"
    assert [each["job"] for each in last.record["troubles"]] == [f"job-{n}" for n in range(2, 10)]
    clock.after(1)
    assert len(clock.got["one"]) == 3


def test_a_channel_hears_of_what_is_bad_enough_alone(tmp_path) -> None:
    clock = Clock(tmp_path)
    stale = Trouble(source="stale_events", severity="warning", count=1, at=START)
    clock.after(1, stale)
    assert (len(clock.got["one"]), len(clock.got["two"])) == (1, 0)
    clock.after(1, msgspec.structs.replace(stale, severity="error"))
    assert "Got worse:" in clock.got["one"][1].text
    assert "New:" in clock.got["two"][0].text


def test_a_channel_that_asks_to_be_left_alone_is(tmp_path) -> None:
    clock = Clock(tmp_path)
    clock.error = DeliveryError("busy", wait_seconds=1200)
    clock.after(1, failed("a"))
    clock.error = None
    clock.after(19)
    assert clock.got["one"] == []
    clock.after(2)
    assert len(clock.got["one"]) == 1
    waits = [wait_after(number) for number in range(1, 2000)]
    assert waits == sorted(waits)
    assert (waits[0].total_seconds(), waits[-1]) == (30, LONGEST_WAIT)


def test_a_damaged_book_is_set_aside_and_said(tmp_path) -> None:
    clock = Clock(tmp_path)
    clock.after(1, failed("a"))
    (tmp_path / BOOK).write_bytes(b'{"version": 1, "records": [\xff')
    clock.after(1)
    assert "The book of alerts was damaged" in clock.got["one"][1].text
    assert (tmp_path / f"{BOOK}.damaged").exists()
    assert all(each.stat().st_mode & 0o077 == 0 for each in tmp_path.iterdir())
    clock.after(1)
    assert len(clock.got["one"]) == 2


def test_what_returns_while_its_end_is_on_its_way_is_told(tmp_path) -> None:
    clock = Clock(tmp_path)
    clock.after(1, failed("a"))
    with clock.file.changed() as book:
        book.close("run/a/", clock.moment)

    def fails_again() -> None:
        clock.meanwhile = lambda: None
        clock.moment += dt.timedelta(seconds=4)
        with clock.file.changed() as book:
            book.note(failed("a"), clock.moment)
        clock.moment += dt.timedelta(seconds=4)

    clock.meanwhile = fails_again
    clock.after(1)
    assert "Over:" in clock.got["one"][1].text
    clock.after(70)
    for channel in ("one", "two"):
        assert "error: Job a failed" in clock.got[channel][-1].text
        assert "Over:" not in clock.got[channel][-1].text


def test_what_returns_in_the_instant_in_which_its_end_was_told(tmp_path) -> None:
    """Clocks of machines stand still for a while: it was taken for what had ended, and never told."""
    clock = Clock(tmp_path)
    clock.after(1, failed("a"))
    with clock.file.changed() as book:
        book.close("run/a/", clock.moment)
    clock.after(1)
    with clock.file.changed() as book:
        book.note(failed("a"), clock.moment)
    clock.after(70)
    for channel in ("one", "two"):
        assert "error: Job a failed" in clock.got[channel][-1].text
        assert "Over:" not in clock.got[channel][-1].text


def test_what_returned_before_a_clock_was_set_back_is_told(tmp_path) -> None:
    """All that lay ahead is of one instant then, its end and its return alike."""
    clock = Clock(tmp_path)
    clock.moment += dt.timedelta(days=400)
    clock.after(1, failed("a"))
    with clock.file.changed() as book:
        book.close("run/a/", clock.moment)
    clock.after(1)
    with clock.file.changed() as book:
        book.note(failed("a"), clock.moment + dt.timedelta(seconds=5))
    told = len(clock.got["one"])
    clock.moment = START
    clock.after(1)
    clock.after(70)
    assert "error: Job a failed" in "".join(each.text for each in clock.got["one"][told:])


def test_what_is_over_and_told_is_forgotten(tmp_path) -> None:
    clock = Clock(tmp_path)
    clock.after(1, failed("a"))
    with clock.file.changed() as book:
        book.close("run/a/", clock.moment)
    clock.after(1)
    clock.after(120, failed("b"))
    assert list(clock.file.read().records) == ["run/b/"]


@pytest.mark.parametrize("odd", ["a\x1b[31m\n\u202eb", "x" * 5000, "", "<!channel>"])
def test_odd_ids_stay_on_a_line_and_are_told_apart(odd: str, tmp_path) -> None:
    troubles = [
        Trouble(
            source="race_week", severity="error", kind="k", event_id=odd, race_id="r", at=START
        ),
        Trouble(source="allocation", severity="error", kind="unused", group_id=odd, at=START),
        failed(odd),
    ]
    clock = Clock(tmp_path)
    clock.after(1, *troubles)
    (message,) = clock.got["one"]
    assert "\n" not in message.subject
    assert all(
        len(line) < 400 and (line == "" or line.isprintable()) for line in message.text.split("\n")
    )
    assert message.text.count("\n- error: ") == 3
    keys = {
        Trouble(source="run", severity="error", job=a, partition=b).key
        for a, b in (("a", "b/c"), ("a/b", "c"))
    }
    assert len(keys) == 2


def test_of_an_error_its_class_alone_is_kept() -> None:
    assert kind_of(ValueError("sentinel")) == "ValueError"
    assert kind_of("sentinel text") == kind_of(None) == ""
    book = Book()
    book.note(failed("a"), START)
    assert b"sentinel" not in msgspec.json.encode(book)


def test_what_cannot_be_entered_is_not_sent_again_and_again(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: a message of which nobody could note that it was taken would go out for ever."""
    clock = Clock(tmp_path)
    clock.after(1, failed("a"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ldt_pipeline.alerting.book.write_durably", full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                clock.after(13 * 60)
    assert len(clock.got["one"]) == 1
    clock.after(1)
    assert [each.text.count("Still so:") for each in clock.got["one"]] == [0, 1]


def test_a_clock_that_was_ahead_keeps_nothing_back(tmp_path) -> None:
    """A machine that woke up in another year told some of it, was limited, and failed once."""
    clock = Clock(tmp_path)
    clock.moment += dt.timedelta(days=400)
    clock.after(1, failed("a"))
    clock.after(1, failed("b"))
    with clock.file.changed() as book:
        book.close("run/a/", clock.moment)
    clock.after(61)
    clock.error = DeliveryError("busy", wait_seconds=3600)
    clock.after(13 * 60)
    clock.error = None
    told = len(clock.got["one"])
    clock.moment = START
    clock.after(1, failed("a"), failed("c"))
    clock.after(90)
    texts = "".join(each.text for each in clock.got["one"][told:])
    assert "Job a failed" in texts
    assert "Job c failed" in texts
    clock.after(13 * 60)
    assert "Still so:" in clock.got["one"][-1].text
    assert "Job b failed" in clock.got["one"][-1].text
