"""Settings: every bad one is named with what is allowed, and no value is repeated."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import pytest

from ldt_pipeline.settings import Settings, SettingsError, load_settings

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2ln"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    import os

    for name in list(os.environ):
        if name.startswith("LDT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.api_base_url == "https://api.letsdothis.com/v0"
    assert settings.data_dir == tmp_path / "data"
    assert settings.published_path == tmp_path / "data" / "ldt.duckdb"
    assert settings.history_start == dt.date(2020, 1, 1)
    assert (settings.max_concurrency, settings.event_refresh_minutes) == (4, 60)
    assert (settings.request_timeout_seconds, settings.request_retries) == (120, 8)
    assert settings.event_ids == ()
    with pytest.raises(SettingsError, match="LDT_API_KEY is not set"):
        settings.require_api_key()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("1", ("1",)),
        ("1,2", ("1", "2")),
        (" 1 , ,2,1,", ("1", "2")),
        ("e-1,é", ("e-1", "é")),
        (",", ()),
        ("007", ("007",)),
    ],
)
def test_event_ids(environment: pytest.MonkeyPatch, text: str, expected: tuple[str, ...]) -> None:
    environment.setenv("LDT_EVENT_IDS", text)
    assert load_settings().event_ids == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LDT_API_BASE_URL", "secret-host/v0"),
        ("LDT_API_BASE_URL", "ftp://secret-host/v0"),
        ("LDT_API_BASE_URL", "https://jo:secret-word@host/v0"),
        ("LDT_API_BASE_URL", "https://host/v0?key=secret-word"),
        ("LDT_API_BASE_URL", "https://"),
        ("LDT_HISTORY_START", "2020-01-15"),
        ("LDT_HISTORY_START", "secret-word"),
        ("LDT_HISTORY_START", "9999-01-01"),
        ("LDT_RETENTION_DAYS", "99999999999"),
        ("LDT_DELETED_RETENTION_DAYS", "99999999999"),
        ("LDT_EVENT_REFRESH_MINUTES", "99999999999"),
        ("LDT_DATA_DIR", "~nobody-of-this-name/data"),
        ("LDT_DATA_DIR", "/dev/null"),
        ("LDT_DATA_DIR", "data?"),
        ("LDT_DATA_DIR", "data%20races"),
        ("LDT_DATA_DIR", "C:\\data"),
        ("LDT_MAX_CONCURRENCY", "0"),
        ("LDT_MAX_CONCURRENCY", "1000"),
        ("LDT_MAX_CONCURRENCY", "many-secrets"),
        ("LDT_EVENT_REFRESH_MINUTES", "-1"),
        ("LDT_REQUEST_TIMEOUT_SECONDS", "0"),
        ("LDT_REQUEST_RETRIES", "-1"),
        ("LDT_API_KEY", "secret word"),
        ("LDT_API_KEY", "secret\nword"),
        ("LDT_API_KEY", "'secret'"),
        ("LDT_API_KEY", '"secret"'),
        ("LDT_API_KEY", "\u201csecret\u201d"),
        ("LDT_API_KEY", "`secret`"),
        ("LDT_API_KEY", "Bearer secret"),
        ("LDT_API_KEY", "=secret"),
        ("LDT_API_KEY", "secret\x1b[1m"),
    ],
)
def test_a_bad_setting_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as raised:
        load_settings()
    for word in ("secret", "1000", "2020-01-15"):
        assert word not in str(raised.value)


def test_all_bad_settings_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LDT_MAX_CONCURRENCY", "x")
    environment.setenv("LDT_HISTORY_START", "x")
    with pytest.raises(SettingsError, match=r"LDT_HISTORY_START.*LDT_MAX_CONCURRENCY"):
        load_settings()


def test_the_key_is_never_printed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LDT_API_KEY", f" {KEY}\n")
    settings = load_settings()
    assert settings.require_api_key() == KEY
    shown = (repr(settings), str(settings), f"{settings.model_dump()}", settings.model_dump_json())
    assert not [text for text in shown if KEY in text]
    assert pickle.loads(pickle.dumps(settings)).require_api_key() == KEY


def test_a_dot_env_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment goes before it, an empty value counts as none, strangers are left alone."""
    lines = [f"LDT_API_KEY='{KEY}'", "LDT_MAX_CONCURRENCY=2", "LDT_EVENT_IDS=1,2", "OTHER=x"]
    (tmp_path / ".env").write_text("\n".join([*lines, "LDT_NEWER=x", "LDT_DATA_DIR="]))
    environment.setenv("LDT_MAX_CONCURRENCY", "3")
    settings = load_settings()
    assert settings.require_api_key() == KEY
    assert settings.max_concurrency == 3
    assert settings.event_ids == ("1", "2")
    assert settings.data_dir == tmp_path / "data"


def test_a_dot_env_file_that_can_not_be_read(tmp_path: Path) -> None:
    """Such as somebody else's, or one that an editor wrote in an encoding of its own."""
    env_file = tmp_path / ".env"
    env_file.write_text(f"LDT_API_KEY={KEY}", encoding="utf-16")
    with pytest.raises(SettingsError, match=r"\.env is not text in UTF-8"):
        load_settings()
    env_file.unlink()
    env_file.symlink_to("/proc/self/mem")  # fails for root, too
    with pytest.raises(SettingsError, match=r"\.env can't be read: Input/output error"):
        load_settings()


def test_what_changed_is_read_again(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings are asked for at each step of a sync, and read where anything differs."""
    env_file = tmp_path / ".env"
    assert load_settings() is load_settings()
    assert load_settings().max_concurrency == 4
    env_file.write_text("LDT_MAX_CONCURRENCY=5")
    assert load_settings().max_concurrency == 5
    env_file.write_text("LDT_MAX_CONCURRENCY=${WALKERS}")
    environment.setenv("WALKERS", "6")
    assert load_settings().max_concurrency == 6
    environment.setenv("WALKERS", "7")
    assert load_settings().max_concurrency == 7
    env_file.unlink()
    assert load_settings().max_concurrency == 4
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment.chdir(elsewhere)
    assert load_settings().data_dir == elsewhere / "data"


def test_a_working_folder_that_was_deleted(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever says where everything lies needs none."""
    folder = tmp_path / "deleted"
    folder.mkdir()
    environment.setenv("LDT_DATA_DIR", str(tmp_path))
    environment.chdir(folder)
    folder.rmdir()
    assert load_settings().data_dir == tmp_path


def test_a_relative_data_folder_in_a_working_folder_that_was_deleted(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The default is one: each command ended with tracebacks."""
    gone = tmp_path / "gone"
    gone.mkdir()
    environment.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingsError, match=r"LDT_DATA_DIR: .* was deleted"):
        load_settings()


def test_folders_are_absolute(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("LDT_DATA_DIR", "~/races")
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("LDT_API_BASE_URL", "http://127.0.0.1:8000/v0/")
    settings = Settings()
    assert settings.data_dir == tmp_path / "races"
    assert settings.api_base_url == "http://127.0.0.1:8000/v0"


def test_where_exports_go_holds_no_password(environment: pytest.MonkeyPatch) -> None:
    """It is entered in the ledger, which is published."""
    environment.setenv("LDT_EXPORT_TARGET", "ftp://timer:hunter2@timing.example/lists")
    with pytest.raises(SettingsError, match="must not hold a password") as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)
    for target in ("s3://bucket/lists", "abfs://lists@account.example", "ftp://timer@t.example"):
        environment.setenv("LDT_EXPORT_TARGET", target)
        assert load_settings().export_target == target
    environment.setenv("LDT_EXPORT_TARGET", "~/lists")
    assert load_settings().export_target == str(Path("~/lists").expanduser())


def test_minimum_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDT_MINIMUM_AGES", "3517846101=18, a=b=16")
    assert load_settings().minimum_ages == {"3517846101": 18, "a=b": 16}
    monkeypatch.setenv("LDT_MINIMUM_AGES", "3517846101=old")
    with pytest.raises(SettingsError, match="LDT_MINIMUM_AGES: must be races and whole years"):
        load_settings()
