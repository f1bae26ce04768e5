"""`python -m models.fetch` downloads a published model: see models/tools/fetch.py."""

import sys

from models.tools.fetch import main

if __name__ == "__main__":
    sys.exit(main())
