"""Which file belongs to which sample: by the name that was announced, or by an accession in it as a whole word.

An accession is never cut out of a longer one: ``GSM12345.CEL`` is no file of GSM1234. Nothing is guessed from titles.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_COMPRESSION = re.compile(r"(?<=.)\.(?:gz|gzip|bz2|xz|zip|z)$")
_ACCESSION = re.compile(r"(?<![a-z0-9])(?:gsm|[sed]r[rxs]|sam(?:n|ea|eg|e|d))[0-9]+(?![a-z0-9])")
"""Samples, experiments and runs of GEO and of the sequence archives, in lower case."""


class FileOutcome(StrEnum):
    """What is known about a file."""

    MATCHED = "matched"
    """It belongs to one sample."""
    SHARED = "shared"
    """Several samples announced it: a table with a column for each."""
    AMBIGUOUS = "ambiguous"
    """Its name says several samples, or another one than the sample that announced it."""
    OTHER_SAMPLE = "other_sample"
    """It names a sample that is not among those asked for."""
    UNMATCHED = "unmatched"
    """It names no sample: platform files, README, lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMatch:
    """A file and its samples.

    Attributes:
        file: As it was given.
        outcome: What is known.
        samples: The sample; several if shared; those that are in question if ambiguous; none otherwise.
        evidence: What in the name decided: the announced name, or accessions as they stand there.
    """

    file: str
    outcome: FileOutcome
    samples: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFileMatches:
    """The outcome of every file, in the order they were given, and the files of every sample (perhaps none)."""

    files: tuple[FileMatch, ...]
    by_sample: Mapping[str, tuple[str, ...]]

    def with_outcome(self, *outcomes: FileOutcome) -> tuple[FileMatch, ...]:
        """The files with these outcomes."""
        return tuple(match for match in self.files if match.outcome in outcomes)


def match_files(files: Iterable[str], announced: Mapping[str, Collection[str]]) -> SampleFileMatches:
    """Give files to samples.

    Args:
        files: File names or paths (also of members of archives, archives as folders). The name counts first; folders
            are looked at only if it says nothing.
        announced: Sample accession -> names of the raw files that its archive lists for it (perhaps none). Letter case
            and a compression suffix do not matter.

    Returns:
        One outcome for each file and an entry for each sample.
    """
    rules = _Rules(announced)
    matches = tuple(map(rules.match, files))
    by_sample: dict[str, list[str]] = {sample: [] for sample in announced}
    for match in matches:
        if match.outcome in (FileOutcome.MATCHED, FileOutcome.SHARED):
            for sample in match.samples:
                by_sample[sample].append(match.file)
    return SampleFileMatches(files=matches, by_sample={sample: tuple(found) for sample, found in by_sample.items()})


class _Rules:
    def __init__(self, announced: Mapping[str, Collection[str]]) -> None:
        self._samples = {sample.lower(): sample for sample in announced}
        self._announcers: dict[str, list[str]] = {}
        for sample, names in announced.items():
            for key in dict.fromkeys(map(_name_key, names)):
                self._announcers.setdefault(key, []).append(sample)
        # Accessions of other forms (E-MTAB-1-a): longest first, so that none is taken for the beginning of another.
        others = sorted((key for key in self._samples if not _ACCESSION.fullmatch(key)), key=len, reverse=True)
        self._others = (
            re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, others))})(?![a-z0-9])") if others else None
        )

    def match(self, file: str) -> FileMatch:
        *folders, name = file.replace("\\", "/").split("/")
        announcers = self._announcers.get(_name_key(name), [])
        named = self._named(name)
        if not named and not announcers:
            named = next(filter(None, map(self._named, reversed(folders))), ())
        own = [self._samples[key] for key in named if key in self._samples]
        evidence = ((name,) if announcers else ()) + named
        outcome = self._outcome(announcers, own, [key for key in named if key not in self._samples])
        return FileMatch(
            file=file, outcome=outcome, samples=tuple(dict.fromkeys([*announcers, *own])), evidence=evidence
        )

    def _outcome(self, announcers: list[str], own: list[str], foreign: list[str]) -> FileOutcome:
        in_question = {*announcers, *own}
        if len(announcers) > 1 and not own:
            return FileOutcome.SHARED
        if len(in_question) > 1:
            return FileOutcome.AMBIGUOUS
        if announcers:
            return FileOutcome.MATCHED  # the archive says so, whatever else the name says
        if own:
            # The accession of the BioSample beside that of the run says nothing against it, another run's does.
            another = any(_prefix(key) == _prefix(own[0].lower()) for key in foreign)
            return FileOutcome.AMBIGUOUS if another else FileOutcome.MATCHED
        return FileOutcome.OTHER_SAMPLE if foreign else FileOutcome.UNMATCHED

    def _named(self, part: str) -> tuple[str, ...]:
        """The distinct accessions in a part of a path, in lower case."""
        text = part.lower()
        found = _ACCESSION.findall(text)
        if self._others is not None:
            found += self._others.findall(text)
        return tuple(dict.fromkeys(found))


def _name_key(name: str) -> str:
    return _COMPRESSION.sub("", name.replace("\\", "/").rpartition("/")[2].strip().lower())


def _prefix(accession: str) -> str:
    return accession.rstrip("0123456789")
