"""``python -m refinebio_assets`` is ``refinebio``."""

import sys

from refinebio_assets.cli.main import main

sys.exit(main())
