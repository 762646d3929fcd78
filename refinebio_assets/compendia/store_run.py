"""The expression store in the object store and the catalog: parts are stored as expression is made, and opened lazily.

Values lie at ``expression_parts/{ORGANISM}/{EXPERIMENT}/{sha256}.npy``, the names of their genes once per gene space at
``expression_parts/{ORGANISM}/genes_{gene space}.txt``. What a part holds is in the catalog: no listing is ever read.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import (
    ExpressionStore,
    Part,
    PartInfo,
    genes_text,
    make_parts,
)
from refinebio_assets.compendia.unfit_samples import sample_digests, unfit_samples
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from refinebio_assets.domain.vocabulary import ComputedFileKind, Technology
from resources.catalog import Catalog, ExpressionPartInfo, FileToRecord, PartContent
from resources.object_store import ObjectStore

FOLDER = "expression_parts"
PART_KINDS = {
    Technology.RNA_SEQ: ComputedFileKind.EXPRESSION_PART,
    Technology.MICROARRAY: ComputedFileKind.ARRAY_EXPRESSION_PART,
}
"""Kinds of their own, so that one technology's parts of an experiment never take the place of the other's."""


def part_files(store: ObjectStore, parts: Iterable[tuple[PartInfo, bytes]]) -> list[FileToRecord]:
    """Store parts; those that are there already are kept.

    Args:
        store: Object store.
        parts: All of one experiment, as :func:`make_parts` gives them.

    Returns:
        What the result that made the expression records, so that the catalog knows the parts.
    """
    files = []
    for info, content in parts:
        genes = genes_key(info.organism, info.gene_space)
        if not store.exists(genes):
            store.put_bytes(genes_text(info.genes), genes)
        key = f"{FOLDER}/{info.organism}/{info.experiment}/{info.sha256}.npy"
        if not store.exists(key):
            store.put_bytes(content, key)
        files.append(
            FileToRecord(
                key=key,
                filename=key.rpartition("/")[2],
                kind=PART_KINDS[info.technology],
                size_bytes=len(content),
                sha256=info.sha256,
                experiment=info.experiment,
                organism=info.organism,
                part=PartContent(
                    technology=info.technology,
                    scale=info.scale,
                    gene_space=info.gene_space,
                    num_genes=len(info.genes),
                    samples=info.samples,
                    platforms=info.platforms,
                    digests=sample_digests(np.load(io.BytesIO(content), allow_pickle=False)),
                ),
            )
        )
    return files


def unfit_of(infos: Iterable[ExpressionPartInfo], allowed: Collection[str]) -> dict[str, str]:
    """Which of the allowed samples must not be in organism-wide artefacts, and why, by what the catalog says."""
    return unfit_samples(
        (
            info.experiment,
            info.gene_space,
            {name: one for name, one in zip(info.samples, info.digests, strict=False) if name in allowed},
        )
        for info in infos
    )


def expression_parts_of(
    values: NDArray[np.floating[Any]],
    *,
    experiment: str,
    technology: Technology,
    genes: Sequence[str],
    samples: Sequence[str],
    organisms: Sequence[str],
    platforms: Sequence[str],
) -> Iterable[tuple[PartInfo, bytes]]:
    """Parts of an experiment's matrix: apart for each organism (and array platform), with the genes that these have.

    Args:
        values: samples x genes; linear for RNA-seq, log2 for arrays.
        experiment: Accession of the experiment.
        technology: Of all samples.
        genes: Names of the columns.
        samples: Names of the rows.
        organisms: UPPER_SNAKE name for each row.
        platforms: Platform accession of each row, empty where none is known.
    """
    arrays = technology is Technology.MICROARRAY
    groups = [(one, platform if arrays else "") for one, platform in zip(organisms, platforms, strict=True)]
    for group in sorted(set(groups)):
        rows = [row for row, one in enumerate(groups) if one == group]
        of_group = values[rows]
        columns: list[int] = np.flatnonzero(~np.isnan(of_group).all(axis=0)).tolist()
        if columns:
            yield from make_parts(
                of_group[:, columns],
                experiment=experiment,
                organism=group[0],
                technology=technology,
                scale="log2" if arrays else "linear",
                genes=[genes[column] for column in columns],
                samples=[samples[row] for row in rows],
                platforms=[platforms[row] for row in rows],
            )


def open_store(
    catalog: Catalog,
    store: ObjectStore,
    organisms: Sequence[str],
    *,
    samples: Collection[str] | None = None,
    experiments: Sequence[str] | None = None,
) -> ExpressionStore:
    """The expression of organisms, read as it is needed.

    Args:
        catalog: Knows the parts.
        store: Holds them.
        organisms: UPPER_SNAKE names.
        samples: Only these, if they are named.
        experiments: Only parts of these, if they are named.

    Raises:
        MalformedFileError: The names of the genes of a part are missing or damaged.
    """
    wanted = None if samples is None else frozenset(samples)
    infos = [
        info
        for info in catalog.compendia.expression_parts(organisms, experiments=experiments)
        if wanted is None or not wanted.isdisjoint(info.samples)
    ]
    # of single experiments only their samples: an organism may have hundreds of thousands
    listed = None if experiments is None else sorted({sample for info in infos for sample in info.samples})
    owners = {one.accession: one.experiments[0] for one in catalog.compendia.samples(organisms, accessions=listed)}
    return ExpressionStore.of(open_parts(store, infos), wanted, owners=owners)


def open_parts(store: ObjectStore, infos: Sequence[ExpressionPartInfo]) -> list[Part]:
    """Parts of the object store; the genes of each gene space are read once, values only when they are asked for.

    Raises:
        MalformedFileError: The names of the genes of a part are missing or damaged.
    """
    genes: dict[tuple[str, str], tuple[str, ...]] = {}
    parts = []
    for info in infos:
        space = info.organism, info.gene_space
        if space not in genes:
            genes[space] = read_genes(store, info)
        described = PartInfo(
            experiment=info.experiment,
            organism=info.organism,
            technology=info.technology,
            scale=info.scale,
            genes=genes[space],
            samples=info.samples,
            platforms=info.platforms,
            sha256=info.sha256,
        )
        parts.append(Part(described, opener(store, info.key)))
    return parts


def read_genes(store: ObjectStore, info: ExpressionPartInfo) -> tuple[str, ...]:
    """Names of the genes of a part.

    Raises:
        MalformedFileError: Their file is missing, or does not name as many as the part has.
    """
    key = genes_key(info.organism, info.gene_space)
    remedy = f"Materialise the expression of {info.experiment} again."
    try:
        genes = tuple(store.get_bytes(key).decode().splitlines())
    except NotFoundError as error:
        message = f"The names of the genes of {info.experiment} are missing."
        raise MalformedFileError(message, path=key, remedy=remedy) from error
    if len(genes) != info.num_genes:
        message = f"{len(genes)} genes are named, but the expression of {info.experiment} has {info.num_genes}."
        raise MalformedFileError(message, path=key, remedy=remedy)
    return genes


def genes_key(organism: str, space: str) -> str:
    """Where the names of the genes of a gene space lie."""
    return f"{FOLDER}/{organism}/genes_{space}.txt"


def opener(store: ObjectStore, key: str) -> Callable[[], BinaryIO]:
    """How a part is opened: as a local file, or for reading ranges of it over the network."""
    try:
        local = store.local_path(key)
    except NotFoundError:
        local = None  # told when the part is read
    return partial(_open, local) if local is not None else cast("Callable[[], BinaryIO]", partial(store.open_file, key))


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)  # a buffer would read thousands of bytes around a gene's few
    except FileNotFoundError as error:
        message = f"The object store does not hold {path.name} any more."
        raise NotFoundError(message, remedy="Materialise the expression of its experiment again.") from error
