"""What an installation runs: compiles the native loops, where there is a compiler."""

from __future__ import annotations

import runpy
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["NativeLoops"]

HERE = "seqlab/engine/recurrent/native"


class NativeLoops(BuildHookInterface[Any]):
    """An editable installation has them beside their sources; a wheel with them is for one platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add the files to a wheel."""
        home = Path(self.root, HERE)
        compiling = runpy.run_path(str(home / "compiling.py"))
        compile_loops, folder = compiling["compile_loops"], compiling["COMPILED"]
        if version == "editable":
            try:
                compile_loops(home / folder)
            except OSError as error:  # a checkout that cannot be written to works without them
                print(f"seqlab: no native loops: {error}", file=sys.stderr)  # noqa: T201
            return
        self.made = Path(tempfile.mkdtemp())
        if files := compile_loops(self.made):
            build_data["force_include"] |= {str(file): f"{HERE}/{folder}/{file.name}" for file in files}
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for a wheel, which holds it now."""
        if version != "editable":
            shutil.rmtree(self.made)
