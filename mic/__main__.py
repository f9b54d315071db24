"""`python -m mic` is the `mic` command."""

import sys

from mic.cli import main

sys.exit(main())
