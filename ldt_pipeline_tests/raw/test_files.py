"""A file is put in the place of a file, and of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from upath import UPath

from ldt_pipeline.raw.files import write_durably


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def make_link_to_stream(path: Path) -> None:
    """As /dev/stdout is one: it may well lead to an ordinary file."""
    path.symlink_to("/proc/self/fd/1")


@pytest.mark.parametrize("make", [make_pipe, make_link_to_device, make_link_to_stream])
def test_what_is_no_file_stays(tmp_path: Path, make: object) -> None:
    path = tmp_path / "there"
    assert callable(make)
    make(path)
    before = path.lstat()
    with pytest.raises(OSError, match="a device, a pipe or the like"):
        write_durably(UPath(path), b"new")
    assert path.lstat() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_bytes(b"old")
    write_durably(UPath(path), b"new")
    assert path.read_bytes() == b"new"
