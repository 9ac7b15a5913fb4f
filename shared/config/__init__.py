"""One YAML file, a section a service plus shared ones; every problem found at once, before a socket opens."""

from shared.config.build import Secret
from shared.config.control import ControlSection
from shared.config.load import ConfigProblems, Loaded, Problem, load, load_plain, load_policy
from shared.config.sections import (
    AlertsSection,
    ApprovalsSection,
    ChainSection,
    IdentitySection,
    Shared,
    StateSection,
    TelemetrySection,
)

__all__ = [
    "AlertsSection",
    "ApprovalsSection",
    "ChainSection",
    "ConfigProblems",
    "ControlSection",
    "IdentitySection",
    "Loaded",
    "Problem",
    "Secret",
    "Shared",
    "StateSection",
    "TelemetrySection",
    "load",
    "load_plain",
    "load_policy",
]
