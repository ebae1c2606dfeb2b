"""`python -m seqlab` is the command `seqlab`."""

import sys

from seqlab.cli.main import main

sys.exit(main())
