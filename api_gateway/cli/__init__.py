"""`gatestack`: run the stack, and ask or tell it things. Human output by default, `--json` everywhere."""

import sys

from cyclopts import App, CycloptsError
from rich.console import Console

from api_gateway.cli import (
    apply,
    approvals,
    audit,
    catalog,
    chain,
    config,
    doctor,
    keys,
    kill,
    maintenance,
    policy,
    spend,
    status,
    token,
    transcripts,
    up,
)
from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.show import Output, harmless
from api_gateway.cli.usage import PARAMETERS, explained, release

app = App(
    name="gatestack",
    help=__doc__,
    version=release,
    version_flags=["--version"],
    default_parameter=PARAMETERS,
    result_action="return_value",
)
for noun in (
    up,
    config,
    doctor,
    keys,
    policy,
    chain,
    spend,
    kill,
    maintenance,
    approvals,
    catalog,
    audit,
    token,
    transcripts,
    apply,
    status,
):
    noun.register(app)


def main(argv: list[str] | None = None) -> int:
    """Exit code 0, 1 when a command failed, 2 when it was called wrongly or the configuration is wrong."""
    try:
        result = app(argv, exit_on_error=False, print_error=False, console=Console())
    except CycloptsError as error:
        print(f"gatestack: {explained(error)}", file=sys.stderr)
        return 2
    except CommandFailed as error:
        print(f"gatestack: {harmless(str(error))}", file=sys.stderr)
        return error.code
    if isinstance(result, Output):
        result.show()
        return result.code
    return int(result or 0)
