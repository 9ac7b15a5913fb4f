"""`python -m agent_gateway` runs the agent gateway."""

import sys

from agent_gateway.app import SERVICE
from shared.run import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
