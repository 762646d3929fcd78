"""Parts of the expression store that are compared with their sha256 before their values are used.

An experiment with a damaged part can then be left out, with the reason, and costs nobody else anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from refinebio_assets.compendia.expression_store import Part
from refinebio_assets.compendia.store_run import open_parts
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from resources.catalog import ExpressionPartInfo
from resources.object_store import ObjectStore

_CHUNK_BYTES = 1 << 20


class DamagedPartError(Exception):
    """A part of the expression store is missing or is not what was stored."""

    def __init__(self, experiment: str) -> None:
        super().__init__(damage_of(experiment))
        self.experiment = experiment


def open_checked_parts(
    store: ObjectStore, infos: Sequence[ExpressionPartInfo], verified: set[str]
) -> tuple[list[Part], dict[str, str]]:
    """Open parts.

    Args:
        store: Object store.
        infos: Which parts.
        verified: Sha256 of parts that were found to be whole; grows as parts are opened for the first time.

    Returns:
        The parts (opening one that is damaged raises :class:`DamagedPartError`), and for experiments whose genes have
        no names what is to be said of them.
    """
    spaces: dict[tuple[str, str], list[ExpressionPartInfo]] = {}
    for info in infos:
        spaces.setdefault((info.organism, info.gene_space), []).append(info)
    parts: list[Part] = []
    damaged: dict[str, str] = {}
    for (_, space), of_space in spaces.items():
        try:
            opened = open_parts(store, of_space)
        except MalformedFileError:
            opened = []
        if opened and opened[0].info.gene_space == space:
            parts += [Part(part.info, _checking(part, verified)) for part in opened]
        else:
            damaged |= {info.experiment: damage_of(info.experiment) for info in of_space}
    return parts, damaged


def damage_of(experiment: str) -> str:
    """What is said of the samples of an experiment that cannot be read."""
    return f"The stored expression of {experiment} is damaged or missing: materialise it again."


def find_damage(parts: Iterable[Part]) -> dict[str, str]:
    """Read all parts that were not verified yet: experiments with a damaged one, and what is to be said of them."""
    damaged: dict[str, str] = {}
    for part in parts:
        try:
            part.open().close()
        except DamagedPartError as error:
            damaged[error.experiment] = damage_of(error.experiment)
    return damaged


def _checking(part: Part, verified: set[str]) -> Callable[[], BinaryIO]:
    """Opens a part; the first time all of it is read and compared with its sha256."""

    def opened() -> BinaryIO:
        try:
            file = part.open()
        except (NotFoundError, FileNotFoundError) as error:
            raise DamagedPartError(part.info.experiment) from error
        if part.info.sha256 in verified:
            return file
        found = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
        if found.hexdigest() != part.info.sha256:
            file.close()
            raise DamagedPartError(part.info.experiment)
        verified.add(part.info.sha256)
        file.seek(0)
        return file

    return opened
