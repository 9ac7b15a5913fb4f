"""What an operator writes down about one skill, in the configuration."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from mcp_gateway.transports import SKILLS
from shared.catalog_entries import LATEST, LONGEST_ID, SKILL_ID, VERSION, SkillText, needs_problems
from shared.hidden_instructions.scan import scanned


class SkillRule(SkillText, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`labels` are facts for policy; long `instructions` stand in a file: `${file:skills/refund.md}`."""

    version: str = "1.0.0"
    owner: str = ""
    labels: tuple[str, ...] = ()
    state: Literal["active", "deprecated"] = "active"

    @property
    def findings(self) -> tuple[str, ...]:
        """What seems to be hidden in it."""
        return scanned(msgspec.json.encode(self))


def problems(rules: Mapping[str, SkillRule], *, scan: bool) -> list[str]:
    """What the types alone cannot see, as `path: problem`; with `scan`, characters that nobody sees."""
    found = []
    for name, rule in rules.items():
        path = f"{SKILLS}.{name}"
        if not SKILL_ID.fullmatch(name) or len(name) > LONGEST_ID:
            found.append(
                f"{path}: a skill's id is at most {LONGEST_ID} lower-case letters, digits and single dashes"
            )
        if rule.version == LATEST or not VERSION.fullmatch(rule.version):
            found.append(f"{path}.version: {rule.version!r} is no version")
        found += [f"{path}.{problem}" for problem in needs_problems(rule)]
        hidden = [finding for finding in rule.findings if finding.startswith("hidden:")] if scan else []
        found += [f"{path}: {finding}: it has characters that nobody sees" for finding in hidden]
    return found
