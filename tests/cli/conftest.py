from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seqlab.cli.main

SeqlabProcess = Callable[..., "subprocess.CompletedProcess[str]"]

CODE = "import sys; from seqlab.cli.main import main; sys.exit(main())"


@pytest.fixture
def seqlab_process(tmp_path: Path) -> SeqlabProcess:
    """Run the command line in a process of its own, with `site` (default: the test's folder) on its path."""
    source = str(Path(seqlab.cli.main.__file__).parents[2])

    def run(
        *args: str, code: str = CODE, site: Path = tmp_path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(site), source])} | environment,
        )

    return run
