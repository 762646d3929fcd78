"""Which sample a column belongs to: by accession, title or description, with what decided it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import Source, path_of
from refinebio_assets.microarray.table_text import read_lines, split_line

_NOT_WORD = re.compile(r"[\W_]+")
_LONGEST = 1000
_SIGNAL_WORDS = re.compile(r"(?:[.\s_-]*(?:avg|average|raw)?[.\s_-]*(?:signals?|value|intensity))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SampleHint:
    """A sample as its archive names it.

    Attributes:
        accession: ``GSM674408``.
        title: Its title.
        description: Lines of its description, names of its files, and whatever else may name its column.
    """

    accession: str
    title: str = ""
    description: tuple[str, ...] = ()


class MatchedBy(StrEnum):
    """What told whose column it is."""

    ACCESSION = "accession"
    TITLE = "title"
    DESCRIPTION = "description"
    PART_OF_TITLE = "part_of_title"
    ORDER = "order"
    AMBIGUOUS = "ambiguous"
    """Several samples, or several columns of one sample."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMatch:
    """Whose a column is.

    Attributes:
        column: Its name.
        accession: Of the sample; empty if it is not known.
        by: What told so.
        candidates: Accessions that it may be, if several.
    """

    column: str
    accession: str = ""
    by: MatchedBy = MatchedBy.NONE
    candidates: tuple[str, ...] = ()


_Texts = Callable[[SampleHint], Sequence[str]]


def _accession(hint: SampleHint) -> Sequence[str]:
    return (hint.accession,)


def _title(hint: SampleHint) -> Sequence[str]:
    return (hint.title,)


def _description(hint: SampleHint) -> Sequence[str]:
    return hint.description


_EXACT = ((MatchedBy.ACCESSION, _accession), (MatchedBy.TITLE, _title), (MatchedBy.DESCRIPTION, _description))


def match_samples(names: Sequence[str], hints: Sequence[SampleHint]) -> list[SampleMatch]:
    """Whose columns these are.

    First by accession, title and description as they are written; then without regard to case, blanks and punctuation;
    then by a name that begins or ends a title or a line of the description (``X_S1`` and ``S1``). What matches several
    samples is ambiguous, and so is what several columns claim: neither is given to anyone.

    Args:
        names: Of the columns.
        hints: The samples.
    """
    left = list(hints)
    found: dict[int, SampleMatch] = {}
    for spell in (_as_written, _letters):
        for by, texts in _EXACT:
            _claim(
                names,
                left,
                found,
                by,
                lambda name, hint, spell=spell, texts=texts: (
                    spell(name)
                    in {  # type: ignore[misc]  # bound at once
                        spell(text) for text in texts(hint) if text
                    }
                ),
            )
    _claim(names, left, found, MatchedBy.PART_OF_TITLE, _ends_title)
    return [found.get(at, SampleMatch(column=name)) for at, name in enumerate(names)]


def match_single(name: str, hints: Sequence[SampleHint]) -> SampleMatch:
    """The same for a table of one sample: if there is one hint only, it is that, whatever the column is called."""
    match = match_samples([name], hints)[0]
    if match.accession or len(hints) != 1:
        return match
    return SampleMatch(column=name, accession=hints[0].accession, by=MatchedBy.ORDER)


def _claim(
    names: Sequence[str],
    left: list[SampleHint],
    found: dict[int, SampleMatch],
    by: MatchedBy,
    fits: Callable[[str, SampleHint], bool],
) -> None:
    """Give columns that have no sample yet those that fit; what is given is no longer left for others."""
    claims = {
        at: [hint for hint in left if fits(name, hint)]
        for at, name in enumerate(names)
        if name and not (at in found and found[at].accession)
    }
    claimed = [hint.accession for hits in claims.values() if len(hits) == 1 for hint in hits]
    for at, hits in claims.items():
        if not hits:
            continue
        if len(hits) == 1 and claimed.count(hits[0].accession) == 1:
            found[at] = SampleMatch(column=names[at], accession=hits[0].accession, by=by)
        elif at not in found:
            candidates = tuple(hint.accession for hint in hits)
            found[at] = SampleMatch(column=names[at], by=MatchedBy.AMBIGUOUS, candidates=candidates)
    given = {match.accession for match in found.values() if match.accession}
    left[:] = [hint for hint in left if hint.accession not in given]


def _as_written(text: str) -> str:
    return text.strip()


def _letters(text: str) -> str:
    """Without case, blanks and punctuation; signs that tell samples apart stay."""
    text = text.strip()[:_LONGEST]
    bare = _SIGNAL_WORDS.sub("", text) or text
    bare = re.sub(r"\+", "plus", re.sub(r"-(?=$|[\s.,;/)])", "minus", bare))
    return _NOT_WORD.sub("", bare).casefold()


def _ends_title(name: str, hint: SampleHint) -> bool:
    short = name.strip().casefold()
    texts = [text.strip().casefold() for text in (hint.title, *hint.description) if text.strip()]
    if len(short) < 2:
        return False
    return any(_ends(text, short) or _ends(short, text) for text in texts)


def _ends(whole: str, part: str) -> bool:
    """``part`` stands at the end of ``whole``, or at its beginning, behind something that is no letter or digit."""
    if not part or len(part) >= len(whole):
        return False
    if whole.endswith(part):
        return not whole[-len(part) - 1].isalnum()
    return whole.startswith(part) and not whole[len(part)].isalnum()


def read_sample_hints(source: Source) -> tuple[SampleHint, ...]:
    """Read a list of samples: text with a header, a column ``accession`` and perhaps ``title``; others describe.

    Raises:
        InputError: There is no such file.
        MalformedFileError: The header names no accession, or an accession is missing or there twice.
    """
    path = path_of(source)
    lines = read_lines(source).lines
    delimiter = max(("\t", ",", ";"), key=lines[0].count)
    header = [cell.lower() for cell in split_line(lines[0], delimiter)]
    if "accession" not in header:
        message = "The header names no column 'accession'."
        raise MalformedFileError(message, path=path, line=1, remedy="Give columns accession, title, description.")
    found: dict[str, SampleHint] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = dict(zip(header, split_line(line, delimiter), strict=False))
        accession, title = cells.pop("accession", ""), cells.pop("title", "")
        if not accession or accession in found:
            message = f"The accession {accession!r} is there twice." if accession else "The line has no accession."
            raise MalformedFileError(message, path=path, line=number, remedy="Give each sample one line.")
        found[accession] = SampleHint(accession, title, tuple(text for text in cells.values() if text))
    return tuple(found.values())
