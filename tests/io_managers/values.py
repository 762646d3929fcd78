"""Small values of every kind that is stored, and what makes one differ from another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd

from io_managers import (
    ExpressionIOManager,
    QuantFilesIOManager,
    SourceMetadataIOManager,
    TranscriptomeIndexFiles,
    TranscriptomeIndexIOManager,
)
from refinebio_assets.domain.records import QuantFileRecord, QuantFiles
from resources.dagster_adapters import ObjectStoreResource

LAYERS = ("counts", "abundance", "length", "lengthScaledTPM", "scaledTPM")


def payload(experiment: str, *, runs: int = 2) -> dict[str, Any]:
    return {
        "source": "SRA",
        "accession": experiment,
        "read_run": [
            {"run_accession": f"SRR{number}", "read_count": "1000", "title": "größe"} for number in range(runs)
        ],
        "biosamples": {"SAMN1": {"characteristics": {"sex": [{"text": "female"}]}}},
        "publication": None,
    }


def quant_files(experiment: str, *, samples: int = 3) -> QuantFiles:
    files = tuple(
        QuantFileRecord(
            sample=f"SRR{number}",
            key=f"quant_files/{experiment}/SRR{number}/quant.sf.gz",
            sha256=f"{number:064x}",
            size_bytes=1000 + number,
            fingerprint=f"f{number}",
            num_processed=1000,
            num_mapped=900,
            percent_mapped=90.0,
            library_type="ISR",
            index_length="short",
        )
        for number in range(samples)
    )
    return QuantFiles(experiment=experiment, organism="DANIO_RERIO", files=files)


def index_files(directory: Path, *, sha256: str = "a" * 64, content: bytes = b"positions") -> TranscriptomeIndexFiles:
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "pos.bin": content,
        "genes_to_transcripts.tsv": b"ENSG1\tENST1\n",
        "info.json": b"{}",
        "logs/a.log": b"built",
    }
    for name, data in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(data)
    (directory / "index.json").write_text("replaced by the store")
    return TranscriptomeIndexFiles(directory, {"sha256": sha256, "organism": "DANIO_RERIO", "kmer": 23, "num_genes": 1})


def expression(*, samples: int = 3, genes: int = 7, seed: int = 0) -> anndata.AnnData:
    values = np.random.default_rng(seed).lognormal(3, 2, (samples, genes)).astype(np.float32)
    obs = pd.DataFrame(
        {
            "title": [f"sample {number}" for number in range(samples)],
            "sex": [None, *["female"] * (samples - 1)],
            "mapped": np.linspace(50, 90, samples),
            "early": [True] * samples,
            "nothing": [None] * samples,
        },
        index=pd.Index([f"SRR{number}" for number in range(samples)], name="sample"),
    )
    var = pd.DataFrame({"version": [str(number % 3) for number in range(genes)]})
    var.index = pd.Index([f"ENSDARG{number:011}" for number in range(genes)], name="gene")
    layers = {name: values * factor for factor, name in enumerate(LAYERS, start=1)}
    uns = {"counts_from_abundance": "lengthScaledTPM", "provenance": {"salmon": "1.10.1", "inputs": ["b", "a"]}}
    return anndata.AnnData(X=values, obs=obs, var=var, layers=layers, uns=uns)


def managers(object_store: ObjectStoreResource, cache_dir: Path) -> dict[str, Any]:
    return {
        "source_metadata": SourceMetadataIOManager(object_store=object_store),
        "quant_files": QuantFilesIOManager(object_store=object_store),
        "transcriptome_index": TranscriptomeIndexIOManager(object_store=object_store, cache_dir=str(cache_dir)),
        "rna_seq_expression": ExpressionIOManager(object_store=object_store),
    }
