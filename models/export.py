"""`python -m models.export` writes a model file: see models/tools/export.py."""

import sys

from models.tools.export import main

if __name__ == "__main__":
    sys.exit(main())
