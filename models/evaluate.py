"""`python -m models.evaluate` measures a model: see models/tools/evaluate.py."""

import sys

from models.tools.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
