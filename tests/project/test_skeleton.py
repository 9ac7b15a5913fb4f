"""The four services have one skeleton: who knows one knows all."""

import ast

import pytest

from tests.project.tree import ROOT, SERVICES, parse

SKELETON = ("__init__.py", "__main__.py", "config.py", "app.py", "pipeline.py")
PIPELINE_STATEMENTS = 30


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_files_that_all_have(service: str) -> None:
    assert [name for name in SKELETON if not (ROOT / service / name).is_file()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_pipeline_is_one_short_call(service: str) -> None:
    calls = _calls(parse(ROOT / service / "pipeline.py"))
    assert len(calls) == 1, "a service has one pipeline with one __call__"
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(calls[0])) - 1
    assert statements <= PIPELINE_STATEMENTS


@pytest.mark.parametrize("service", SERVICES)
def test_a_pipeline_runs_inside_the_account(service: str) -> None:
    [call] = _calls(parse(ROOT / service / "pipeline.py"))
    frames = [node.items[0].context_expr for node in ast.walk(call) if isinstance(node, ast.AsyncWith)]
    assert any("account(" in ast.unparse(frame) for frame in frames)


@pytest.mark.parametrize("service", SERVICES)
def test_config_and_app_offer_what_main_asks_for(service: str) -> None:
    config = {getattr(node, "name", "") for node in parse(ROOT / service / "config.py").body}
    app = {getattr(node, "name", "") for node in parse(ROOT / service / "app.py").body}
    assert {"Section", "problems"} <= config
    assert "build" in app


def _calls(tree: ast.Module) -> list[ast.AsyncFunctionDef]:
    return [
        item
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, ast.AsyncFunctionDef) and item.name == "__call__"
    ]
