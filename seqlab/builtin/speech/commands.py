"""`seqlab cache`: what the cache of features holds."""

from __future__ import annotations

import click

from seqlab.printable import printable

__all__ = ["cache"]


@click.command
@click.option("--clear", is_flag=True, help="Remove all features that are kept.")
def cache(*, clear: bool) -> None:
    """Say what the cache of features holds, or clear it.

    Features of sound are kept there, so that later runs with the same settings need not compute them.
    """
    from seqlab.builtin.speech.featurizers.feature_cache import cache_info, clear_cache

    info = clear_cache() if clear else cache_info()
    removed = "removed " if clear else ""
    files = f"{info.entries:,} sounds in {info.files:,} files, {info.size / 1e6:,.1f} MB"
    click.echo(printable(f"{info.path}: {removed}features of {files}"))
