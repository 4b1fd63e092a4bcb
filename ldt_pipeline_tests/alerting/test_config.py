"""The alerts file: what is allowed in it, and sentences with a line for what isn't."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from ldt_pipeline.alerting.config import EXAMPLE, AlertsFileError, Watch, read_alerts_file

CHANNEL = "channels:\n  a:\n    webhook: HOOK\n"
MAIL = "    email:\n      host: mail.example.org\n      from: a@b.org\n      to: [c@d.org]\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    return path


def test_the_packaged_example_says_the_defaults() -> None:
    read = read_alerts_file(EXAMPLE)
    assert read.watch == Watch()
    assert list(read.channels) == ["on-call", "office"]
    assert read.rules.quiet == dt.timedelta(hours=1)


def test_the_least_that_is_enough(tmp_path) -> None:
    read = read_alerts_file(written(tmp_path, CHANNEL))
    assert read.channels["a"].webhook == "HOOK"
    assert read.severities == {"a": "warning"}
    example = read_alerts_file(EXAMPLE)
    assert read.rules == example.rules


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "alerts.yaml:1 (channels): is missing"),
        ("channels: {}\n", "alerts.yaml:1 (channels): "),
        ("channels: [\n", "alerts.yaml:2: is no YAML"),
        (f"{CHANNEL}chanels: 1\n", "alerts.yaml:4 (chanels): is not known here"),
        (f"{CHANNEL}watch:\n  races: 1\n", "alerts.yaml:5 (watch.races): is not known here"),
        (f"{CHANNEL}    at_least: bad\n", "alerts.yaml:4 (channels.a.at_least): "),
        (f"{CHANNEL}    command: [x]\n", "alerts.yaml:2 (channels.a): must have exactly one of"),
        (f"{CHANNEL}  a:\n    webhook: B\n", "alerts.yaml:4: `a` stands here twice"),
        (f"{CHANNEL}quiet_minutes: 0\n", "alerts.yaml:4 (quiet_minutes): "),
        (f"{CHANNEL}watch:\n  allocations:\n    unused: 150%\n", "alerts.yaml:6 (watch.alloc"),
        (f"channels:\n  a:\n{MAIL}      port: none\n", "alerts.yaml:7 (channels.a.email.port): "),
        (f"channels:\n  a:\n{MAIL}      username: u\n", "`username` and `password` go together"),
        (
            f"channels:\n  a:\n{MAIL}      username: u\n      password: P\n      security: none\n",
            "a password is not sent without",
        ),
        (
            "channels:\n  a:\n    email:\n      host: h\n",
            "alerts.yaml:3 (channels.a.email.from): is missing",
        ),
        (f"{CHANNEL}pages: ftp://x\n", "alerts.yaml:4 (pages): "),
    ],
)
def test_each_mistake_is_named_with_its_line(text: str, says: str, tmp_path) -> None:
    with pytest.raises(AlertsFileError) as raised:
        read_alerts_file(written(tmp_path, text))
    assert says in str(raised.value)


def test_a_secret_that_stands_in_the_file_is_refused_and_not_repeated(tmp_path) -> None:
    secret = "https://hooks.example.org/services/T0/B0/sentinel-hook"
    with pytest.raises(AlertsFileError) as raised:
        read_alerts_file(written(tmp_path, CHANNEL.replace("HOOK", secret)))
    assert "alerts.yaml:3 (channels.a.webhook): must be the name of an environment" in str(
        raised.value
    )
    assert "sentinel" not in "".join(map(str, [raised.value, raised.value.__cause__]))


def test_several_mistakes_are_named_at_once(tmp_path) -> None:
    text = f"{CHANNEL}quiet_minutes: 0\nremind_hours: no\n"
    with pytest.raises(AlertsFileError, match=r"alerts.yaml:4 .*; alerts.yaml:5 "):
        read_alerts_file(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(AlertsFileError, match="can't be read"):
        read_alerts_file(tmp_path / "none.yaml")
