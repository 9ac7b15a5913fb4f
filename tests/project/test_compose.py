"""compose.yaml and the images: valid, open to the outside only at the edge, no service with another's code"""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml

from tests.project.dockerfile import copied, instructions
from tests.project.tree import ROOT, SERVICES

PORTS = dict(zip(SERVICES, (8080, 8081, 8082, 8083), strict=True))
OTHERS = {"valkey", "postgres", "otel_collector"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def standing_on(compose: dict[str, Any], network: str) -> set[str]:
    return {name for name, part in compose["services"].items() if network in part.get("networks", ())}


def test_it_is_valid_by_the_compose_specification(compose: dict[str, Any]) -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = jsonschema_rs.validator_for(msgspec.json.decode(vendored.read_bytes()))
    assert [error.message for error in schema.iter_errors(compose)] == []


def test_it_holds_the_four_services_and_what_they_stand_on(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*SERVICES, *OTHERS}


def test_only_the_edge_is_published(compose: dict[str, Any]) -> None:
    assert [name for name, part in compose["services"].items() if "ports" in part] == ["api_gateway"]
    assert standing_on(compose, "edge") == {"api_gateway"}


def test_only_the_gateways_reach_valkey_and_only_the_edge_reaches_postgres(compose: dict[str, Any]) -> None:
    assert standing_on(compose, "valkey") == {*SERVICES, "valkey"}
    assert standing_on(compose, "postgres") == {"api_gateway", "postgres"}
    assert compose["services"]["valkey"]["networks"] == ["valkey"]
    assert compose["services"]["postgres"]["networks"] == ["postgres"]


def test_what_is_inside_has_no_way_out(compose: dict[str, Any]) -> None:
    closed = {name for name, network in compose["networks"].items() if network.get("internal")}
    assert closed == {"services", "valkey", "postgres", "telemetry"}
    assert standing_on(compose, "outside") == set(SERVICES) - {"api_gateway"}


def test_all_but_the_collector_say_whether_they_are_well(compose: dict[str, Any]) -> None:
    assert {name for name, part in compose["services"].items() if "healthcheck" not in part} == {
        "otel_collector"
    }
    for service, port in PORTS.items():
        assert f":{port}/readyz" in str(compose["services"][service]["healthcheck"]["test"])


def test_what_is_waited_for_can_become_healthy(compose: dict[str, Any]) -> None:
    for part in compose["services"].values():
        for name, how in part.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in compose["services"][name]


def test_no_secret_stands_in_it(compose: dict[str, Any]) -> None:
    for part in compose["services"].values():
        for name, value in part.get("environment", {}).items():
            if re.search(r"PASSWORD|KEY|AUTH|SECRET|TOKEN", name):
                assert re.fullmatch(r"\$\{[A-Z_]+:[-?][^}]*\}", value), (
                    f"{name} must come from the environment"
                )


def test_only_the_edge_is_given_the_database_password(compose: dict[str, Any]) -> None:
    for service in SERVICES:
        given = "GATESTACK_SQL_PASSWORD" in compose["services"][service]["environment"]
        assert given == (service == "api_gateway")


def test_every_image_that_is_fetched_names_its_version(compose: dict[str, Any]) -> None:
    images = {name: part["image"] for name, part in compose["services"].items() if "image" in part}
    assert set(images) == OTHERS
    assert all(re.search(r":\d", image) for image in images.values())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_confined(compose: dict[str, Any], service: str) -> None:
    part = compose["services"][service]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert part["volumes"] == [f"{service}:/var/lib/gatestack"]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_shared_and_its_own_folder_only(compose: dict[str, Any], service: str) -> None:
    build = compose["services"][service]["build"]
    assert build == {"context": ".", "dockerfile": f"deploy/{service}.Dockerfile"}
    assert copied(ROOT / build["dockerfile"]) == [f"requirements/{service}.txt", "shared/", f"{service}/"]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_its_service_as_nobody_special(service: str) -> None:
    said = dict(instructions(ROOT / "deploy" / f"{service}.Dockerfile"))
    assert said["USER"] == "gatestack"
    assert said["EXPOSE"] == str(PORTS[service])
    assert msgspec.json.decode(said["ENTRYPOINT"]) == ["python", "-m", service]
    assert msgspec.json.decode(said["CMD"]) == ["--bind", f"0.0.0.0:{PORTS[service]}"]


def test_what_an_image_copies_reaches_the_builder() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == {"shared/", *(f"{service}/" for service in SERVICES), "requirements/*.txt"}


def test_the_mounted_files_are_there(compose: dict[str, Any]) -> None:
    used = {config["source"] for part in compose["services"].values() for config in part.get("configs", ())}
    assert used == set(compose["configs"])
    assert [
        name for name, config in compose["configs"].items() if not (ROOT / config["file"]).is_file()
    ] == []


def test_the_collector_takes_what_the_services_send() -> None:
    collector = _yaml(ROOT / "deploy" / "otel-collector.yaml")
    pipeline = collector["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(collector[kind])
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    telemetry = _yaml(ROOT / "deploy" / "gatestack.yaml")["telemetry"]
    assert telemetry["exporter"] == "otlp"
    assert telemetry["endpoint"].startswith(f"http://otel_collector:{port}")


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
