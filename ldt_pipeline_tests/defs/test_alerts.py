"""Alerts through Dagster: real runs that fail, a real sensor, a real mail server and webhook."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from click.testing import CliRunner

from ldt_pipeline.alerting.book import BookFile
from ldt_pipeline.alerting.config import AlertsFileError, Allocations, Watch
from ldt_pipeline.alerting.polls import PATIENCE, note_poll
from ldt_pipeline.alerting.sources import event_troubles, key_troubles, published_troubles
from ldt_pipeline.api.errors import ApiError
from ldt_pipeline.cli import main
from ldt_pipeline.definitions import defs
from ldt_pipeline.defs.alert_sensors import send_alerts
from ldt_pipeline.defs.sensors import poll_sensor
from ldt_pipeline.sandbox import issue_key
from ldt_pipeline.settings import load_settings
from ldt_pipeline_tests.alerting.servers import Hook, Mailbox, mail_server, webhook
from ldt_pipeline_tests.defs.ticking import tick
from ldt_pipeline_tests.security.searching import contents, places_of

pytestmark = pytest.mark.slow

FAILURES = 24


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as hook:
        yield hook


@pytest.fixture
def alerts(synced, mailbox, hook, tmp_path, monkeypatch) -> dg.DagsterInstance:
    """An instance after a first sync, alerts set up, and one look that found nothing."""
    email = {"host": "127.0.0.1", "port": mailbox.port, "security": "none"}
    addresses = {"from": "ldt@example.org", "to": ["on-call@example.org"]}
    config = {
        "channels": {
            "office": {"email": {**email, **addresses}, "at_least": "error"},
            "on-call": {"webhook": "LDT_TEST_HOOK"},
        },
        "gather_seconds": 0,
        # What the made-up account has of these has its own test.
        "watch": {"allocations": None, "race_week_days": None},
    }
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("LDT_ALERTS_FILE", str(path))
    monkeypatch.setenv("LDT_TEST_HOOK", hook.url)
    assert "Nobody has to be told" in tick(send_alerts, synced).skip_message
    return synced


def fetch(instance: dg.DagsterInstance) -> bool:
    month = max(instance.get_materialized_partitions(dg.AssetKey("raw_participants")))
    tags = {f"dagster/asset_partition_range_{end}": month for end in ("start", "end")}
    job = defs.resolve_job_def("fetch_participants")
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False).success


def test_runs_that_fail_reach_the_mail_server_once_and_so_does_their_end(
    alerts, sandbox, mailbox, hook, tmp_path
) -> None:
    sandbox.revoke_key(sandbox.api_key)
    assert not fetch(alerts)
    tick(send_alerts, alerts)
    run = alerts.get_runs(limit=1)[0]
    assert mailbox.letters[0]["Subject"] == (
        "[ldt] error: Job fetch_participants failed by AuthenticationError; "
        f"the newest run is {run.run_id}."
    )
    assert "fetch_participants failed" in hook.texts[0]
    assert not fetch(alerts)
    assert "Nobody" in tick(send_alerts, alerts).skip_message  # known, and within the quiet time
    status = CliRunner().invoke(main, ["alerts", "status"])
    assert "Job fetch_participants failed 2 times" in status.output
    assert "told: office, on-call" in status.output

    sandbox.restore_key(sandbox.api_key)
    assert fetch(alerts)
    tick(send_alerts, alerts)
    assert len(mailbox.letters) == len(hook.texts) == 2
    assert mailbox.texts[1].startswith("Over:\n- error: Job fetch_participants failed 2 times")
    assert "Nothing is wrong." in CliRunner().invoke(main, ["alerts", "status"]).output

    texts = "".join([*mailbox.texts, *hook.texts, status.output])
    for needle in (*sandbox.api_key.split("."), "sentinel-hook", *personal_data()):
        assert needle not in texts
    folder = load_settings().data_dir
    assert places_of(["sentinel-hook", *sandbox.api_key.split(".")[1:]], contents(folder)) == []
    found = list(contents(load_settings().alerts_dir))
    assert found
    assert places_of(personal_data(), found) == []
    assert all(Path(name).stat().st_mode & 0o077 == 0 for name, _ in found)


def test_many_failures_make_one_message_and_a_channel_that_is_down_gets_them_later(
    alerts, mailbox, hook
) -> None:
    @dg.op
    def breaks() -> None:
        raise ValueError("sentinel-text with somebody@example.org")

    @dg.job(executor_def=dg.in_process_executor)
    def breaking() -> None:
        breaks()

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    for number in range(FAILURES):
        breaking.execute_in_process(
            instance=alerts,
            raise_on_error=False,
            run_config=quiet,
            tags={"dagster/partition": f"race-{number % 22}"},
        )
    hook.answers = [503]
    mailbox.answers = ["451 busy"]
    said = tick(send_alerts, alerts).skip_message
    assert said == (
        "office was not told: the mail server refused the message (451). "
        "on-call was not told: the webhook answered 503."
    )
    assert "Nobody" in tick(send_alerts, alerts).skip_message  # each is left alone for a while
    with BookFile(load_settings().alerts_dir).changed() as book:
        for line in book.lines.values():
            assert line.failures == 1
            line.not_before = None
    tick(send_alerts, alerts)
    (text,) = hook.texts
    assert mailbox.texts[0].startswith("22 new.")
    for said in ("22 new.", "Job breaking (race-0) failed 2 times by ValueError", "And 2 more"):
        assert said in text
    assert "sentinel-text" not in text + mailbox.texts[0]
    assert "Nobody" in tick(send_alerts, alerts).skip_message


def test_a_blocking_check_and_a_stale_asset(alerts, hook, tmp_path, monkeypatch) -> None:
    key = dg.AssetKey("start_list")

    def evaluate(*, passed: bool) -> None:
        alerts.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key, check_name="key_is_unique", passed=passed, metadata={"offences": 3}
            )
        )

    evaluate(passed=False)
    path = load_settings().alerts_file
    config = yaml.safe_load(path.read_text())
    config["watch"]["stale_hours"] = {"published": 1e-7}
    path.write_text(yaml.safe_dump(config))
    tick(send_alerts, alerts)
    (text,) = hook.texts
    assert "Check key_is_unique of start_list failed with 3 offences" in text
    assert "published is stale: it was last made at" in text
    evaluate(passed=True)
    tick(send_alerts, alerts)
    assert "Over:" in hook.texts[1]
    assert "key_is_unique" in hook.texts[1]
    config["watch"]["stale_hours"] = {"publisht": 1}
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(AlertsFileError, match="publisht"):
        tick(send_alerts, alerts)


def test_a_check_that_is_waited_for_is_told_of_when_it_lasts(alerts, hook) -> None:
    """What was deleted is found a minute later: a check warns until then, and nobody is woken."""

    def evaluate(severity: dg.AssetCheckSeverity, *, passed: bool = False) -> None:
        alerts.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("api_totals"),
                check_name="participants_are_complete",
                passed=passed,
                severity=severity,
                metadata={"offences": 2},
            )
        )

    evaluate(dg.AssetCheckSeverity.WARN)
    assert "Nobody" in tick(send_alerts, alerts).skip_message
    evaluate(dg.AssetCheckSeverity.ERROR)
    tick(send_alerts, alerts)
    (text,) = hook.texts
    assert "Check participants_are_complete of api_totals failed with 2 offences" in text
    evaluate(dg.AssetCheckSeverity.WARN)
    tick(send_alerts, alerts)
    assert len(hook.texts) == 1, "it isn't over before it passes"
    evaluate(dg.AssetCheckSeverity.WARN, passed=True)
    tick(send_alerts, alerts)
    assert "Over:" in hook.texts[1]


def test_a_poll_without_an_answer_is_told_when_it_lasts(alerts, sandbox, hook) -> None:
    sandbox.revoke_key(sandbox.api_key)
    tick(poll_sensor, alerts)
    assert "Nobody" in tick(send_alerts, alerts).skip_message
    settings = load_settings()
    with BookFile(settings.alerts_dir).changed() as book:
        (record,) = book.open_records("api")
        record.quiet_until -= PATIENCE
    tick(send_alerts, alerts)
    assert "The poll of the API fails since" in hook.texts[0]
    assert "(AuthenticationError)" in hook.texts[0]
    sandbox.restore_key(sandbox.api_key)
    tick(poll_sensor, alerts)
    tick(send_alerts, alerts)
    assert "Over:" in hook.texts[1]
    note_poll(settings, ApiError("for a moment"))
    note_poll(settings, None)
    assert "Nobody" in tick(send_alerts, alerts).skip_message


@pytest.mark.parametrize("whole", [False, True])
def test_without_a_daemon_a_sync_says_that_the_api_gives_no_answer(
    alerts, sandbox, hook, whole: bool
) -> None:
    run = CliRunner().invoke
    command = ["sync", "--whole"] if whole else ["sync"]
    sandbox.revoke_key(sandbox.api_key)
    assert run(main, command).exit_code == 1
    settings = load_settings()
    with BookFile(settings.alerts_dir).changed() as book:
        (record,) = book.open_records("api")
        record.quiet_until -= PATIENCE
    run(main, ["alerts", "send"])
    assert "The poll of the API fails since" in hook.texts[0]
    assert "(AuthenticationError)" in hook.texts[0]
    sandbox.restore_key(sandbox.api_key)
    assert run(main, command).exit_code == 0
    assert BookFile(settings.alerts_dir).read().open_records("api") == []


def test_the_file_is_broken_and_nothing_is_lost(alerts, sandbox, hook) -> None:
    path = load_settings().alerts_file
    text = path.read_text()
    path.write_text("channels: {}")
    with BookFile(load_settings().alerts_dir).changed() as book:
        book.failures_seen = 10**9  # as if Dagster's records were others than before
    sandbox.revoke_key(sandbox.api_key)
    assert not fetch(alerts)
    with pytest.raises(AlertsFileError, match=r"alerts.yaml:1 \(channels\)"):
        tick(send_alerts, alerts)
    path.write_text(text)
    tick(send_alerts, alerts)
    assert "fetch_participants failed" in hook.texts[0]


def test_commands(alerts, mailbox, hook, monkeypatch) -> None:
    run = CliRunner().invoke
    sent = run(main, ["alerts", "test"])
    assert sent.exit_code == 0
    assert sent.output == "office: sent.\non-call: sent.\n"
    assert "alerts arrive here" in mailbox.texts[0]
    monkeypatch.setenv("LDT_TEST_HOOK", "https://[sentinel-hook")
    sent = run(main, ["alerts", "test", "on-call"])
    assert sent.exit_code == 1
    assert "on-call: not sent, LDT_TEST_HOOK holds no https address." in sent.output
    assert "sentinel" not in sent.output
    assert "no channel nobody" in run(main, ["alerts", "test", "nobody"]).output
    monkeypatch.setenv("LDT_API_KEY", issue_key(expires_at=int(time.time()) - 60))
    sent = run(main, ["alerts", "send"])
    assert sent.exit_code == 1
    assert "office: told of 1." in sent.output
    assert "The API key expired at" in mailbox.texts[1]
    monkeypatch.delenv("LDT_ALERTS_FILE")
    assert "LDT_ALERTS_FILE is not set" in run(main, ["alerts", "status"]).output


def test_where_nobody_has_looked_nothing_is_said_to_be_right(alerts) -> None:
    (load_settings().alerts_dir / "book.json").unlink(missing_ok=True)
    status = CliRunner().invoke(main, ["alerts", "status"]).output
    assert "Nobody has looked yet" in status
    assert "Nothing is wrong" not in status


def test_a_failed_run_that_nobody_will_repeat_is_closed_by_hand(alerts, sandbox, hook) -> None:
    run = CliRunner().invoke
    sandbox.revoke_key(sandbox.api_key)
    assert not fetch(alerts)
    tick(send_alerts, alerts)
    assert "key: run/fetch_participants/\n" in run(main, ["alerts", "status"]).output
    assert run(main, ["alerts", "close", "run/fetch_participants/"]).exit_code == 0
    assert "Nothing is wrong." in run(main, ["alerts", "status"]).output
    again = run(main, ["alerts", "close", "run/fetch_participants/"])
    assert again.exit_code == 1
    assert "No failed run with the key run/fetch_participants/ is open" in again.output
    tick(send_alerts, alerts)
    assert "Over:" in hook.texts[1]
    assert "is told of no more" in hook.texts[1]


def test_a_key_is_told_of_again_as_its_end_comes_near(alerts, monkeypatch) -> None:
    end = dt.datetime(2026, 6, 20, tzinfo=dt.UTC)
    monkeypatch.setenv("LDT_API_KEY", issue_key(expires_at=int(end.timestamp())))
    settings = load_settings()
    found = {
        days: key_troubles(settings, 14, end - dt.timedelta(days=days))
        for days in (20, 13, 6, 2, 0.5, -1)
    }
    assert found[20] == []
    steps = [found[days][0] for days in (13, 6, 2, 0.5, -1)]
    assert [each.step for each in steps] == [1, 2, 3, 4, 5]
    assert [each.severity for each in steps] == ["warning"] * 3 + ["error"] * 2
    assert {each.key for each in steps} == {"api_key"}
    monkeypatch.delenv("LDT_API_KEY")
    assert key_troubles(load_settings(), 14, end)[0].kind == "missing"


def test_the_published_file_in_race_week(alerts) -> None:
    settings = load_settings()
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        event_id, race_id, starts_at = connection.execute(
            """
            SELECT event_id, race_id, max(race_start_at) FROM start_list
            SEMI JOIN data_issues USING (event_id, race_id) WHERE race_start_at IS NOT NULL
            GROUP BY ALL ORDER BY 3 DESC LIMIT 1
            """
        ).fetchall()[0]
        issues = connection.execute(
            "SELECT kind, count(*) FROM data_issues WHERE race_id = ? AND severity <> 'info' GROUP BY 1",
            [race_id],
        ).fetchall()
    moment = starts_at - dt.timedelta(days=3)
    watch = Watch(allocations=Allocations(nearly_full=0.01, unused=1, unused_within_days=3))
    found = published_troubles(settings, watch, moment)
    assert found is not None
    ours = [each for each in found.race_week if each.race_id == race_id]
    assert {(each.kind, each.count) for each in ours} == set(issues)
    assert {each.at for each in ours} == {starts_at}
    early = published_troubles(settings, watch, starts_at - dt.timedelta(days=8))
    assert early is not None
    assert not [each for each in early.race_week if each.race_id == race_id]
    with duckdb.connect(str(settings.published_path), read_only=True) as connection:
        groups = connection.execute(
            "SELECT reserved_entry_group_id, max_capacity, used_capacity FROM partner_allocations "
            "WHERE event_id = ? AND max_capacity > 0",
            [event_id],
        ).fetchall()
    told = {each.group_id: each for each in found.allocations if each.event_id == event_id}
    assert groups
    assert {(name, each.limit, each.count) for name, each in told.items()} == set(groups)
    for each in told.values():
        if each.count > each.limit:
            assert (each.kind, each.severity) == ("over_capacity", "error")
        else:
            assert each.kind == ("unused" if each.count == 0 else "nearly_full")
    long_after = published_troubles(settings, watch, moment + dt.timedelta(days=3660))
    assert long_after is not None
    assert long_after.allocations == long_after.race_week == []
    settings.published_path.write_bytes(b"no database")
    assert published_troubles(settings, watch, moment) is None


def test_events_that_are_too_old_for_how_near_their_race_is(alerts) -> None:
    settings = load_settings()
    now = dt.datetime.now(dt.UTC)
    assert event_troubles(settings, now) == []
    (stale,) = event_troubles(settings, now + dt.timedelta(days=2)) or []
    assert stale.count > 0
    assert "shown as they were too long ago" in stale.sentence()
    settings.published_path.write_bytes(b"no database")
    assert event_troubles(settings, now) is None


def personal_data() -> list[str]:
    """Give what is personal of everybody in the published file, as far as it is no common word."""
    with duckdb.connect(str(load_settings().published_path), read_only=True) as connection:
        rows = connection.execute(
            "SELECT email, phone, first_name || ' ' || last_name, booker_email FROM start_list"
        ).fetchall()
    return sorted({each for row in rows for each in row if each and len(each) > 5})
