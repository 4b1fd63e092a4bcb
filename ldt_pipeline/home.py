"""Dagster's home under the data folder: runs, events, schedules and logs.

What belongs here: where Dagster keeps its own records, for the command line and, through
`dagster.yaml`, for the UI and the daemon. What doesn't: anything that runs.

`dagster.yaml` can't name a folder that a setting decides, so it names these classes, which ask the
settings. They are Dagster's own storages but for that. (The modules that they come from are not
public; the version of Dagster is pinned, and a test loads them.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from filelock import FileLock

from ldt_pipeline.home_storage import HomeEvents, HomeRuns, HomeSchedules
from ldt_pipeline.private_files import (
    PRIVATE_FILE,
    dagsters_folders,
    keep_data_private,
    make_private,
)
from ldt_pipeline.settings import SettingsError, load_settings

INSTANCE_CONFIG: dict[str, Any] = {
    "storage": {"custom": {"module": "ldt_pipeline.home", "class": "HomeStorage", "config": {}}},
    "local_artifact_storage": {
        "module": "ldt_pipeline.home",
        "class": "HomeArtifacts",
        "config": {},
    },
    "compute_logs": {"module": "ldt_pipeline.home", "class": "HomeLogs", "config": {}},
    # A pool holds one step at a time, in whichever process it runs.
    "concurrency": {"pools": {"default_limit": 1, "granularity": "op"}},
    # The client retries requests; a run that failed for good fails again.
    "run_retries": {"enabled": False, "retry_on_asset_or_op_failure": False},
    "run_monitoring": {"enabled": True, "free_slots_after_run_end_seconds": 60},
    "retention": {
        "schedule": {"purge_after_days": 90},
        "sensor": {"purge_after_days": {"skipped": 7, "failure": 30, "success": 90}},
    },
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
}
"""What `dagster.yaml` says too, for commands that don't start in its folder."""

_PRINTED_ONLY: dict[str, Any] = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
    "config": {},
}


def home_folder() -> Path:
    """Give the folder of Dagster's own records."""
    return load_settings().dagster_dir


def make_home() -> Path:
    """Give the folder of Dagster's own records, made."""
    keep_data_private(load_settings())
    make_private(home_folder())
    return home_folder()


def records_folders() -> list[Path]:
    """Give the folders that Dagster's own records lie in: ours, and those in DAGSTER_HOME.

    What runs print lies in ours wherever the rest is, if its `dagster.yaml` says so.
    """
    home = os.environ.get("DAGSTER_HOME")
    return [home_folder(), *(dagsters_folders(Path(home)) if home else [])]


def records_database(instance: DagsterInstance) -> str | None:
    """Give SQLAlchemy's address, with its password, of the server that has Dagster's records.

    None where they lie in files.
    """
    return cast("str | None", getattr(instance.run_storage, "postgres_url", None))


def open_instance() -> DagsterInstance:
    """Open Dagster's instance: the one of DAGSTER_HOME where it is set, else the one of the data.

    Close it with `dispose`, or use it as a context manager. What runs in this process prints is not
    kept in a file: it stands in the terminal. (Dagster would start four processes for each run to
    have it in both, and a progress bar would come a second late.)

    Raises:
        SettingsError: DAGSTER_HOME is no folder.
    """
    if home := os.environ.get("DAGSTER_HOME"):
        folder = Path(os.path.expanduser(home))  # noqa: PTH111 - as Dagster reads it
        if not (folder.is_absolute() and folder.is_dir()):
            raise SettingsError(
                "DAGSTER_HOME has to be the whole path of a folder that is there: make it, or unset "
                "DAGSTER_HOME to have Dagster's records under LDT_DATA_DIR."
            )
        keep_data_private(load_settings())
        return DagsterInstance.get()
    return DagsterInstance.from_ref(
        InstanceRef.from_dir(
            str(make_home()), overrides={**INSTANCE_CONFIG, "compute_logs": _PRINTED_ONLY}
        )
    )


class HomeStorage(DagsterSqliteStorage):
    """Runs, events and schedules, in SQLite under the data folder."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Dagster makes its files without a lock: two first commands at once stumble over each other.
        with FileLock(Path(base_dir) / "making.lock", mode=PRIVATE_FILE):
            # Not Dagster's own: it would open its three storages, and each reads all migrations.
            super(DagsterSqliteStorage, self).__init__()
            self.base_dir = base_dir
            self._inst_data = inst_data
            self._run_storage = HomeRuns.from_local(str(Path(base_dir) / "history"))
            self._event_log_storage = HomeEvents(base_dir)
            self._schedule_storage = HomeSchedules.from_local(str(Path(base_dir) / "schedules"))

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Take no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> HomeStorage:
        """Open the storage."""
        del config_value
        return cls.from_local(str(make_home()), inst_data=inst_data)


class HomeArtifacts(LocalArtifactStorage):
    """Files of runs, under the data folder."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Take no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> HomeArtifacts:
        """Open the storage."""
        del config_value
        return cls(str(make_home()), inst_data)


class HomeLogs(LocalComputeLogManager):
    """What runs print, under the data folder."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Take no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> HomeLogs:
        """Open the logs."""
        del config_value
        return cls(base_dir=str(make_home() / "logs"), inst_data=inst_data)
