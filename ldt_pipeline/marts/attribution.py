"""Which reserved entry group, and which partner, an entry belongs to.

What belongs here: the one set of matching rules, which the start list and the allocations share,
so that their numbers agree. What doesn't: what a mart shows about a group or a partner.

An entry states its *claim*: its event, a group's code and name, and a partner's name and external
ids. There are a few thousand distinct claims among a million entries, so claims are matched, and
the entries joined to them once.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ldt_pipeline.marts.common import live, one_per_key, trimmed, unambiguous

GROUP_CLAIM: tuple[str, ...] = (
    "event_id",
    "reserved_entry_group_code",
    "reserved_entry_group_name",
)
"""What an entry says about its group."""

EXTERNAL_IDS: Mapping[str, str] = {
    "reserved_entry_partner_enthuse_id": "enthuse_id",
    "reserved_entry_partner_just_giving_id": "just_giving_id",
    "reserved_entry_partner_london_marathon_id": "london_marathon_id",
}
"""A partner's external ids, in an entry and in a partner, in the order in which they are tried."""

PARTNER_CLAIM: tuple[str, ...] = ("reserved_entry_partner_name", *EXTERNAL_IDS)
"""What an entry says about its partner."""

CLAIM: tuple[str, ...] = (*GROUP_CLAIM, *PARTNER_CLAIM)


def claims(entries: pl.DataFrame, columns: tuple[str, ...] = CLAIM) -> pl.DataFrame:
    """Give the distinct claims of entries whose claim columns are trimmed already."""
    return entries.select(columns).unique()


def resolved(
    stated: pl.DataFrame, *, partners: pl.DataFrame, reserved_entry_groups: pl.DataFrame
) -> pl.DataFrame:
    """Say which group and partner is meant by claims as entries state them, not trimmed yet.

    Args:
        stated: The distinct claims of entries.
        partners: The tidy table.
        reserved_entry_groups: The tidy table.

    Returns:
        The claims as they were, with all that `with_group` and `with_partner` say of them.
    """
    keyed = stated.with_columns(trimmed(name).alias(f"trimmed_{name}") for name in CLAIM)
    bare = keyed.select(pl.col(f"trimmed_{name}").alias(name) for name in CLAIM).unique()
    meant = with_partner(
        with_group(bare, reserved_entry_groups=reserved_entry_groups), partners=partners
    )
    return keyed.join(
        meant.rename({name: f"trimmed_{name}" for name in CLAIM}),
        on=[f"trimmed_{name}" for name in CLAIM],
        how="left",
        nulls_equal=True,
        validate="m:1",
    ).drop(f"trimmed_{name}" for name in CLAIM)


def with_group(claims: pl.DataFrame, *, reserved_entry_groups: pl.DataFrame) -> pl.DataFrame:
    """Say which group each claim means.

    A code is a group's id; it decides even where that group was deleted since, as the place still
    came from it. Where no group has the code, the event's one live group of that name is meant.

    Args:
        claims: Distinct claims, trimmed.
        reserved_entry_groups: The tidy table.

    Returns:
        The claims with `group_id`, `group_name`, `group_partner_id`, `group_deleted` and
        `matched_by` (code or name), all null where no group is meant.
    """
    groups = one_per_key(reserved_entry_groups, "reserved_entry_group_id").select(
        trimmed("event_id"),
        "deleted_at",
        pl.col("reserved_entry_group_id").alias("group_id"),
        trimmed("name").alias("group_name"),
        trimmed("partner_id").alias("group_partner_id"),
        pl.col("deleted_at").is_not_null().alias("group_deleted"),
    )
    details = ["group_id", "group_name", "group_partner_id", "group_deleted"]
    by_code = groups.select(
        trimmed("group_id").alias("reserved_entry_group_code"),
        *details,
        pl.lit("code").alias("matched_by"),
    )
    by_name = unambiguous(live(groups), ["event_id", "group_name"]).select(
        "event_id",
        pl.col("group_name").alias("reserved_entry_group_name"),
        *details,
        pl.lit("name").alias("matched_by"),
    )
    coded = claims.join(
        unambiguous(by_code, ["reserved_entry_group_code"]),
        on="reserved_entry_group_code",
        how="left",
        validate="m:1",
    )
    named = coded.filter(pl.col("group_id").is_null()).select(claims.columns)
    return pl.concat(
        [
            coded.filter(pl.col("group_id").is_not_null()),
            named.join(
                by_name, on=["event_id", "reserved_entry_group_name"], how="left", validate="m:1"
            ),
        ]
    )


def with_partner(claims: pl.DataFrame, *, partners: pl.DataFrame) -> pl.DataFrame:
    """Say which partner each claim means.

    The group's partner decides. Without one, a live partner that alone has the claim's external
    id, or else its name (in whatever case), is meant.

    Args:
        claims: Claims that `with_group` has seen.
        partners: The tidy table.

    Returns:
        The claims with `partner_id` and `partner_name`.
    """
    known = one_per_key(partners, "partner_id").with_columns(
        trimmed("name"), *(trimmed(own) for own in EXTERNAL_IDS.values())
    )
    current = live(known)
    candidates = ["group_partner_id"]
    for stated, own in EXTERNAL_IDS.items():
        candidate = f"by_{own}"
        candidates.append(candidate)
        holders = unambiguous(current, [own]).select(
            pl.col(own).alias(stated), pl.col("partner_id").alias(candidate)
        )
        claims = claims.join(holders, on=stated, how="left", validate="m:1")
    holders = unambiguous(
        current.select(
            pl.col("name").str.to_lowercase().alias("folded_name"),
            pl.col("partner_id").alias("by_name"),
        ),
        ["folded_name"],
    )
    candidates.append("by_name")
    claims = claims.with_columns(
        pl.col("reserved_entry_partner_name").str.to_lowercase().alias("folded_name")
    ).join(holders, on="folded_name", how="left", validate="m:1")
    return (
        claims.with_columns(pl.coalesce(candidates).alias("partner_id"))
        .drop(*candidates[1:], "folded_name")
        .join(
            known.select("partner_id", pl.col("name").alias("partner_name")),
            on="partner_id",
            how="left",
            validate="m:1",
        )
        .with_columns(pl.coalesce("partner_name", "reserved_entry_partner_name"))
    )
