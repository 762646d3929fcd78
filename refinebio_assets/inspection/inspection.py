"""``inspect``: tell what a file is by its content, describe it, and never fail on any file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from refinebio_assets.domain.errors import InputError, MalformedFileError, RefinebioError
from refinebio_assets.inspection import (
    affymetrix,
    agilent,
    answers,
    bead_arrays,
    ena,
    eutils,
    geo,
    json_documents,
    mage_tab,
    ontologies,
    recordings,
    sequences,
    tables,
)
from refinebio_assets.inspection.content import Content, broken, open_content
from refinebio_assets.inspection.describers import (
    AskToolkit,
    Describer,
    Recognition,
    Setting,
    begin,
    first_recognition,
)
from refinebio_assets.inspection.report import UNKNOWN, Description, Report
from refinebio_assets.survey.geo_stream import BrokenStreamError

DESCRIBERS: tuple[Describer, ...] = (
    *answers.DESCRIBERS,
    *affymetrix.DESCRIBERS,
    *agilent.DESCRIBERS,
    *geo.DESCRIBERS,
    *ena.DESCRIBERS,
    *eutils.DESCRIBERS,
    *ontologies.DESCRIBERS,
    *recordings.DESCRIBERS,
    *json_documents.DESCRIBERS,
    *tables.QUANT_DESCRIBERS,
    *bead_arrays.DESCRIBERS,
    *mage_tab.DESCRIBERS,
    *sequences.DESCRIBERS,
    *tables.LIST_DESCRIBERS,
)
"""Asked in this order, the most specific first; describers of further kinds are added before those of any table."""

_SHOWN_BYTES = 32
_SHOWN_TEXT = 80
_CONTAINERS = ((b"PK\x03\x04", "a zip archive"), (b"\x89HDF", "an HDF5 file"), (b"PAR1", "a Parquet file"))
_TAR_MAGIC = slice(257, 262)


def inspect_files(paths: Sequence[Path], *, ask_toolkit: AskToolkit | None = None) -> Iterator[Report]:
    """One report per file, in order; each when it is asked for.

    Args:
        paths: The files. Those that are parts of one document (IDF and SDRF, sets of the SRA's XML) are joined.
        ask_toolkit: Asks the SRA toolkit about ``.sra`` files; they are only recognised if not given.
    """
    setting = new_setting(paths, ask_toolkit=ask_toolkit)
    for path in paths:
        yield inspect_file(path, setting)


def new_setting(paths: Sequence[Path] = (), *, ask_toolkit: AskToolkit | None = None) -> Setting:
    """What the describers of a call may use."""
    setting = Setting(inspect_content=inspect_content, given=tuple(paths))
    if ask_toolkit is not None:
        setting.ask_toolkit = ask_toolkit
    return setting


def inspect_file(path: Path, setting: Setting | None = None) -> Report:
    """Describe one file; whatever is wrong with it is told in the report, not raised."""
    try:
        content = open_content(path)
    except RefinebioError as error:
        return Report(file=str(path), error=error)
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or error}."
        return Report(file=str(path), error=InputError(message, path=path))
    return inspect_content(content, setting or new_setting([path]))


def inspect_content(content: Content, setting: Setting) -> Report:
    """Describe content that was looked at."""
    found = first_recognition(DESCRIBERS, content)
    if found is None:
        return Report(file=content.name, layers=content.layers, description=_unknown(content))
    describer, recognition = found
    try:
        description = describer.describe(content, recognition, setting)
    except RefinebioError as error:
        return _failed(content, recognition, error)
    except BrokenStreamError as error:
        return _failed(content, recognition, broken(content.name, error))
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or error}."
        return _failed(content, recognition, MalformedFileError(message, path=content.name))
    return Report(file=content.name, layers=content.layers, description=description)


def _failed(content: Content, recognition: Recognition, error: RefinebioError) -> Report:
    """The kind is told all the same: what the file seems to be says what to download again."""
    description = begin(recognition)
    return Report(file=content.name, layers=content.layers, description=description, error=error)


def _unknown(content: Content) -> Description:
    """A file of no kind that is known, with the evidence: first bytes, text or not, container, name."""
    description = Description(kind=UNKNOWN, confidence=0.0)
    head = content.head
    description.evidence.append(f"first bytes: {head[:_SHOWN_BYTES].hex(' ')}")
    container = next((name for magic, name in _CONTAINERS if head.startswith(magic)), None)
    if head[_TAR_MAGIC] == b"ustar":
        container = "a tar archive"
    if container is not None:
        description.evidence.append(f"{container}: give the files in it")
    elif b"\0" not in head:
        lines = content.text.splitlines() or [""]
        description.evidence.append(f"text that begins with {lines[0][:_SHOWN_TEXT]!r}")
    suffixes = "".join(Path(content.name).suffixes[-2:])
    if suffixes:
        description.evidence.append(f"the name ends in {suffixes}, which is a hint and no evidence")
    return description
