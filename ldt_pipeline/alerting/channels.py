"""Channels: one attempt to hand a message over, and what came of it.

What belongs here: HTTP, SMTP and processes. What doesn't: when to try again (`delivering.py`).

A webhook's address and a password are read at the moment of use. No error here repeats the text of
a library's: those hold addresses, which are the secret, and what servers say, which may be.
"""

from __future__ import annotations

import contextlib
import json
import smtplib
import ssl
import subprocess
import threading
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from ldt_pipeline.alerting.book import WAIT_MOST
from ldt_pipeline.alerting.config import Channel, Email, is_loopback
from ldt_pipeline.alerting.message import Message

Secrets = Callable[[str], SecretStr | None]
"""Gives the secret of a name."""

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
_LONGEST_SECONDS = 40.0
"""How long an attempt takes at most: the limits above are for each answer."""


class DeliveryError(Exception):
    """A channel didn't take a message; the text says why, without address, password or answer.

    `wait_seconds` is how long the other side asked us to wait.
    """

    def __init__(self, text: str, *, wait_seconds: float | None = None) -> None:
        super().__init__(text)
        self.wait_seconds = wait_seconds


def send(channel: Channel, message: Message, secrets: Secrets) -> str:
    """Hand a message over, in one attempt. Gives what is to be known of it, mostly nothing.

    Raises:
        DeliveryError: It was not taken, or nobody knows.
    """
    # A server that answers a piece at a time, each in time, would keep all other channels waiting.
    attempt = _Attempt(channel, message, secrets)
    attempt.start()
    attempt.join(_LONGEST_SECONDS)
    if attempt.is_alive():
        raise DeliveryError(
            "the other side took too long: nobody knows whether it took the message"
        )
    if attempt.error is not None:
        raise attempt.error
    return attempt.note


class _Attempt(threading.Thread):
    """An attempt that nobody has to wait for, not even when the process ends."""

    def __init__(self, channel: Channel, message: Message, secrets: Secrets) -> None:
        super().__init__(daemon=True, name="alert")
        self._hand_over = lambda: _hand_over(channel, message, secrets)
        self.note = ""
        self.error: Exception | None = None

    def run(self) -> None:
        """Hand it over."""
        try:
            self.note = self._hand_over()
        except Exception as error:
            self.error = error


def _hand_over(channel: Channel, message: Message, secrets: Secrets) -> str:
    if channel.webhook is not None:
        return _post(_secret(channel.webhook, secrets), channel.webhook, message)
    if channel.email is not None:
        return _mail(channel.email, message, secrets)
    return _run(channel.command or (), message)


def _secret(name: str, secrets: Secrets) -> str:
    secret = secrets(name)
    if secret is None:
        raise DeliveryError(f"{name} is not set: put it into the environment or into .env")
    return secret.get_secret_value().strip()


def _post(url: str, name: str, message: Message) -> str:
    if not _is_secure(url):
        raise DeliveryError(f"{name} holds no https address")
    # What comes from the API must not become a mention or a link in Slack's markup.
    text = message.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    try:
        with requests.post(
            url,
            json={"text": text},
            timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
            allow_redirects=False,  # whoever we were sent to would learn the message
            stream=True,  # nothing of the answer's body is wanted
        ) as response:
            status, wait = response.status_code, response.headers.get("Retry-After", "")
    except requests.Timeout:
        raise DeliveryError("the webhook didn't answer in time") from None
    except (requests.RequestException, ValueError) as error:
        raise DeliveryError(f"the webhook can't be reached ({type(error).__name__})") from None
    if not 200 <= status < 300:
        seconds = (
            min(float(wait), WAIT_MOST.total_seconds())
            if wait.isdecimal() and wait.isascii()
            else None
        )
        raise DeliveryError(f"the webhook answered {status}", wait_seconds=seconds)
    return ""


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def _mail(email: Email, message: Message, secrets: Secrets) -> str:
    password = _secret(email.password, secrets) if email.password else None
    letter = EmailMessage()
    letter["Subject"] = message.subject
    letter["From"] = email.sender
    letter["To"] = ", ".join(email.to)
    letter["Date"] = formatdate()
    letter["Message-ID"] = make_msgid(domain=email.sender.rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text)
    context = ssl.create_default_context()
    try:
        with contextlib.closing(_connect(email, context)) as server:
            if email.security == "starttls":
                server.starttls(context=context)
            if email.username is not None and password is not None:
                server.login(email.username, password)
            refused = server.send_message(letter)
            # It has the message. What it answers to the goodbye would make a failure of that, and
            # the message come again and again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
    except smtplib.SMTPNotSupportedError:
        raise DeliveryError("the mail server has no STARTTLS, or no login") from None
    except smtplib.SMTPRecipientsRefused:
        raise DeliveryError("the mail server refused every recipient") from None
    except smtplib.SMTPResponseException as error:
        what = "the login" if isinstance(error, smtplib.SMTPAuthenticationError) else "the message"
        raise DeliveryError(f"the mail server refused {what} ({error.smtp_code})") from None
    except (TimeoutError, smtplib.SMTPServerDisconnected):  # smtplib makes the one of the other
        raise DeliveryError("the mail server broke off, or didn't answer in time") from None
    except (OSError, ValueError) as error:  # smtplib's own are among them
        raise DeliveryError(f"the mail server can't be used ({type(error).__name__})") from None
    return f"{len(refused)} of {len(email.to)} recipients were refused" if refused else ""


def _connect(email: Email, context: ssl.SSLContext) -> smtplib.SMTP:
    if email.security == "tls":
        return smtplib.SMTP_SSL(email.host, email.port, timeout=_ANSWER_SECONDS, context=context)
    return smtplib.SMTP(email.host, email.port, timeout=_ANSWER_SECONDS)


def _run(command: tuple[str, ...], message: Message) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the command is the operator's own, and has no shell
            command,
            input=json.dumps(message.record).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DeliveryError("the command took too long and was ended") from None
    except OSError as error:
        raise DeliveryError(f"the command can't be started ({type(error).__name__})") from None
    if done.returncode != 0:
        raise DeliveryError(f"the command ended with {done.returncode}")
    return ""
