"""Settings from the environment and `.env`: the only module that reads either.

What belongs here: names, defaults and validation of settings, and where files lie under the data
folder. What doesn't: anything that acts on them.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What can stand after `Authorization: Bearer` (RFC 6750)."""

_DAYS_MOST = 100 * 366
_MINUTES_MOST = _DAYS_MOST * 24 * 60
"""So long before now there is a date still."""

_RUNS_KEPT_DAYS_LEAST = 4
"""Whether a run that failed was made up for is looked up for three days (`defs/run_troubles.py`)."""

_NOT_IN_AN_ADDRESS = re.compile(r"[?\\]|%[0-9A-Fa-f]{2}")
"""What would mean something else in the address by which Dagster opens its records."""


class SettingsError(ValueError):
    """A setting is missing or makes no sense; the text names it and says what is allowed."""


class Settings(BaseSettings):
    """Everything that can be set. Each field is read from `LDT_<NAME>` or from `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="LDT_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an error must not print a mistyped key
    )

    api_key: SecretStr | None = Field(default=None, repr=False)
    api_base_url: str = "https://api.letsdothis.com/v0"
    data_dir: Path = Path("data")
    history_start: dt.date = dt.date(2020, 1, 1)
    max_concurrency: int = Field(default=4, ge=1, le=64)
    request_timeout_seconds: float = Field(default=120, gt=0, le=3600)
    request_retries: int = Field(default=8, ge=0, le=100)
    event_ids: Annotated[tuple[str, ...], NoDecode] = ()
    events_without_groups: Annotated[tuple[str, ...], NoDecode] = ()
    event_refresh_minutes: int = Field(default=60, ge=0, le=_MINUTES_MOST)
    questions_file: Path | None = None
    minimum_ages: Annotated[dict[str, int], NoDecode] = {}
    presets_dir: Path | None = None
    export_presets: Annotated[tuple[str, ...], NoDecode] = ()
    export_target: str | None = None
    export_recipient: str | None = None
    allocations_file: Path | None = None
    alerts_file: Path | None = None
    keep_runs_days: int = Field(default=7, ge=_RUNS_KEPT_DAYS_LEAST, le=_DAYS_MOST)
    publish_personal_data: bool = True
    retention_days: int | None = Field(default=None, ge=1, le=_DAYS_MOST)
    deleted_retention_days: int = Field(default=30, ge=0, le=_DAYS_MOST)

    @field_validator("api_key")
    @classmethod
    def _check_api_key(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse what can't stand in a header: the HTTP library's error would repeat it."""
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not _BEARER_TOKEN.fullmatch(key):
            raise ValueError(
                "holds a blank, a quote, a line break or another character that no key has; "
                "copy it once more, as a whole and without quotes or the word Bearer"
            )
        return SecretStr(key)

    @field_validator("api_base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http or https address, such as https://host/v0")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must be an address alone, without user, password, query or fragment")
        return value.rstrip("/")

    @field_validator("export_target")
    @classmethod
    def _check_target(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if "://" not in value:
            return os.path.expanduser(value)  # noqa: PTH111 - it need not be a path of this machine
        if urlsplit(value).password is not None:
            # It is entered in the ledger, which is published.
            raise ValueError(
                "must not hold a password: leave the login out, and give it to fsspec by "
                "FSSPEC_FTP_USERNAME and FSSPEC_FTP_PASSWORD (or another protocol's name)"
            )
        return value

    @field_validator("data_dir", "questions_file", "presets_dir", "allocations_file", "alerts_file")
    @classmethod
    def _make_absolute(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        try:
            return value.expanduser().absolute()
        except RuntimeError:
            raise ValueError(
                f"there is nobody on this machine whose home is {value.parts[0]}"
            ) from None
        except FileNotFoundError:
            raise ValueError(
                f"{value} lies in the folder where this was started, which was deleted: start it in "
                "another folder, or give the whole path"
            ) from None

    @field_validator("data_dir")
    @classmethod
    def _check_folder(cls, value: Path) -> Path:
        for each in (value, *value.parents):
            # A folder that can't be looked into is no error here.
            if os.path.exists(each) and not os.path.isdir(each):  # noqa: PTH110, PTH112
                raise ValueError(f"{each} is a file; name a folder")
        if found := _NOT_IN_AN_ADDRESS.search(str(value)):
            raise ValueError(
                f"holds {found.group()}: Dagster's records can't lie under such a name"
            )
        return value

    @field_validator("history_start")
    @classmethod
    def _check_first_of_month(cls, value: dt.date) -> dt.date:
        if value.day != 1:
            raise ValueError("must be the first day of a month, such as 2020-01-01")
        if value > dt.datetime.now(dt.UTC).date():
            raise ValueError("must not lie ahead")
        return value

    @field_validator("event_ids", "events_without_groups", "export_presets", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            parts = (part.strip() for part in value.split(","))
            return tuple(dict.fromkeys(part for part in parts if part))
        return value

    @field_validator("minimum_ages", mode="before")
    @classmethod
    def _read_minimum_ages(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        ages: dict[str, int] = {}
        for part in (part.strip() for part in value.split(",")):
            race_id, _, age = part.rpartition("=")
            if part and not (race_id.strip() and age.strip().isdecimal()):
                raise ValueError(
                    "must be races and whole years, such as 3517846101=18,3517846102=16"
                )
            if part:
                ages[race_id.strip()] = int(age)
        return ages

    @property
    def raw_dir(self) -> Path:
        """Where the raw store lies."""
        return self.data_dir / "raw"

    @property
    def warehouse_path(self) -> Path:
        """The private DuckDB file: one writer, nobody else."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def published_path(self) -> Path:
        """The DuckDB file for people, replaced atomically."""
        return self.data_dir / "ldt.duckdb"

    @property
    def confirmed_path(self) -> Path:
        """The note of when each list was last known to be just as it is published."""
        return self.data_dir / "confirmed.json"

    @property
    def exports_dir(self) -> Path:
        """Where exports go."""
        return self.data_dir / "exports"

    @property
    def written_paths(self) -> tuple[Path, ...]:
        """Everything that is written directly in the data folder, but for temporary files."""
        databases = (self.warehouse_path, self.published_path)
        return (
            *(self.raw_dir, self.exports_dir, self.ledger_dir, self.dagster_dir),
            *(self.allocations_dir, self.alerts_dir, self.alive_dir, self.confirmed_path),
            *databases,
            *(path.with_name(f"{path.name}.wal") for path in databases),
            *(self.warehouse_path.with_suffix(each) for each in (".lock", ".damaged")),
        )

    @property
    def ledger_dir(self) -> Path:
        """Where it is written down who received which export."""
        return self.data_dir / "ledger"

    @property
    def dagster_dir(self) -> Path:
        """Where Dagster's own records lie, unless DAGSTER_HOME says otherwise."""
        return self.data_dir / "dagster"

    @property
    def allocations_dir(self) -> Path:
        """Where the journal of what was written to the API lies, and plans that wait."""
        return self.data_dir / "allocations"

    @property
    def alerts_dir(self) -> Path:
        """Where it is written down what is wrong, and who was told."""
        return self.data_dir / "alerts"

    @property
    def alive_dir(self) -> Path:
        """Where each run that is under way holds a file, to show that its process lives."""
        return self.data_dir / "alive"

    def require_api_key(self) -> str:
        """Give the key.

        Raises:
            SettingsError: There is none.
        """
        if self.api_key is None:
            raise SettingsError(
                "LDT_API_KEY is not set. Create a key under settings / credentials in your "
                "Let's Do This account and put it into the environment or into .env; "
                "`ldt demo` shows the pipeline without one."
            )
        return self.api_key.get_secret_value()


def load_settings(env_file: Path = Path(".env")) -> Settings:
    """Read the settings.

    Args:
        env_file: Where those lie that the environment doesn't have; it need not be there.

    Raises:
        SettingsError: One of them makes no sense; every bad one is named, none is printed.
    """
    # All of the environment: `.env` may name any of it, and a folder may begin with `~`.
    return _settings(env_file, _here(), _stamp(env_file), tuple(sorted(os.environ.items())))


@lru_cache(maxsize=4)
def _settings(env_file: Path, *_: object) -> Settings:
    """Read the settings where anything has changed that they follow from, the other arguments.

    A small sync asks for them some forty times.
    """
    try:
        return Settings(_env_file=env_file)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        problems = "; ".join(
            f"LDT_{'.'.join(str(part) for part in each['loc']).upper()}: "
            f"{each['msg'].removeprefix('Value error, ')}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"The settings can't be used. {problems}.") from None
    except UnicodeDecodeError:
        raise SettingsError(
            f"{env_file.absolute()} is not text in UTF-8: save it as that, or type it anew."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{env_file.absolute()} can't be read: {error.strerror}. Give yourself the right to it, "
            "or start the command in another folder."
        ) from None


def _here() -> Path | None:
    """Give the working folder; None where it was deleted, which only relative paths need."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Give what differs once a file has been written; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_secret(name: str) -> SecretStr | None:
    """Read a secret that another file names: from the environment, or from `.env`."""
    from dotenv import dotenv_values  # noqa: PLC0415 - where pydantic-settings reads it, too

    value = os.environ.get(name) or dotenv_values(".env").get(name)
    return SecretStr(value) if value else None
