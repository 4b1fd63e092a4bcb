"""Who entered when: the rows of a generated account, before anybody changes it.

What belongs here: choosing, for each participant and application, a ticket, instants, a group, a
booking and a bib. What doesn't: what exists to be chosen (`world`) and how a row becomes a record
(`records`). This is a loop over up to millions of rows: it is written for speed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from ldt_pipeline.sandbox.instants import DAY, MINUTE, SECOND
from ldt_pipeline.sandbox.world import Ticket, World

WEEK = 7 * DAY

PENDING, APPROVED, DECLINED = 0, 1, 2

_FORGOTTEN = 0.003
_IN_A_GROUP = 0.03
_WITHOUT_BIB = 0.004
_DUPLICATE_BIB = 0.002
_SAME_INSTANT = 0.3
_IN_BULK = 0.38
_LATEST_CHANGE_AFTER_RACE = 21 * DAY
_BIBS_BEFORE_RACE = 30 * DAY


PARTICIPANT_COLUMNS = (
    "number, created, updated, scope, ticket, reserved_group, party, bib, redacted"
)
APPLICATION_COLUMNS = "number, created, updated, scope, ticket, participant, status, redacted"


class BallotPlace(NamedTuple):
    """A participant whose place came out of a ballot."""

    ticket: int
    participant: int
    created: int
    redacted: int


class _Sale(NamedTuple):
    """What is the same for everybody who holds one ticket: worked out once, not a million times."""

    ticket: int
    race: int
    route: str
    groups: list[int] | None
    latest_change: int
    bulk_change: int
    has_bibs: bool
    sheet: int


def participant_rows(
    world: World, *, count: int, start: int, places: list[BallotPlace]
) -> Iterator[tuple[Any, ...]]:
    """Make the rows of all participants, in the order in which they entered.

    Args:
        world: What can be entered. The groups' counts are filled in on the way.
        count: How many.
        start: The first instant of the history.
        places: Filled with the places that came out of a ballot.
    """
    rng = random.Random(f"{world.seed}/history")  # noqa: S311 - repeatable on purpose
    draw = rng.random
    sales = _sales(world)
    used = [0] * len(world.groups)
    bib_sheets: dict[int, int] = {}
    number = 0
    for week, tickets, weights, entrants in _weeks(world, count=count, start=start):
        chosen = rng.choices([sales[ticket.number] for ticket in tickets], weights, k=entrants)
        span = min(week + WEEK, world.now - MINUTE) - week
        created_instants = sorted([week + int(draw() * span) for _ in range(entrants)])
        parties = _book_together(rng, chosen, created_instants)
        for sale, created, party in zip(chosen, created_instants, parties, strict=True):
            ticket, race, route, groups, latest_change, bulk_change, has_bibs, sheet = sale
            group = None
            redacted = 1 if draw() < _FORGOTTEN else 0
            if groups is not None:
                # Squared: a few groups are popular, many are nearly empty.
                group = groups[int(len(groups) * draw() ** 2)]
                used[group] += 1
            elif route == "ballot":
                places.append(BallotPlace(ticket, number, created, redacted))
            updated = created
            share = draw()
            if share > _IN_BULK:
                share = (share - _IN_BULK) / (1 - _IN_BULK)
                updated += int(max(0, latest_change - created) * share**4)
            elif share > _SAME_INSTANT and created < bulk_change < latest_change:
                # Waves are given out to all at once: thousands of records share a millisecond.
                updated = bulk_change
            bib = 0
            if has_bibs and (share := draw()) > _WITHOUT_BIB:
                bib = bib_sheets.get(sheet, 0)
                if share > _WITHOUT_BIB + _DUPLICATE_BIB or not bib:
                    bib += 1
                    bib_sheets[sheet] = bib
            yield number, created, updated, race, ticket, group, party, bib, redacted
            number += 1
    for group, claims in zip(world.groups, used, strict=True):
        if group is not None:
            group.used = claims


def _sales(world: World) -> list[_Sale]:
    groups_of: dict[int, list[int]] = {}
    for group in world.groups:
        if group is not None:
            for ticket in group.tickets:
                groups_of.setdefault(ticket.number, []).append(group.number)
    return [
        _Sale(
            ticket.number,
            ticket.race.number,
            ticket.route,
            groups_of.get(ticket.number),
            min(world.now - 30 * SECOND, ticket.starts + _LATEST_CHANGE_AFTER_RACE),
            ticket.occurrence.race_day - 14 * DAY,
            ticket.starts - _BIBS_BEFORE_RACE <= world.now,
            ticket.occurrence.number << 20 | ticket.race.number,
        )
        for ticket in world.tickets
    ]


def settle_capacities(world: World) -> None:
    """Give every group a size that suits what was claimed, and a few a wrong count."""
    rng = random.Random(f"{world.seed}/capacities")  # noqa: S311 - repeatable on purpose
    for group in world.groups:
        if group is None:
            continue
        spare = 0 if rng.random() < 0.1 else rng.choice((1, 3, 5, 10, 25))
        group.max_capacity = group.used + spare
        if rng.random() < 0.02:
            group.max_capacity = max(0, group.used - 1)
        if rng.random() < 0.02 and group.used > 0:
            group.drift = rng.choice((-1, 1))


def application_rows(
    world: World, *, count: int, places: list[BallotPlace]
) -> list[tuple[Any, ...]]:
    """Make the rows of all applications, oldest first.

    Each place that came out of a ballot has an approved application, as far as `count` allows;
    the rest were unsuccessful, or wait for a draw that is still to come.
    """
    rng = random.Random(f"{world.seed}/applications")  # noqa: S311 - repeatable on purpose
    ballots = [t for t in world.tickets if t.route == "ballot" and t.opens < world.now - DAY]
    if not ballots:
        return []
    drafts: list[tuple[int, int, Ticket, int | None, int, int]] = []
    for place in places[:count]:
        ticket = world.tickets[place.ticket]
        created = _applied(rng, ticket, min(ticket.draw, place.created))
        updated = created + int((place.created - created) * (0.5 + rng.random() / 2))
        drafts.append((created, updated, ticket, place.participant, APPROVED, place.redacted))
    for ticket in rng.choices(ballots, k=count - len(drafts)):
        created = _applied(rng, ticket, min(ticket.draw, world.now - MINUTE))
        drawn = ticket.draw < world.now - DAY
        # A draw writes many results in the same millisecond.
        updated = ticket.draw + rng.choice((0, 0, rng.randrange(10 * MINUTE))) if drawn else created
        redacted = 1 if rng.random() < _FORGOTTEN else 0
        status = DECLINED if drawn else PENDING
        drafts.append((created, updated, ticket, None, status, redacted))
    drafts.sort(key=lambda draft: draft[0])
    return [
        (number, created, updated, ticket.race.event.number, ticket.number, participant, status,
         redacted)
        for number, (created, updated, ticket, participant, status, redacted) in enumerate(drafts)
    ]  # fmt: skip


def _weeks(
    world: World, *, count: int, start: int
) -> Iterator[tuple[int, list[Ticket], list[float], int]]:
    """Share the entrants out over the weeks, by what was on sale in each."""
    weeks: list[tuple[int, list[Ticket], list[float], float]] = []
    for week in range(start, world.now - 2 * MINUTE, WEEK):
        on_sale: list[Ticket] = []
        weights: list[float] = []
        for ticket in world.tickets:
            weight = _interest(ticket, week)
            if weight:
                on_sale.append(ticket)
                weights.append(weight)
        if on_sale:
            weeks.append((week, on_sale, weights, sum(weights)))
    interest = sum(total for _, _, _, total in weeks)
    seen, given = 0.0, 0
    for place, (week, on_sale, weights, total) in enumerate(weeks):
        seen += total
        goal = count if place == len(weeks) - 1 else round(count * seen / interest)
        if goal > given:
            yield week, on_sale, weights, goal - given
        given = max(goal, given)


def _interest(ticket: Ticket, week: int) -> float:
    """How much a ticket sells in a week: more just after opening and just before closing."""
    opens, closes = ticket.opens, ticket.closes
    if ticket.route == "ballot":
        # Winners of a ballot have a month to take their place.
        opens, closes = ticket.draw, ticket.draw + 30 * DAY
        return ticket.weight * 6 if opens <= week < closes - WEEK else 0.0
    if not opens <= week <= closes - WEEK:
        return 0.0
    if week < opens + 2 * WEEK:
        return ticket.weight * 4
    return ticket.weight * (3 if week > closes - 5 * WEEK else 1)


def _book_together(rng: random.Random, chosen: list[_Sale], created: list[int]) -> list[int]:
    """Turn some neighbours into one booking, and say how far behind its leader each one is."""
    parties = [0] * len(chosen)
    leaders = [place for place in range(len(chosen)) if rng.random() < _IN_A_GROUP]
    end = 0
    for leader in leaders:
        # Nobody books several places from a ballot or a single-use link.
        if leader < end or chosen[leader].route != "open":
            continue
        end = min(leader + rng.randrange(2, 6), len(chosen))
        for place in range(leader + 1, end):
            chosen[place] = chosen[leader]
            created[place] = created[leader]
            parties[place] = place - leader
    return parties


def _applied(rng: random.Random, ticket: Ticket, limit: int) -> int:
    end = min(limit, ticket.opens + 45 * DAY)
    return ticket.opens + int((end - ticket.opens) * rng.random())
