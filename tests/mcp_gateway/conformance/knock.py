"""What the conformance suite starts as the client under test, many times: it tells the test, which has the
gateway, whom to talk to, and ends when that is done.

`python knock.py <port of the test> <address of the suite's server>`
"""

import json
import os
import socket
import sys


def main() -> int:
    port, url = sys.argv[1:]
    asked = {
        "url": url,
        "scenario": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
    }
    with socket.create_connection(("127.0.0.1", int(port))) as test:
        test.sendall(json.dumps(asked).encode() + b"\n")
        said = test.makefile().read()
    sys.stderr.write(said)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
