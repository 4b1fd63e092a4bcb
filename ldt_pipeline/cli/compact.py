"""`ldt compact`: many small extracts of the raw store in few files, without changing any table.

What belongs here: the command. What doesn't: compacting (`compacting.py`).
"""

from __future__ import annotations

import click

from ldt_pipeline.cli.command import Command, require_yes
from ldt_pipeline.cli.text import counted, number


@click.command(
    "compact",
    cls=Command,
    short_help="Put many small raw extracts into few files.",
    examples=(
        "ldt compact --dry-run",
        "ldt compact",
        "ldt compact --drop-superseded --dry-run",
    ),
    failures="nothing was compacted; everything is as it was",
)
@click.option(
    "--drop-superseded",
    is_flag=True,
    help="Drop versions of records of which a newer one is stored. They are gone for good then, "
    "and participant_versions and start_list_changes lose what they told: the next sync publishes it.",
)
@click.option(
    "--dry-run", is_flag=True, help="Do and prove all of it, say what it saves, and change nothing."
)
@click.option("--yes", is_flag=True, help="Don't ask before dropping versions.")
def compact(drop_superseded: bool, dry_run: bool, yes: bool) -> None:
    """Put the extracts of each partition of the raw store into one file.

    Before anything is deleted, both warehouses are made: from the raw store as it is, and as it
    would be. Every table and the lineage of each row have to be equal. That takes as long as two
    times `ldt rebuild`; nothing else can use the warehouse meanwhile.

    Nothing is lost by it: every version of every record stays, and is known by the extract that it
    was in. Only with --drop-superseded the versions go of which a newer one is stored: the history
    of participants (participant_versions, start_list_changes, start-list --as-of) then begins anew.
    Snapshots of reserved entries and tickets, and tombstones, always stay.
    """
    from ldt_pipeline.cli.display import Display
    from ldt_pipeline.compacting import compact as do
    from ldt_pipeline.progress import advance
    from ldt_pipeline.raw import RawStore
    from ldt_pipeline.settings import load_settings
    from ldt_pipeline.sync.lock import sync_lock

    if drop_superseded and not dry_run and not yes:
        require_yes(
            "Drop all superseded versions for good? No history can be made from them then",
            "Nothing was compacted",
        )
    settings = load_settings()
    store = RawStore(str(settings.raw_dir))
    # A sync that reads what is compacted away would have to begin again.
    with Display() as display, sync_lock(settings, display.say):
        display.say("Compacting")
        done = do(
            settings,
            store,
            drop_superseded=drop_superseded,
            dry_run=dry_run,
            progress=advance,
        )
    if not done.partitions:
        click.echo("There is nothing to compact: each partition is one extract.")
        return
    verb = "would become" if dry_run else "have become"
    saved = done.bytes_before - done.bytes_after
    click.echo(
        f"{counted(done.extracts_before, 'extract')} {verb} {number(done.extracts_after)}, with "
        f"{counted(done.records, 'record')} in {counted(len(done.partitions), 'partition')}."
    )
    click.echo(
        f"{number(done.bytes_before)} bytes {verb} {number(done.bytes_after)}: "
        f"{number(saved)} saved."
    )
    if drop_superseded:
        click.echo(
            f"{counted(done.dropped, 'superseded version')} "
            f"{'would be dropped' if dry_run else 'dropped'}."
        )
    but = " but for the history that was dropped" if done.dropped else ""
    click.echo(f"Proved: every table and the lineage of each row is the same{but}.")
