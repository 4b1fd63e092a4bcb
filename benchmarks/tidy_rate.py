"""How fast participants become tidy frames, beside what other tools do with the same bytes.

    make bench-tidy                                     60,000 participants of about 3 KB
    make bench-tidy TIDY="--records 20000 --rounds 3"

The contestants take turns, so that a busy machine slows all of them alike; the median of the rounds
counts. They don't do the same: only `tidy_participants` gives typed columns, answers, rejections and
drift. The last one is the bound: unpacking the bytes and cutting them into records, unread. orjson is
none of our packages: where it isn't installed it is left out, and that is said.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import psutil
import pyarrow.json
import zstandard

from benchmarks.measuring import spread
from ldt_pipeline.tidy import RAW_SCHEMA, tidy_participants

_FRAME = 20_000
_PAGE = 500
_SAMPLE = 200
_QUESTIONS = (
    "First name",
    "Last name",
    "Email address",
    "Date of birth",
    "Gender",
    "Nationality",
    "Running club",
    "Emergency contact name",
    "Emergency contact number",
    "Medical conditions",
    "T-shirt size",
    "Estimated finish time",
)


def participant(number: int, dice: random.Random) -> dict[str, Any]:
    """Make up a participant of about 3 KB."""

    def id_() -> str:
        return f"{dice.getrandbits(96):024x}"

    updated = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number, milliseconds=number % 7)
    name = dice.choice(("Amélie", "Ben", "Chidi", "Dóra", "Eve")), f"Runner{dice.randrange(5000)}"
    email = f"{name[0]}.{name[1]}@example.org".lower()
    answers = (
        *(*name, email, f"19{dice.randrange(40, 99)}-0{dice.randrange(1, 9)}-12", "Female"),
        *("British", "Harriers AC", f"Contact {number}", f"07700 {dice.randrange(900000, 999999)}"),
        *("None", dice.choice(("S", "M", "L")), f"{dice.randrange(30, 90)} minutes"),
    )
    instant = updated.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "id": id_(),
        "participantIndex": number % 4,
        "bookingId": id_(),
        "transactionId": id_(),
        "eventOccurrenceId": id_(),
        "eventId": str(2_365_756 + number % 9),
        "raceId": str(3_517_846_101 + number % 17),
        "ticketTitle": "10k Standard Entry",
        "ticketId": id_(),
        "createdAt": "2025-11-08T11:30:00.000Z",
        "updatedAt": instant,
        "waves": [{"id": id_(), "name": f"Wave {number % 12}", "startTime": instant}],
        "fields": [
            {"id": id_(), "label": label, "value": value, "type": "TEXT"}
            for label, value in zip(_QUESTIONS, answers, strict=True)
        ],
        "booker": {
            "id": id_(),
            "firstName": name[0],
            "lastName": name[1],
            "email": email,
            "phone": f"+44 7700 {dice.randrange(900000, 999999)}",
        },
        "bookerType": "PARTICIPANT",
        "originalTicketPrice": {"amount": dice.choice((45, 52.5, 38.25)), "currency": "GBP"},
        "incrementalStatus": "INCREMENTAL",
        "bibNumber": f"{number:05d}",
        "bookingCodesUsed": {"discount": None, "access": f"RUN{number % 40}"},
        "reservedEntryUrl": None,
        "partnerMarketingOptIns": [
            {"partnerId": id_(), "partnerName": "National Charity", "optedIn": number % 3 == 0}
        ],
        "tags": [{"name": "early bird"}] if number % 5 == 0 else [],
        "gdprRedacted": False,
        "statusDetails": [{"status": "CONFIRMED", "reason": None, "at": instant}],
        "tracking": {"source": "newsletter", "medium": "email", "campaign": f"c{number % 11}"},
        "applicationId": None,
        "raceDayDetails": {"bagDrop": f"B{number % 30}", "startPen": "C", "notes": None},
        "resultSubmission": None,
        "eventName": "City Sprint Challenge",
        "raceName": "10k",
        "raceStartDate": "2026-05-08T09:30:00.000Z",
        "sportId": "running",
        "distanceId": "10k",
        "distances": [{"id": "10k", "label": "10 km", "value": 10, "unit": "km"}],
        "disciplineLabel": "Running",
        "course": {"surface": "road", "elevationGain": 84, "loops": 1},
        "eventLocation": {"city": "Leeds", "country": "GB", "lat": 53.8008, "lng": -1.5491},
        "competitorSize": 12_293,
        "reservedEntryGroupCode": f"re_{number % 50}" if number % 4 == 0 else None,
        "reservedEntryGroupName": "Charity Entries" if number % 4 == 0 else None,
        "reservedEntryPartnerExternalIds": {"enthuse": None, "justGiving": None},
        "reservedEntryPartnerName": None,
    }


def raw_frame(records: list[bytes]) -> pl.DataFrame:
    """Make a raw frame of records."""
    count = len(records)
    return pl.DataFrame(
        {
            "record": records,
            "extract_id": ["extract"] * count,
            "record_number": range(1, count + 1),
            "extracted_at": [datetime(2026, 6, 1, tzinfo=UTC)] * count,
            "record_hash": range(count),
            "event_id": [None] * count,
        },
        schema=RAW_SCHEMA,
    )


def duckdb_reading(records: Sequence[bytes]) -> Callable[[], object]:
    """Give DuckDB's reading of a file of lines, with the types that it finds in the first of them."""
    folder = tempfile.TemporaryDirectory()
    path, sample = Path(folder.name, "records.ndjson"), Path(folder.name, "sample.ndjson")
    path.write_bytes(b"\n".join(records))
    sample.write_bytes(b"\n".join(records[:_SAMPLE]))
    connection = duckdb.connect()
    described = connection.execute(f"DESCRIBE FROM read_json('{sample}')").fetchall()
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind, *_ in described)
    query = f"FROM read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})"

    def read() -> object:
        assert folder  # it stays as long as this does
        return connection.sql(query).pl()

    return read


def orjson_reading(records: Sequence[bytes], schema: pl.Schema) -> dict[str, Callable[[], object]]:
    """Give orjson's readings, where it is installed."""
    if importlib.util.find_spec("orjson") is None:
        print("orjson is not installed, and is left out: `.venv/bin/python -m pip install orjson`.")
        return {}
    loads: Callable[[bytes], Any] = importlib.import_module("orjson").loads
    return {
        "orjson, bare decode to dicts": lambda: sum(loads(each) is not None for each in records),
        "orjson, then pl.DataFrame": lambda: pl.DataFrame(
            [loads(record) for record in records], schema=schema, strict=False
        ),
    }


def cutting(records: Sequence[bytes]) -> Callable[[], object]:
    """Give the least that can be done with stored pages: unpack them, and cut them into records."""
    pages = [
        zstandard.ZstdCompressor(level=3).compress(b"[" + b",".join(page) + b"]")
        for page in (records[at : at + _PAGE] for at in range(0, len(records), _PAGE))
    ]
    decoder = msgspec.json.Decoder(list[msgspec.Raw])
    unpack = zstandard.ZstdDecompressor().decompress
    return lambda: sum(len(decoder.decode(unpack(page))) for page in pages)


def _measure(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    dice = random.Random(1)
    records = [
        json.dumps(participant(number, dice), ensure_ascii=False, separators=(",", ":")).encode()
        for number in range(options.records)
    ]
    lines = b"\n".join(records)
    raw = raw_frame(records)
    frames = [raw.slice(offset, _FRAME) for offset in range(0, raw.height, _FRAME)]
    schema = pl.read_ndjson(io.BytesIO(b"\n".join(records[:_SAMPLE]))).schema
    decode = msgspec.json.Decoder().decode
    contestants: dict[str, Callable[[], object]] = {
        "tidy_participants": lambda: [tidy_participants(frame) for frame in frames],
        "msgspec, bare decode to dicts": lambda: [decode(record) for record in records] and None,
        "pl.read_ndjson with a schema": lambda: pl.read_ndjson(io.BytesIO(lines), schema=schema),
        "pyarrow.json": lambda: pyarrow.json.read_json(io.BytesIO(lines)),
        "DuckDB read_json with declared columns": duckdb_reading(records),
        **orjson_reading(records, schema),
        "bound: zstd and msgspec.Raw": cutting(records),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, work in contestants.items():
            times[name].append(_measure(work))
    print(f"{options.records:,} participants of {len(lines) / len(records):,.0f} bytes, 12 answers")
    print(f"polars threads: {pl.thread_pool_size()}; rounds: {options.rounds}")
    print("| | records a second | seconds | of our time |\n|---|---|---|---|")
    for name, taken in times.items():
        rate = options.records / statistics.median(taken)
        ratios = [each / mine for each, mine in zip(taken, times["tidy_participants"], strict=True)]
        print(f"| {name} | {rate:,.0f} | {spread(taken, 2)} | {spread(ratios, 2)} |")
    memory = psutil.Process().memory_info().rss / 2**20
    print(f"resident memory at the end, with all records held: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
