"""The alerts file: YAML that says whom to tell, how, and of what.

What belongs here: what is allowed in it, and sentences for what is wrong. What doesn't: reading
YAML with its lines (`allocations/nodes.py`), and sending.

Secrets don't stand in it: it names the environment variables (or names in `.env`) that hold them.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ldt_pipeline.alerting.owed import Rules
from ldt_pipeline.alerting.trouble import Severity
from ldt_pipeline.allocations.nodes import AllocationsFileError, Node, read_yaml

EXAMPLE = Path(__file__).with_name("alerts.example.yaml")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")
_ADDRESS = re.compile(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+")


class AlertsFileError(ValueError):
    """An alerts file that can't be used; the text names the file, the line and what is allowed."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _check_variable(value: object) -> object:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError(
            "must be the name of an environment variable that holds the secret, such as "
            "LDT_ALERTS_WEBHOOK_URL, and never the secret itself"
        )
    return value


def _read_share(value: object) -> object:
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) / 100 if found else value


def _check_address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("must be an e-mail address, such as on-call@example.org")
    return value


Variable = Annotated[str, BeforeValidator(_check_variable)]
Share = Annotated[float, BeforeValidator(_read_share), Field(gt=0, le=1)]
Address = Annotated[str, BeforeValidator(_check_address)]


class Email(_Part):
    """How to send e-mail. `password` names a variable."""

    host: str = Field(min_length=1, pattern=r"^[^\s/@]+$")
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: Variable | None = None
    sender: Address = Field(alias="from")
    to: tuple[Address, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_login(self) -> Email:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` go together")
        if self.password is not None and self.security == "none" and not is_loopback(self.host):
            raise ValueError("a password is not sent without `security: starttls` or `tls`")
        return self


class Channel(_Part):
    """Whom to tell: exactly one of `webhook`, `email` and `command`."""

    webhook: Variable | None = None
    email: Email | None = None
    command: tuple[str, ...] | None = Field(default=None, min_length=1)
    at_least: Severity = "warning"

    @model_validator(mode="after")
    def _check_one(self) -> Channel:
        if sum(each is not None for each in (self.webhook, self.email, self.command)) != 1:
            raise ValueError("must have exactly one of `webhook`, `email` and `command`")
        return self


class Allocations(_Part):
    """When a reserved entry group is worth a message; an absent share is never."""

    nearly_full: Share | None = 0.9
    unused: Share | None = None
    unused_within_days: int = Field(default=30, ge=1, le=366)


class Watch(_Part):
    """What is looked at besides runs, checks and the poll, which always are; null, or false: not at all."""

    api_key_days: int | None = Field(default=14, ge=1, le=366)
    stale_hours: dict[str, Annotated[float, Field(gt=0)]] = {"raw_deletions": 26}
    stale_events: bool = True
    allocations: Allocations | None = Allocations()
    race_week_days: int | None = Field(default=7, ge=1, le=60)
    race_week_at_least: Severity = "warning"


class AlertsFile(_Part):
    """All of the file."""

    channels: dict[str, Channel] = Field(min_length=1)
    watch: Watch = Watch()
    gather_seconds: int = Field(default=30, ge=0, le=3600)
    quiet_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    remind_hours: float = Field(default=12, gt=0, le=24 * 365)
    messages_per_hour: int = Field(default=6, ge=1, le=1000)
    pages: str | None = Field(default=None, pattern=r"^https?://[^\s/@]+(/\S*)?$")

    @field_validator("channels")
    @classmethod
    def _check_names(cls, value: dict[str, Channel]) -> dict[str, Channel]:
        if not all(re.fullmatch(r"[\w.-]{1,40}", name) for name in value):
            raise ValueError("names of channels are letters, digits, `.`, `_` and `-`, at most 40")
        return value

    @property
    def rules(self) -> Rules:
        """When to speak."""
        return Rules(
            gather=dt.timedelta(seconds=self.gather_seconds),
            quiet=dt.timedelta(minutes=self.quiet_minutes),
            remind=dt.timedelta(hours=self.remind_hours),
            messages_per_hour=self.messages_per_hour,
        )

    @property
    def severities(self) -> dict[str, Severity]:
        """From which severity on each channel is told."""
        return {name: each.at_least for name, each in self.channels.items()}


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, so that nothing leaves it."""
    return host in ("localhost", "::1") or bool(host and re.fullmatch(r"127(\.\d{1,3}){3}", host))


def read_alerts_file(path: Path) -> AlertsFile:
    """Read and check an alerts file.

    Raises:
        AlertsFileError: It can't be read, or something in it is not allowed; every mistake is named.
    """
    try:
        root = read_yaml(path)
    except AllocationsFileError as error:
        raise AlertsFileError(str(error)) from None
    try:
        return AlertsFile.model_validate(root.plain())
    except ValidationError as error:
        problems = [
            f"{_place(root, each['loc'])}: {_says(cast('dict[str, Any]', each))}"
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise AlertsFileError(f"The alerts file can't be used. {'; '.join(problems)}.") from None


def _place(root: Node, location: tuple[int | str, ...]) -> str:
    """Give where a mistake stands: the line of the key, or of what should have had it."""
    node, place = root, root.place
    for part in location:
        if isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = node.place
        elif str(part) in node.members:
            place = node.keys[str(part)]
            node = node.members[str(part)]
        else:
            break
    return f"{place} ({'.'.join(str(part) for part in location)})" if location else str(place)


def _says(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "is not known here"
    if error["type"] == "missing":
        return "is missing"
    return str(error["msg"]).removeprefix("Value error, ")
