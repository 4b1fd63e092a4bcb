"""Presets: the layouts that other systems import, as small files that people can add to.

What belongs here: what a preset may say, and reading one. What doesn't: making files by it.

A preset is YAML (see `docs/exports.md`). Those in `presets/` beside this module come along; a folder of
one's own (`LDT_PRESETS_DIR`) is looked into first, so that a file there takes the place of one of ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import polars as pl
import yaml

from ldt_pipeline.tables import table

PACKAGED: Final = Path(__file__).with_name("presets")

CHANGE: Final = "_change"
OLD_BIB: Final = "_old_bib"
STATUS: Final = "_status"
EXTRA_COLUMNS: Final = (CHANGE, OLD_BIB, STATUS)
"""What a preset's column may be filled from besides the start list: how the row changed since the last
export (added, changed, withdrawn, moved or empty), the bib then, and whether the entry stands (entered,
withdrawn)."""


FileFormat = Literal["csv", "xlsx", "json", "parquet"]
"""What a preset's file may be."""

ISO_DAY: Final = "%Y-%m-%d"
"""How a day is written where a preset says nothing else."""
_TRIED_TEXT: Final = "Bib;1\r\n"
"""What every encoding of a file can write."""
_NO_DELIMITERS: Final = '"\r\n'
"""What would be read as something else between cells."""


class PresetError(Exception):
    """There is no such preset, or its file doesn't say what it must."""


class PresetColumn(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """One column of the file. `values` translates; what it doesn't name stays as it is."""

    name: str
    from_: str | None = None
    value: str | None = None
    values: dict[str, str] = {}
    date: str = ISO_DAY
    only_changes: bool = False


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A layout. Without `columns` it has every column of the start list, under its own name.

    `require` names start-list columns without which a row is left out, as the target would make
    something up for them.
    """

    description: str
    format: FileFormat
    columns: tuple[PresetColumn, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    line_end: Literal["crlf", "lf"] = "crlf"
    require: tuple[str, ...] = ()
    name: str = ""

    @property
    def has_status(self) -> bool:
        """Whether a row can say that its entry was withdrawn."""
        return self._is_from(STATUS, CHANGE)

    @property
    def names_race(self) -> bool:
        """Whether a row says which race it is of, so that it can be withdrawn from that one alone.

        A race's name doesn't: systems that know runners by id or bib take it for where they run.
        """
        return self._is_from("race_id")

    def _is_from(self, *sources: str) -> bool:
        return not self.columns or any(each.from_ in sources for each in self.columns)


def preset_names(folder: Path | None) -> list[str]:
    """Give the names of all presets, by the alphabet."""
    found = {path.stem for path in PACKAGED.glob("*.yaml")}
    if folder is not None:
        found |= {path.stem for path in folder.glob("*.yaml")}
    return sorted(found)


def load_own_presets(folder: Path) -> list[Preset]:
    """Read every preset of a folder of one's own.

    Raises:
        PresetError: There is no such folder, or a file in it doesn't say what it must.
    """
    _require_folder(folder)
    return [load_preset(path.stem, folder) for path in sorted(folder.glob("*.yaml"))]


def load_preset(name: str, folder: Path | None) -> Preset:
    """Read the preset of a name: from the folder, else of those that come along.

    Raises:
        PresetError: There is none, or its file doesn't say what it must.
    """
    if folder is not None:
        _require_folder(folder)
    places = [each / f"{name}.yaml" for each in (folder, PACKAGED) if each is not None]
    path = next((each for each in places if each.is_file()), None)
    if path is None or Path(name).name != name:
        raise PresetError(
            f"There is no preset {name!r}; there are: {', '.join(preset_names(folder))}. "
            "LDT_PRESETS_DIR names a folder for presets of your own."
        )
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        preset = msgspec.convert(content, Preset)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        problem = " ".join(str(error).split())
        raise PresetError(f"The preset {path} can't be used: {problem}.") from None
    problem = _problem(preset) or _problem_of_dates(preset, content)
    if problem:
        raise PresetError(f"The preset {path} can't be used: {problem}.")
    return msgspec.structs.replace(preset, name=name)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        # Ours of the same name would be taken in silence, in another layout than was agreed.
        raise PresetError(f"LDT_PRESETS_DIR names {folder}, which is no folder.")


def _problem(preset: Preset) -> str | None:
    known = (*table("start_list").schema, *EXTRA_COLUMNS)
    for column in preset.columns:
        if (column.from_ is None) == (column.value is None):
            return f"column {column.name!r} needs either `from` or `value`"
        if column.from_ is not None and column.from_ not in known:
            return f"column {column.name!r} is from {column.from_!r}; there are {', '.join(known)}"
    names = [column.name for column in preset.columns]
    if len(set(names)) < len(names):
        return "two columns have the same name"
    unknown = [each for each in preset.require if each not in table("start_list").schema]
    if unknown:
        return f"`require` names {', '.join(unknown)}, which the start list doesn't have"
    if len(preset.delimiter) != 1 or preset.delimiter in _NO_DELIMITERS:
        return "`delimiter` must be one character, and no quote or line break"
    try:
        # Looking it up isn't enough: Python also has codecs that aren't of texts, such as rot13.
        _TRIED_TEXT.encode(preset.encoding)
    except (LookupError, ValueError):
        return f"Python knows no encoding {preset.encoding!r} for texts"
    try:
        "".join((preset.delimiter, *names)).encode(preset.encoding)
    except UnicodeError:
        return f"the encoding {preset.encoding} can't write the columns' names, or the delimiter"
    return None


def _problem_of_dates(preset: Preset, content: dict[str, Any]) -> str | None:
    """Name a column whose `date` would change nothing; one that isn't written has a usual form."""
    types = table("start_list").schema
    for column, written in zip(preset.columns, content.get("columns", ()), strict=True):
        if "date" in written and types.get(column.from_ or "") != pl.Date:
            days = ", ".join(name for name, each in types.items() if each == pl.Date)
            return f"column {column.name!r} has `date`, which is for days alone: {days}"
    return None
