"""Entry point of ``python -m stage``."""

import sys

from stage.cli import main

sys.exit(main())
