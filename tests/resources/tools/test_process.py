import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refinebio_assets.domain.errors import ToolFailedError, ToolMissingError
from resources.tools.process import LAST_WORDS_BYTES, describe_status, find_program, run_tool

PROJECT = Path(__file__).parents[3]


def python(code, **options):
    return run_tool([sys.executable, "-c", code], **({"timeout_seconds": 30} | options))


def gone(pid, seconds=5.0):
    """Whether a process has ended (a zombie that nobody has waited for yet has ended too)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def pid_in(path, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text())


def test_output_of_a_finished_tool_is_handed_back(tmp_path):
    result = python(
        "import os,sys; print(os.getcwd(), os.environ['NAME']); sys.stderr.write('note')",
        cwd=tmp_path,
        env={"NAME": "x"},
    )
    assert result.stdout == f"{tmp_path.resolve()} x\n"
    assert result.stderr == "note"
    assert result.command[0] == str(find_program(sys.executable))


def test_output_goes_to_files_when_asked(tmp_path):
    out, err = tmp_path / "out", tmp_path / "err"
    result = python("import sys; print('o'); sys.stderr.write('e' * 9000)", stdout_path=out, stderr_path=err)
    assert out.read_text() == "o\n"
    assert err.stat().st_size == 9000
    assert (result.stdout, len(result.stderr)) == ("", LAST_WORDS_BYTES)


def test_a_non_zero_exit_keeps_status_and_bounded_last_words():
    with pytest.raises(ToolFailedError, match="failed with exit status 3") as caught:
        python("import sys; sys.stderr.write('x' * 100_000 + 'the reason'); sys.exit(3)")
    assert caught.value.exit_status_of_tool == 3
    assert caught.value.output.endswith("the reason")
    assert len(caught.value.output) == LAST_WORDS_BYTES


def test_last_words_are_taken_from_standard_output_if_there_are_no_others():
    with pytest.raises(ToolFailedError) as caught:
        python("print('said here'); raise SystemExit(1)")
    assert caught.value.output == "said here"


def test_a_signal_is_named():
    with pytest.raises(ToolFailedError, match="killed by SIGSEGV") as caught:
        python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert caught.value.exit_status_of_tool == -signal.SIGSEGV


@pytest.mark.parametrize(
    ("status", "words"),
    [(-9, "was killed by SIGKILL (out of memory?)"), (-64, "was killed by SIGRTMAX"), (-99, "was killed by signal 99")],
)
def test_statuses_in_words(status, words):
    assert describe_status(status) == words


def test_a_missing_program_names_its_packages():
    with pytest.raises(
        ToolMissingError, match=r"apt-get install sra-toolkit.*bioconda sra-tools.*brew install"
    ) as caught:
        run_tool(["/nowhere/fasterq-dump"], timeout_seconds=1)
    assert caught.value.code == "tool_missing"


def test_a_tool_that_takes_too_long_is_killed_with_its_children(tmp_path):
    pid_file = tmp_path / "pid"
    script = f"import subprocess as s; s.Popen(['sh', '-c', 'echo $$ > {pid_file}; exec sleep 60']).wait()"
    with pytest.raises(ToolFailedError, match=r"not done after 1\.5 seconds"):
        python(script, timeout_seconds=1.5)
    assert gone(pid_in(pid_file))


def test_an_interrupted_run_leaves_no_tool_behind(tmp_path, monkeypatch):
    pid_file = tmp_path / "pid"

    def interrupt(self, timeout=None):
        if timeout == 30:
            pid_in(pid_file)
            raise KeyboardInterrupt
        return original(self, timeout)

    original = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_tool(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"], timeout_seconds=30)
    assert gone(pid_in(pid_file))


def test_killing_us_kills_the_tool_and_what_it_started(tmp_path):
    tool, grandchild = tmp_path / "tool", tmp_path / "grandchild"
    script = f"sh -c 'echo $$ > {grandchild}; exec sleep 60' & echo $$ > {tool}; wait"
    code = f"from resources.tools.process import run_tool; run_tool(['sh', '-c', {script!r}], timeout_seconds=60)"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT)
    pids = [pid_in(tool), pid_in(grandchild)]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert all(gone(pid) for pid in pids)


def test_stragglers_of_a_finished_tool_are_ended(tmp_path):
    pid_file = tmp_path / "pid"
    run_tool(["sh", "-c", f"sh -c 'echo $$ > {pid_file}; exec sleep 60' & sleep 0.3"], timeout_seconds=30)
    assert gone(pid_in(pid_file))
