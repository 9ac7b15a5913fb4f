"""The example configuration's policy comes to what it says itself."""

from shared.config import load_policy
from shared.policy import Policy
from shared.policy.lint import lint
from shared.policy.trial import tried
from tests.project.tree import ROOT


def test_the_example_policy_passes_its_own_tests() -> None:
    document = load_policy(ROOT / "examples" / "gatestack.yaml", {})
    assert len(document.tests) >= 10
    assert tried(Policy.compile(document, 0), document.tests) == []
    assert [finding for finding in lint(document) if finding.level == "error"] == []
