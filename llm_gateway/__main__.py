"""`python -m llm_gateway`: the model gateway alone."""

import sys

from llm_gateway.app import SERVICE
from shared.run import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
