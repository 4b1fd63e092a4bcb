"""Dagster's home is made once, whoever comes first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys, time
from pathlib import Path
from ldt_pipeline.home import open_instance
started = Path(sys.argv[1])
while not started.exists():
    time.sleep(0.001)
with open_instance() as instance:
    assert instance.get_runs() == []
"""


def test_many_commands_make_it_at_once(tmp_path: Path) -> None:
    start = tmp_path / "start"
    environment = {**os.environ, "LDT_DATA_DIR": str(tmp_path / "data")}
    environment.pop("DAGSTER_HOME", None)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(start)], env=environment, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    start.touch()
    outcomes = [(process.communicate()[1], process.returncode) for process in processes]
    assert [status for _, status in outcomes] == [0] * 4, outcomes
