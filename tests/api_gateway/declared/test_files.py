"""Objects in files: what is read, and how mistakes are told."""

from pathlib import Path

import pytest

from api_gateway.admin.agent_registry import AgentSpec
from api_gateway.declared.fields import plain
from api_gateway.declared.files import FileProblems, read, written
from api_gateway.declared.key import KeySpec
from api_gateway.declared.policy import PolicySpec
from shared.bridges import ChatBridge

GOOD = """\
kind: key
name: billing
spec: {sub: "service:billing", tenant: acme, expires_at: 2030-01-01T00:00:00Z}
---
kind: agent
name: clerk
spec:
  bridge: {kind: chat, model: fast}
---
"""


def _problems(path: Path) -> list[str]:
    with pytest.raises(FileProblems) as found:
        read(path)
    return [problem.removeprefix(f"{path}") for problem in found.value.problems]


def test_a_folder_is_read_with_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "all.yml").write_text(GOOD)
    (tmp_path / "policy.yaml").write_text("kind: policy\nname: policy\nspec: {}\n")
    (tmp_path / "README.md").write_text("not: ours: at all")
    clerk, billing, policy = sorted(
        read(tmp_path), key=lambda one: len(one.kind) - 10 * (one.kind == "agent")
    )
    assert clerk.spec == AgentSpec(bridge=ChatBridge(model="fast"))
    assert isinstance(billing.spec, KeySpec)
    assert billing.spec.expires_at is not None
    assert (billing.place, clerk.place) == (f"{tmp_path}/below/all.yml:1", f"{tmp_path}/below/all.yml:5")
    assert policy.spec == PolicySpec()


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    file, again = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.write_text(GOOD)
    found = read(file)
    objects = [{"kind": one.kind, "name": one.name, "spec": plain(one.spec)} for one in found]
    assert objects[1]["spec"] == {"bridge": {"kind": "chat", "model": "fast"}}
    again.write_text(written(objects))
    assert [(one.kind, one.name, one.spec) for one in read(again)] == [
        (one.kind, one.name, one.spec) for one in found
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "kind: kee\nname: a\nspec: {}\n",
            ":1: kind: 'kee' is none of policy, agent, server, skill, service_account, key, kill",
        ),
        ("kind: key\nname: 5\nspec: {}\n", ":2: name: Expected `str`, got `int`"),
        ("kind: key\nname: a\nspecs: {}\n", ":3: specs: unknown name: did you mean 'spec'?"),
        (
            "\nkind: key\nname: a\nspec:\n  sub: user:a\n  tenant: t\n  budget:\n    micro: 1\n",
            ":8: spec.budget.micro: unknown name: did you mean 'micros'?",
        ),
        ("kind: key\nname: a\nspec:\n  sub: user:a\n", ":3: spec.tenant: missing, and it has no default"),
        ("kind: key\nname: a\nspec: {sub: u, tenant: t}\nname: b\n", ":4: name: stands twice"),
        ("kind: key\n  name: a\n", ":2: is not valid YAML: mapping values are not allowed in this context"),
        ("- kind\n", ":1: expected a section with names, got list \"['kind']\""),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert told in [problem.replace(": : ", ": ") for problem in _problems(file)]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "kind: key\nname: a\nspec: {sub: 1, tenant: 2}\n")
    (tmp_path / "b.yaml").write_text(GOOD)
    told = _problems(tmp_path)
    assert [problem.partition(": ")[0] for problem in told] == [
        "/a.yaml:12",
        "/a.yaml:12",
        "/b.yaml:1",
        "/b.yaml:5",
    ]
    assert told[2] == f"/b.yaml:1: key billing stands at {tmp_path}/a.yaml:1 already"


def test_an_empty_folder_and_a_missing_file_are_mistakes(tmp_path: Path) -> None:
    assert _problems(tmp_path) == [": holds no .yaml or .yml file"]
    assert "cannot be read" in _problems(tmp_path / "missing.yaml")[0]
