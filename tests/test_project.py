"""The project as a whole: its rooms, its size, its texts, its locks and its scripts."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from refinebio_assets.domain import errors

PROJECT = Path(__file__).parents[1]
ROOMS = [
    "refinebio_assets", "resources", "io_managers", "sensors", "graphql_api", "deploy", "examples", "tests",
    "benchmarks", "docs", "scripts", ".ci",
]  # fmt: skip
TOP_LEVEL_FILES = [
    "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "workspace.yaml", "requirements.lock",
    "requirements-dev.lock", "requirements-setup.lock", ".pre-commit-config.yaml", "docs/README.md", "docs/errors.md",
    "docs/command_line.md",
]  # fmt: skip
LONGEST_MODULE = 450
LONGEST_FUNCTION = 70
NOT_OURS = {"__pycache__", "build", "dist", "static"}
OUR_TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".c", ".pyi", ".lock", ".cfg", ".graphql", ""}


def our_files() -> Iterator[Path]:
    """Every file of the project that people write, without what tools leave."""
    for folder, folders, names in os.walk(PROJECT):
        ours = [name for name in folders if name not in NOT_OURS and not name.endswith(".egg-info")]
        folders[:] = [name for name in ours if name == ".ci" or not name.startswith(".")]
        yield from (Path(folder, name) for name in names)


def texts() -> list[Path]:
    """Files with words of ours in them: no data, no pictures."""
    ours = [path for path in our_files() if path.suffix in OUR_TEXTS and path.stat().st_size < 2_000_000]
    return [path for path in ours if "data" not in path.relative_to(PROJECT).parts and "studies" not in path.parts]


def modules() -> list[Path]:
    """Python modules of the product."""
    ours = [path for path in texts() if path.suffix == ".py" and path.relative_to(PROJECT).parts[0] != "tests"]
    return [path for path in ours if path.parent.name != "versions"]  # migrations are written by Alembic


def named(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("name", ROOMS)
def test_every_room_is_there_and_lived_in(name):
    assert any((PROJECT / name).iterdir())


@pytest.mark.parametrize("name", TOP_LEVEL_FILES)
def test_every_page_one_expects_is_there(name):
    assert (PROJECT / name).stat().st_size > 0


def test_modules_and_functions_stay_short():
    too_long = []
    for path in modules():
        source = path.read_text()
        if (lines := source.count("\n")) > LONGEST_MODULE:
            too_long.append(f"{named(path)}: {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    too_long.append(f"{named(path)}:{node.lineno}: {node.name} has {lines} lines")
    assert too_long == []


# Written with brackets, so that this file does not hold what it looks for.
UNWANTED = {
    "a path of one machine": r"/[w]ork/|/[r]oot/|/[h]ome/\w+/|/[U]sers/|/[o]pt/wheels",
    "a package index or mirror": r"pypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|archive[.]ubuntu[.]com",
    "something left undone": r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b",
    "a test that does not run": r"pytest[.]skip[(]|mark[.]skip|x[f]ail|import[o]rskip",
    "a conflict mark": r"^(?:<{7}|>{7}) ",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_no_file_holds(what):
    pattern = re.compile(UNWANTED[what], re.MULTILINE)
    found = []
    for path in texts():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if pattern.search(line):
                found.append(f"{named(path)}:{number}: {line.strip()[:100]}")
    assert found == []


def error_classes() -> list[type[errors.RefinebioError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


def sections_of(page: Path) -> dict[str, str]:
    """Heading of the second level -> its text."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_error_code_is_explained_and_nothing_else_is():
    sections = sections_of(PROJECT / "docs/errors.md")

    assert set(sections) == {kind.code for kind in error_classes()} | {"bad_usage"}
    for code, text in sections.items():
        for question in ("**What happened.**", "**Why.**", "**What to do.**"):
            assert question in text, f"{code} does not answer: {question}"


def test_no_two_errors_share_a_code():
    codes = [kind.code for kind in error_classes()]
    assert sorted(codes) == sorted(set(codes))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [path for path in texts() if path.suffix == ".md"], ids=named)
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


def test_the_two_commands_of_the_readme_come_first_and_can_be_run():
    blocks = re.findall(r"```bash\n(.*?)```", (PROJECT / "README.md").read_text(), flags=re.DOTALL)
    commands = [line.split("#")[0].split()[0] for line in blocks[0].splitlines() if line]

    assert commands == ["./scripts/demo", "./scripts/test"]
    for command in commands:
        assert os.access(PROJECT / command, os.X_OK)


@pytest.mark.parametrize("script", sorted([*(PROJECT / "scripts").iterdir(), PROJECT / ".ci/run"]), ids=named)
def test_scripts_are_executable_and_parse(script):
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=True).stderr == ""


def test_ci_runs_what_people_run():
    lines = [line for line in (PROJECT / ".ci/run").read_text().splitlines() if not line.startswith("#")]
    assert lines == ['exec "$(dirname "${BASH_SOURCE[0]}")/../scripts/test"']


def test_set_up_refuses_unknown_arguments():
    done = subprocess.run([PROJECT / "scripts/setup", "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--nonsense" in done.stderr


@pytest.fixture
def machine_without_tools(tmp_path) -> Path:
    """A copy of the set-up on a PATH with Python and the basic commands only, for a user who is not root."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in (
        "bash",
        "env",
        "dirname",
        "mkdir",
        "cat",
        "sha256sum",
        "cut",
        "sort",
        "grep",
        "sed",
        "head",
        "tail",
        "stat",
        "flock",
    ):
        (programs / name).symlink_to(shutil.which(name) or "")
    (programs / "python3.11").symlink_to(Path(sys.executable).resolve())
    (programs / "id").write_text("#!/bin/sh\necho 1000\n")
    (programs / "id").chmod(0o755)
    (tmp_path / "project/scripts").mkdir(parents=True)
    shutil.copy(PROJECT / "scripts/setup", tmp_path / "project/scripts/setup")
    return tmp_path


def set_up(machine: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", machine / "project/scripts/setup"],
        env={"PATH": str(machine / "bin")}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_set_up_without_root_and_sudo_says_what_to_ask_for_and_changes_nothing(machine_without_tools):
    (machine_without_tools / "bin/apt-get").symlink_to("/bin/true")

    done = set_up(machine_without_tools)

    assert done.returncode == 1
    assert "apt-get install --no-install-recommends gcc libc6-dev" in done.stderr
    assert "salmon sra-toolkit" in done.stderr
    assert "conda install" in done.stderr
    assert not (machine_without_tools / "project/.venv").exists()


def test_set_up_on_a_system_without_apt_names_conda_and_brew(machine_without_tools):
    done = set_up(machine_without_tools)

    assert done.returncode == 1
    assert "there is no apt-get" in done.stderr
    assert "brew install salmon" in done.stderr


def locked(name: str) -> dict[str, str]:
    """Package -> version of a lock file."""
    lines = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", (PROJECT / name).read_text(), flags=re.MULTILINE)
    return {canonicalize_name(package): version for package, version in lines}


def declared() -> dict[str, list[Requirement]]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    lists = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": [*project["project"]["dependencies"], *extras["dev"], *extras["r"]],
        "requirements-setup.lock": project["dependency-groups"]["setup"],
    }
    return {name: [Requirement(line) for line in requirements] for name, requirements in lists.items()}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-setup.lock"])
def test_locks_hold_what_is_declared_with_hashes(name):
    text, versions = (PROJECT / name).read_text(), locked(name)

    for requirement in declared()[name]:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement
    assert "://" not in text
    assert len(re.findall(r"^[\w.-]+.*==.* \\\n    --hash=sha256:", text, flags=re.MULTILINE)) == len(versions)


def test_what_is_tested_is_what_runs():
    tested = locked("requirements-dev.lock")
    assert {name: tested.get(name) for name in locked("requirements.lock")} == locked("requirements.lock")
