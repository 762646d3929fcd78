"""What the image and the services of a single host must keep to, read from their definitions."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.settings import Settings

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "deploy" / "server"
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|ACCESS_KEY")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((SERVER / "compose.yaml").read_text())
    found: dict[str, Any] = compose["services"]
    return found


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """Keyword and arguments of each instruction of the Dockerfile, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def _arguments(instructions: list[tuple[str, str]], keyword: str) -> list[str]:
    return [arguments for name, arguments in instructions if name == keyword]


def _environment_names(value: Any) -> set[str]:
    """Every NAME of ``{env: NAME}``."""
    if isinstance(value, dict):
        named = {value["env"]} if set(value) == {"env"} else set()
        return named.union(*(_environment_names(entry) for entry in value.values()))
    return set().union(*(_environment_names(entry) for entry in value)) if isinstance(value, list) else set()


def test_images_are_pinned(services: dict[str, Any], instructions: list[tuple[str, str]]) -> None:
    images = [service["image"] for service in services.values()]
    bases = [arguments.split()[0] for arguments in _arguments(instructions, "FROM")]
    assert set(bases) == {"python:3.11-slim-bookworm"}
    for image in [*images, *bases]:
        assert ":" in image
        assert not image.endswith((":latest", ":"))


def test_nothing_runs_as_root(services: dict[str, Any], instructions: list[tuple[str, str]]) -> None:
    stages = [position for position, (keyword, _) in enumerate(instructions) if keyword == "FROM"]
    users = _arguments(instructions[stages[-1] :], "USER")
    assert users == ["10001:10001"]
    for name, service in services.items():
        assert service.get("user") is None, name
        assert not service.get("privileged"), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert name == "postgres" or service["cap_drop"] == ["ALL"], name


def test_packages_are_installed_by_hash_only(instructions: list[tuple[str, str]]) -> None:
    text = "\n".join(_arguments(instructions, "RUN"))
    for command in re.findall(r"pip install[^&]*", text):
        assert "--require-hashes" in command or "--no-index --no-deps" in command or "--no-deps --no-index" in command
    assert "--no-install-recommends salmon sra-toolkit" in text
    assert text.count("apt-get update") == text.count("rm -rf /var/lib/apt/lists/*")
    assert not re.search(r"curl|wget|\bADD\b", text)


def test_secrets_are_never_written_down(services: dict[str, Any], instructions: list[tuple[str, str]]) -> None:
    for service in services.values():
        for variable, value in service["environment"].items():
            if SECRET.search(variable) and value is not None:
                assert re.fullmatch(r"\$\{\w+(:\?[^}]*)?\}", value), variable
            for password in re.findall(r"://[^:/]+:([^@]+)@", value or ""):
                assert password.startswith("${"), variable
    for arguments in [*_arguments(instructions, "ENV"), *_arguments(instructions, "ARG")]:
        assert not SECRET.search(arguments)
    instance = (SERVER / "dagster.yaml").read_text()
    for line in instance.splitlines():
        assert not re.match(r"\s*(password|secret)\w*:(?! \{env:)", line), line


def test_secrets_do_not_get_into_the_image() -> None:
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().split()
    assert {".git", ".env", "**/.env", ".refinebio", ".venv"} <= set(ignored)
    assert (SERVER / ".gitignore").read_text().split() == [".env"]


def test_services_are_reachable_from_their_host_only(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"webserver", "api"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_every_service_tells_its_health_and_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "code-location", "webserver", "daemon", "api"}
    assert all(service["healthcheck"]["test"][0] == "CMD" for service in services.values())
    for name in ("webserver", "daemon"):
        assert set(services[name]["depends_on"]) == {"postgres", "code-location"}
    conditions = [need for service in services.values() for need in service.get("depends_on", {}).values()]
    assert all(need == {"condition": "service_healthy"} for need in conditions)


def test_the_instance_gets_every_variable_it_asks_for(services: dict[str, Any]) -> None:
    wanted = _environment_names(yaml.safe_load((SERVER / "dagster.yaml").read_text()))
    assert wanted >= {"DAGSTER_POSTGRES_PASSWORD", "DAGSTER_COMPUTE_LOG_BUCKET"}
    for name in ("code-location", "webserver", "daemon", "api"):
        assert wanted <= set(services[name]["environment"])


def test_variables_of_ours_are_settings_we_have(services: dict[str, Any]) -> None:
    ours = {name for name in services["api"]["environment"] if name.startswith("REFINEBIO_")}
    fields = {f"REFINEBIO_{name.upper()}" for name in Settings.model_fields}
    assert ours <= fields


def test_the_daemon_and_the_webserver_ask_the_code_location_where_it_listens(services: dict[str, Any]) -> None:
    (location,) = yaml.safe_load((SERVER / "workspace.yaml").read_text())["load_from"]
    server = location["grpc_server"]
    command = services["code-location"]["command"]
    assert server["host"] in services
    assert command[command.index("--port") + 1] == str(server["port"])
    assert command[command.index("--module-name") + 1] == "refinebio_assets.definitions"


def test_the_commands_of_the_services_exist_with_their_options(services: dict[str, Any]) -> None:
    for service in services.values():
        words = service.get("command", [])
        options = [word for word in words if word.startswith("--")]
        if options:
            program = Path(sys.executable).with_name(words[0])
            subcommands = list(
                itertools.takewhile(lambda word: word in {"code-server", "start", "run", "serve"}, words[1:])
            )
            shown = subprocess.run(
                [program, *subcommands, "--help"], capture_output=True, text=True, check=True, timeout=60
            ).stdout
            assert not [option for option in options if not re.search(rf"{option}\b", shown)]


def test_every_value_asked_of_the_operator_is_explained() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (SERVER / "compose.yaml").read_text()))
    guide = (SERVER / "README.md").read_text()
    assert asked
    assert not [name for name in asked if f"`{name}`" not in guide]


def test_what_the_image_copies_is_there(instructions: list[tuple[str, str]]) -> None:
    for arguments in _arguments(instructions, "COPY"):
        if not arguments.startswith("--from"):
            assert all((ROOT / source).exists() for source in arguments.split()[:-1]), arguments
