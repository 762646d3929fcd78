from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from refinebio_assets.domain import errors
from refinebio_assets.domain.errors import InputError, RefinebioError, ToolFailedError

TREE = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, RefinebioError)]


def drawn() -> dict[str, str | None]:
    """Class name -> parent, as the module's docstring draws them."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([\s│├└─]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match.group(1))
            while above and above[-1][0] >= depth:
                above.pop()
            parents[match.group(2)] = above[-1][1] if above else None
            above.append((depth, match.group(2)))
    return parents


def test_the_docstring_draws_the_tree_as_it_is():
    actual = {each.__name__: None if each is RefinebioError else each.__base__.__name__ for each in TREE}
    assert drawn() == actual


def test_codes_are_stable_words_and_unique():
    codes = [each.code for each in TREE]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(?:_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("error_class", TREE, ids=lambda each: each.__name__)
def test_every_error_says_what_happened_and_what_to_do_next(error_class: type[RefinebioError]):
    error = error_class("It broke.", remedy="Mend it.")
    assert str(error) == "It broke. Mend it."
    assert error.to_dict()["code"] == error_class.code
    assert error.to_dict()["message"] == "It broke."
    assert error.exit_status in {1, 2, 3}


def test_an_input_error_names_file_and_line():
    error = InputError("Wrong header.", path="a.sf", line=3)
    assert str(error) == f"{Path('a.sf')}:3: Wrong header."
    assert error.to_dict()["line"] == 3


def test_a_failed_tool_keeps_its_last_words():
    error = ToolFailedError("Salmon failed.", exit_status_of_tool=-9, output="killed")
    assert error.to_dict() | {"remedy": None} == {
        "code": "tool_failed",
        "message": "Salmon failed.",
        "remedy": None,
        "exit_status": -9,
        "output": "killed",
    }
