"""Other copies under the data folder: exports that were made, and what Dagster wrote down.

What belongs here: finding a person in files of any kind, deleting exports, and blanking texts in
SQLite files and logs. What doesn't: the raw store, the warehouse and the published file.

Exports can be made again, so those with the person in them are deleted, whatever their format.
Dagster's records hold nothing personal by design; they are searched all the same, as an error of a
library might have quoted a value.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from ldt_pipeline.erasing.unpacking import UNREADABLE, contents

BLANK = "(erased)"

_logger = logging.getLogger(__name__)
_SHORTEST_TEXT = 6
_SQLITE = b"SQLite format 3\x00"
_BUSY_SECONDS = 60
_VALUES_AT_ONCE = 1_000
_PHONE = re.compile(r"\+?[\d(][\d ()./-]{5,}\d")
_DATE = re.compile(r"\d{4}[-./]\d{1,2}([-./]\d{1,2})?|\d{1,2}[-./]\d{1,2}[-./](\d{4}|\d{2})")
"""Dates are everybody's: today's stands in each record that Dagster wrote today."""
_TIMES = ("timestamp", "datetime", "date", "time")


def telling(texts: Collection[str]) -> list[str]:
    """Give the texts that tell who it was: addresses, telephone numbers, names, sentences.

    Not single words, which could be anybody's, such as a town, a size, a date or an answer like
    "Yes".
    """
    return sorted(
        text
        for text in {each.strip() for each in texts}
        if len(text) >= _SHORTEST_TEXT and (is_contact(text) or " " in text or "://" in text)
    )


def is_contact(text: str) -> bool:
    """Whether a text is an address or a telephone number, or has an address in it."""
    if "@" in text:
        return True
    return _PHONE.fullmatch(text) is not None and _DATE.fullmatch(text) is None


def delete_files(folder: Path, *, ids: Collection[str], texts: Collection[str]) -> list[Path]:
    """Delete the files in a folder that somebody is in, by id or by text; gives their paths.

    One that can't be looked into (it is encrypted, damaged or cut off) may have anybody in it: it goes.
    """
    needles = _needles(texts)
    by_id = _whole_words(ids)
    deleted: list[Path] = []
    for path in sorted(folder.rglob("*")) if folder.exists() and (ids or texts) else ():
        if path.is_file() and not path.is_symlink() and _holds(path, by_id, needles):
            path.unlink(missing_ok=True)
            deleted.append(path)
    return deleted


def delete_older(folder: Path, moment_seconds: float, *, but: Collection[Path] = ()) -> list[Path]:
    """Delete the files in a folder that were written before an instant (seconds since 1970).

    `but` names files that stay, by their absolute paths.
    """
    deleted: list[Path] = []
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        is_ours = path.is_file() and not path.is_symlink() and path.absolute() not in but
        if is_ours and path.stat().st_mtime < moment_seconds:
            path.unlink()
            deleted.append(path)
    return deleted


def blank_records(folder: Path, texts: Collection[str]) -> list[Path]:
    """Put a blank in the place of texts in SQLite files and other files; gives those changed."""
    wanted = telling(texts)
    needles = _needles(wanted)
    if not needles or not folder.exists():
        return []
    changed: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(("-wal", "-shm", "-journal")):
            continue
        with path.open("rb") as file:
            is_sqlite = file.read(len(_SQLITE)) == _SQLITE
        if is_sqlite:
            log = path.with_name(path.name + "-wal")
            content = path.read_bytes() + (log.read_bytes() if log.exists() else b"")
            if any(each in content for each in needles) or _says(path, needles):
                _blank_sqlite(path, wanted)
                changed.append(path)
        else:
            content = path.read_bytes()
            if any(each in content for each in needles):
                for each in needles:
                    content = content.replace(each, BLANK.encode())
                path.write_bytes(content)
                changed.append(path)
    return changed


def _says(path: Path, needles: list[bytes]) -> bool:
    """Whether a value in a database holds any of these: a long one is cut into pages, texts too."""
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            return any(any(each in text for each in needles) for text in _values(connection))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _logger.warning("%s can't be read (%s): its bytes alone were searched.", path, error)
        return False


def _values(connection: sqlite3.Connection) -> Iterator[bytes]:
    """Give the texts in a database, many at a time."""
    for table, column in _text_columns(connection):
        values = connection.execute(
            f'SELECT CAST("{column}" AS BLOB) FROM "{table}" WHERE typeof("{column}") = \'text\''
        )
        while rows := values.fetchmany(_VALUES_AT_ONCE):
            yield b"\n".join(value for (value,) in rows)


def _text_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Give the columns that may hold a text, with their tables."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return [
        (table, column)
        for (table,) in tables
        for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        if kind.lower() not in _TIMES  # which is text to SQLite, and must stay an instant
    ]


def _blank_sqlite(path: Path, texts: Collection[str]) -> None:
    """Replace texts in every column, and leave no free page or log with the old bytes."""
    forms = forms_of(texts)
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        for table, column in _text_columns(connection):
            for form in forms:
                connection.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) '
                    f'WHERE typeof("{column}") = \'text\' AND instr("{column}", ?)',
                    [form, BLANK, form],
                )
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def forms_of(texts: Collection[str]) -> list[str]:
    """Give the texts that tell who it was as they may stand in records: the longest first."""
    found = {form for text in telling(texts) for form in (text, _in_json(text))}
    return sorted(found, key=lambda form: (-len(form), form))


def _in_json(text: str) -> str:
    """Write a text as it stands inside JSON that is all ASCII."""
    return msgspec.json.encode(text).decode()[1:-1].encode("ascii", "backslashreplace").decode()


def _needles(texts: Collection[str]) -> list[bytes]:
    return sorted(form.encode() for form in forms_of(texts))


def _whole_words(ids: Collection[str]) -> re.Pattern[bytes] | None:
    if not ids:
        return None
    alternatives = b"|".join(re.escape(each.encode()) for each in sorted(ids))
    return re.compile(rb"(?<![\w-])(?:" + alternatives + rb")(?![\w-])")


def _holds(path: Path, by_id: re.Pattern[bytes] | None, needles: list[bytes]) -> bool:
    try:
        return any(
            (by_id is not None and by_id.search(content) is not None)
            or any(each in content for each in needles)
            for content in contents(path)
        )
    except UNREADABLE:
        return True  # nobody can say who is in it, and it can be made again
