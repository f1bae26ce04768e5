"""`python -m models.quantize` makes an int8 model: see models/tools/quantize.py."""

import sys

from models.tools.quantize import main

if __name__ == "__main__":
    sys.exit(main())
