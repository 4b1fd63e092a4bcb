"""A mail server and a webhook, real ones on loopback, that fail as they are told to."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "ldt@example.org", "sentinel-password-8c1f"


@dataclass
class Mailbox:
    """What a mail server took. `answers` are given to the next messages instead of taking them."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    goodbye: str = "221 Bye"
    over_tls: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        if address.startswith("nobody@"):
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        self.over_tls.append(session.ssl is not None)
        return "250 OK"

    async def handle_QUIT(self, server, session, envelope) -> str:  # noqa: N802
        return self.goodbye

    @property
    def texts(self) -> list[str]:
        return [each.get_content().replace("\r\n", "\n") for each in self.letters]


def _login(server, session, envelope, mechanism, data) -> AuthResult:
    assert isinstance(data, LoginPassword)
    given = (data.login.decode(), data.password.decode())
    return AuthResult(success=given == (USER, PASSWORD), handled=False)


@contextmanager
def mail_server(*, certificate: Path | None = None, tls: bool = False) -> Iterator[Mailbox]:
    """Serve mail: with a certificate by STARTTLS and a login, or by TLS from the start."""
    mailbox = Mailbox()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    login: dict[str, Any] = {"authenticator": _login, "auth_required": True} if context else {}

    class Served(Controller):
        def factory(self) -> SMTP:
            starttls = {"tls_context": context, "require_starttls": True}
            more = {"auth_require_tls": not tls, **({} if tls or not context else starttls)}
            with warnings.catch_warnings():
                # It doesn't see that TLS is around all of it.
                warnings.simplefilter("ignore", UserWarning)
                return SMTP(self.handler, **login, **more)

    mailbox.port = free_port()
    server = Served(
        mailbox,
        hostname="127.0.0.1",
        port=mailbox.port,
        ssl_context=context if tls else None,
    )
    server.start()
    try:
        yield mailbox
    finally:
        server.stop(no_assert=True)


@dataclass
class Hook:
    """What a webhook took. `answers` are statuses, or seconds to sleep, for the next requests."""

    url: str = ""
    texts: list[str] = field(default_factory=list)
    answers: list[int | float] = field(default_factory=list)
    retry_after: str = ""
    requests: int = 0


@contextmanager
def webhook() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.requests += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = hook.answers.pop(0) if hook.answers else 200
            if isinstance(answer, float):
                time.sleep(answer)
                answer = 200
            if answer == 200:
                hook.texts.append(json.loads(body)["text"])
            self.send_response(answer)
            if hook.retry_after:
                self.send_header("Retry-After", hook.retry_after)
            if answer in (301, 302, 307):
                self.send_header("Location", hook.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/services/sentinel-hook-71ab"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def make_certificate(path: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, form, plain))
    return path
