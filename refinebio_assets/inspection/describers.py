"""The seam between telling kinds apart and describing them: what a describer is and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.report import Description, Report
from refinebio_assets.survey.registry import PlatformRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class SraArchiveFacts:
    """What the SRA toolkit says of an ``.sra`` file."""

    spots: int
    reads_per_spot: int
    bases: int


AskToolkit = Callable[[Path], SraArchiveFacts | None]
"""Asks the SRA toolkit about a file; None when it is not installed."""


InspectContent = Callable[[Content, "Setting"], Report]


@dataclass(kw_only=True)
class Setting:
    """What describers may use beside the file itself.

    Attributes:
        given: All files of the same call: parts of one document are joined.
        inspect_content: Describes content within the file, such as a recorded answer.
        ask_toolkit: Asks the SRA toolkit; by default nothing is asked.
        depth: How many files this one is within (a recorded answer is in its recording).
    """

    inspect_content: InspectContent
    given: tuple[Path, ...] = ()
    ask_toolkit: AskToolkit = field(default=lambda _: None)
    depth: int = 0

    @cached_property
    def registry(self) -> PlatformRegistry:
        """The supported platforms, read once."""
        return PlatformRegistry.load()

    def siblings(self, path: Path | None) -> list[Path]:
        """Files that may be parts of the same document: those given, then those in the same folder."""
        beside = sorted(each for each in path.parent.iterdir() if each.is_file()) if path is not None else []
        return [each for each in dict.fromkeys((*self.given, *beside)) if each != path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """A describer's claim to a file, from its first bytes: the kind, how sure, and why."""

    kind: str
    confidence: float
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Describer:
    """One kind of file (or a few that share a reader).

    Attributes:
        recognise: Looks at the beginning of a file; None if it is none of this kind. It must not read further.
        describe: Reads the file; ``Recognition`` is what ``recognise`` answered.
    """

    recognise: Callable[[Content], Recognition | None]
    describe: Callable[[Content, Recognition, Setting], Description]


def first_recognition(describers: Iterable[Describer], content: Content) -> tuple[Describer, Recognition] | None:
    """The first describer that knows the content, most specific first."""
    for describer in describers:
        recognition = describer.recognise(content)
        if recognition is not None:
            return describer, recognition
    return None


def begin(recognition: Recognition) -> Description:
    """An empty description of the recognised kind."""
    return Description(kind=recognition.kind, confidence=recognition.confidence, evidence=[recognition.evidence])
