"""`python -m mcp_gateway`: the tool gateway alone."""

import sys

from mcp_gateway.app import SERVICE
from shared.run import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
