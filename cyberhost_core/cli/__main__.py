"""Run the command line as `python -m cyberhost_core.cli`, for places where scripts are not on the path."""

import sys

from .main import main

sys.exit(main())
