"""Each channel takes messages for real, and says in our own words why it doesn't."""

from __future__ import annotations

import datetime as dt
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from pydantic import SecretStr

from ldt_pipeline.alerting import channels
from ldt_pipeline.alerting.channels import DeliveryError, send
from ldt_pipeline.alerting.config import Channel
from ldt_pipeline.alerting.message import Message, trial_message
from ldt_pipeline_tests.alerting.servers import (
    PASSWORD,
    USER,
    free_port,
    mail_server,
    make_certificate,
    webhook,
)

MESSAGE = trial_message(dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC))
HOOK = Channel(webhook="HOOK")


def secret(value: str):
    return lambda _name: SecretStr(value)


def mail_channel(port: int, **more: object) -> Channel:
    email = {"host": "127.0.0.1", "port": port, "from": "a@example.org", "to": ["b@example.org"]}
    return Channel.model_validate({"email": {"security": "none", **email, **more}})


def refusal(channel: Channel, value: str = PASSWORD) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        send(channel, MESSAGE, secret(value))
    assert value not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return raised.value


def test_a_webhook_takes_it_and_markup_in_ids_stays_text() -> None:
    message = Message(subject="s", text="<!channel> & <http://x|y>", record={})
    with webhook() as hook:
        assert send(HOOK, message, secret(hook.url)) == ""
        assert hook.texts == ["&lt;!channel&gt; &amp; &lt;http://x|y&gt;"]


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_a_webhook_that_refuses(status: int) -> None:
    with webhook() as hook:
        hook.answers, hook.retry_after = [status], "7"
        error = refusal(HOOK, hook.url)
        assert str(error) == f"the webhook answered {status}"
        assert error.wait_seconds == 7
        assert hook.requests == 1


def test_a_webhook_that_asks_for_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        hook.answers, hook.retry_after = [429, 429], "99999999"
        assert refusal(HOOK, hook.url).wait_seconds == 3600
        hook.retry_after = "Fri, 31 Dec 1999 23:59:59 GMT"
        assert refusal(HOOK, hook.url).wait_seconds is None


def test_a_webhook_that_is_slow_or_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_ANSWER_SECONDS", 0.2)
    with webhook() as hook:
        hook.answers = [0.6]
        assert "didn't answer in time" in str(refusal(HOOK, hook.url))
    away = f"http://127.0.0.1:{free_port()}/sentinel-hook"
    assert str(refusal(HOOK, away)) == "the webhook can't be reached (ConnectionError)"


@contextmanager
def dripping(line: bytes) -> Iterator[int]:
    """Give the port of a server that is never done, and never silent either."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                while not over.wait(0.05):
                    connection.sendall(line)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_a_server_that_is_never_done_keeps_nobody_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each piece comes in time: a mail server that is to slow down senders answers so."""
    monkeypatch.setattr(channels, "_LONGEST_SECONDS", 0.4)
    with dripping(b"220-please wait\r\n") as port:
        assert "took too long" in str(refusal(mail_channel(port)))
    with dripping(b"a") as port:
        assert "took too long" in str(refusal(HOOK, f"http://127.0.0.1:{port}/sentinel-hook"))


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.org/secret",
        "ftp://127.0.0.1/secret",
        "secret-alone",
        "https://[secret",
    ],
)
def test_an_address_that_would_be_sent_in_the_clear_or_is_none(address: str) -> None:
    assert "secret" not in str(refusal(HOOK, address))


def test_a_secret_that_is_not_there() -> None:
    with pytest.raises(DeliveryError, match="HOOK is not set"):
        send(HOOK, MESSAGE, lambda _name: None)


def test_mail_arrives_with_all_recipients(tmp_path) -> None:
    with mail_server() as mailbox:
        to = ["b@example.org", "c@example.org"]
        assert send(mail_channel(mailbox.port, to=to), MESSAGE, secret("unused")) == ""
        (letter,) = mailbox.letters
        assert letter["To"] == "b@example.org, c@example.org"
        assert letter["Subject"] == MESSAGE.subject
        assert letter["Auto-Submitted"] == "auto-generated"
        assert mailbox.texts == [MESSAGE.text]


def test_mail_to_some_who_do_not_exist() -> None:
    with mail_server() as mailbox:
        some = mail_channel(mailbox.port, to=["b@example.org", "nobody@example.org"])
        assert send(some, MESSAGE, secret("unused")) == "1 of 2 recipients were refused"
        assert len(mailbox.letters) == 1
        none = mail_channel(mailbox.port, to=["nobody@example.org"])
        assert str(refusal(none)) == "the mail server refused every recipient"


@pytest.mark.parametrize("goodbye", ["421 sentinel", "250 OK", "500 What?"])
def test_how_a_mail_server_parts_changes_nothing(goodbye: str) -> None:
    with mail_server() as mailbox:
        mailbox.goodbye = goodbye
        assert send(mail_channel(mailbox.port), MESSAGE, secret("unused")) == ""
        assert len(mailbox.letters) == 1
        none = mail_channel(mailbox.port, to=["nobody@example.org"])
        assert str(refusal(none)) == "the mail server refused every recipient"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_with_a_login_goes_encrypted(security: str, tmp_path, monkeypatch) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    login = {"security": security, "username": USER, "password": "SMTP_PASSWORD"}
    with mail_server(certificate=certificate, tls=security == "tls") as mailbox:
        channel = mail_channel(mailbox.port, **login)
        assert "SSLCertVerificationError" in str(refusal(channel))  # nobody vouches for it yet
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert str(refusal(channel, "wrong-one")) == "the mail server refused the login (535)"
        assert send(channel, MESSAGE, secret(PASSWORD)) == ""
        assert len(mailbox.letters) == 1


def test_a_mail_server_that_refuses_is_busy_lacks_starttls_or_is_away(monkeypatch) -> None:
    monkeypatch.setattr(channels, "_ANSWER_SECONDS", 0.3)
    with mail_server() as mailbox:
        mailbox.answers = ["451 sentinel try later"]
        error = refusal(mail_channel(mailbox.port))
        assert str(error) == "the mail server refused the message (451)"
        error = refusal(mail_channel(mailbox.port, security="starttls"))
        assert str(error) == "the mail server has no STARTTLS, or no login"
        assert mailbox.letters == []
    error = refusal(mail_channel(free_port()))
    assert str(error) == "the mail server can't be used (ConnectionRefusedError)"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refusal(mail_channel(silent.getsockname()[1]))
        assert str(error) == "the mail server broke off, or didn't answer in time"


def test_a_command_gets_json_and_no_shell(tmp_path, monkeypatch) -> None:
    out = tmp_path / "out $(touch oops).json"
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    command = Channel(command=(sys.executable, "-c", script, str(out)))
    assert send(command, MESSAGE, secret("unused")) == ""
    assert json.loads(out.read_text()) == MESSAGE.record
    failing = Channel(command=(sys.executable, "-c", "raise SystemExit(3)"))
    assert str(refusal(failing)) == "the command ended with 3"
    missing = Channel(command=("/no/such/command",))
    assert str(refusal(missing)) == "the command can't be started (FileNotFoundError)"
    monkeypatch.setattr(channels, "_COMMAND_SECONDS", 0.2)
    slow = Channel(command=(sys.executable, "-c", "import time; time.sleep(20)"))
    assert "took too long" in str(refusal(slow))
