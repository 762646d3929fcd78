"""The examples of the documentation run: each ``<!-- run -->`` block, and the output shown below it."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(r"<!-- run -->\n```bash\n(?P<commands>.*?)```(?:\n\n```text\n(?P<output>.*?)```)?", re.DOTALL)
# What a reader has in the project's folder, and the examples use.
IN_THE_PROJECT = ("examples", "tests", "scripts", ".venv")


class Example(NamedTuple):
    """Commands of a page, and the output it shows for them."""

    page: str
    line: int
    commands: str
    output: str | None


def examples() -> list[Example]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Example(str(page.relative_to(PROJECT)), line, match["commands"], match["output"]))
    return found


def as_pattern(shown: str) -> str:
    """Shown output as a regular expression: an ellipsis is anything within a line, blanks are as wide as they are."""
    lines = [r".*".join(re.escape(part.strip()) for part in line.split("…")) for line in shown.splitlines()]
    return r"\n".join(re.sub(r"(?:\\ )+", r"\\s+", line) + r"\s*" for line in lines)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder like the project's, where an example may leave what it likes."""
    for name in IN_THE_PROJECT:
        (tmp_path / name).symlink_to(PROJECT / name)
    return tmp_path


def run(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a bash of their own; what they started in the background ends with them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFINEBIO_")}
    environment["PATH"] = f"{PROJECT / '.venv/bin'}{os.pathsep}{environment['PATH']}"
    arguments = ["bash", "-euo", "pipefail", "-c", commands]
    process = subprocess.Popen(
        arguments, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=120)
    finally:
        end_group(process.pid)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # nothing was left running


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example.page}:{example.line}")
def test_an_example_runs_and_prints_what_the_page_shows(example, folder):
    done = run(example.commands, folder)

    assert done.returncode == 0, done.stdout + done.stderr
    if example.output is not None:
        assert re.search(as_pattern(example.output), done.stdout), f"shown:\n{example.output}\nprinted:\n{done.stdout}"


def test_the_index_lists_every_page():
    index = (PROJECT / "docs/README.md").read_text()
    pages = {str(page.relative_to(PROJECT / "docs")) for page in (PROJECT / "docs").rglob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([\w./]+\.md)\)", index)) - {"../examples/README.md"} == pages


def test_there_are_examples_to_run():
    assert {example.page for example in examples()} >= {"docs/command_line.md"}


def test_an_ellipsis_stands_for_anything_within_a_line():
    pattern = as_pattern("a  …  c\nd\n")

    assert re.fullmatch(pattern, "a    bbb b   c  \nd\n")
    assert not re.fullmatch(pattern, "a\nc\nd\n")
