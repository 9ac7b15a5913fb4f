"""`python -m api_gateway.cli`: the `gatestack` command without its installed script."""

import sys

from api_gateway.cli import main

if __name__ == "__main__":
    sys.exit(main())
