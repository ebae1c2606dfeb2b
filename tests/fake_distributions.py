"""Writes what pip would install: a module and a `.dist-info` folder with entry points."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

ENCODER_PLUGIN = """
    from seqlab.api import Component, Config, hookimpl

    class Settings(Config):
        '''No keys.'''

    def build(config, context):
        raise NotImplementedError

    @hookimpl
    def seqlab_register_encoders():
        return [Component(name={name!r}, config=Settings, build=build, summary="an encoder of the tests")]
"""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One distribution with one module and one entry point of the same name."""

    name: str
    module: str
    source: str
    version: str = "1.0"
    plugin: str = ""
    """Name of the entry point; the distribution's name where empty."""


def install(site: Path, distribution: Distribution) -> Path:
    """Write a distribution into a folder that is, or will be, on sys.path; return its module's file."""
    info = site / f"{distribution.name.replace('-', '_')}-{distribution.version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution.name}\nVersion: {distribution.version}\n"
    )
    point = f"{distribution.plugin or distribution.name} = {distribution.module}"
    (info / "entry_points.txt").write_text(f"[seqlab]\n{point}\n")
    return write_module(site / f"{distribution.module}.py", distribution.source)


def write_module(file: Path, source: str) -> Path:
    """Write a Python file from indented source."""
    file.write_text(textwrap.dedent(source))
    return file
