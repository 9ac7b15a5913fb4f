"""`python -m api_gateway`: the edge alone."""

import sys

from api_gateway.app import SERVICE
from shared.run import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
