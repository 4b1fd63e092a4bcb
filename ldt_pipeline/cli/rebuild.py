"""`ldt rebuild`: the warehouse and the published file once more, from the raw store alone.

What belongs here: the command. What doesn't: what is done (`runner.py`).
"""

from __future__ import annotations

import click

from ldt_pipeline.cli.command import Command, CommandError


@click.command(
    "rebuild",
    cls=Command,
    short_help="Make warehouse and published file from raw.",
    examples=("ldt rebuild",),
    failures="failed; what was published before stays",
)
def rebuild() -> None:
    """Make the warehouse anew from the raw store alone, and publish it.

    For a damaged warehouse, a new version of the pipeline, or another file of questions. Nothing
    is read from the API, and what was published before stays until the new file is whole.
    """
    from ldt_pipeline.cli.sync import run, through_dagster
    from ldt_pipeline.raw import RawStore
    from ldt_pipeline.settings import load_settings

    settings = load_settings()
    if not RawStore(str(settings.raw_dir)).extract_ids():
        raise CommandError(
            f"There is nothing in {settings.raw_dir} to rebuild from. Run `ldt sync` first."
        )
    from ldt_pipeline import runner

    for line in run(settings, through_dagster(runner.rebuild)):
        click.echo(line)
