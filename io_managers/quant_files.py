"""Which quant files an experiment has: a JSON manifest; the files themselves are stored sample by sample."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

import dagster as dg
import orjson

from io_managers.base import PartitionedIOManager, key_segment, stored_metadata, table
from refinebio_assets.domain.errors import InputError, ObjectStoreError
from refinebio_assets.domain.records import QuantFileRecord, QuantFiles

ASSET = "quant_files"
PREVIEW_ROWS = 100


class QuantFilesIOManager(PartitionedIOManager):
    """:class:`QuantFiles` <-> ``quant_files/{EXPERIMENT}/manifest.json``, samples sorted by accession."""

    def save(self, partition_key: str, value: QuantFiles) -> dict[str, dg.MetadataValue[Any]]:
        """See :meth:`PartitionedIOManager.save`."""
        stored = self._store.put_bytes(_to_bytes(partition_key, value), _key(partition_key))
        return stored_metadata(self._store, stored) | {
            "quant_files": dg.MetadataValue.int(len(value.files)),
            "quant_file_bytes": dg.MetadataValue.int(sum(file.size_bytes for file in value.files)),
            "preview": _preview(value),
        }

    def load(self, partition_key: str) -> QuantFiles:
        """See :meth:`PartitionedIOManager.load`."""
        key = _key(partition_key)
        return _from_bytes(key, self._read(key, asset=ASSET, partition_key=partition_key))


def _key(partition_key: str) -> str:
    return f"{ASSET}/{key_segment(partition_key)}/manifest.json"


def _to_bytes(partition_key: str, value: QuantFiles) -> bytes:
    if value.experiment != partition_key:
        message = f"The quant files of {value.experiment} cannot be stored as those of {partition_key}."
        raise InputError(message)
    repeated = [sample for sample, times in Counter(file.sample for file in value.files).items() if times > 1]
    if repeated:
        message = f"{partition_key} has more than one quant file of {', '.join(sorted(repeated))}."
        raise InputError(message)
    manifest = {
        "experiment": value.experiment,
        "organism": value.organism,
        "files": [_checked(asdict(file)) for file in sorted(value.files, key=lambda file: file.sample)],
    }
    return orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    percent = row["percent_mapped"]
    if percent is not None and not math.isfinite(percent):
        message = f"The mapping rate of {row['sample']} is {percent}, not a number."
        raise InputError(message)
    return row


def _from_bytes(key: str, data: bytes) -> QuantFiles:
    try:
        manifest = orjson.loads(data)
        files = tuple(QuantFileRecord(**row) for row in manifest["files"])
        return QuantFiles(experiment=manifest["experiment"], organism=manifest["organism"], files=files)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        message = f"{key} is damaged: {error}."
        raise ObjectStoreError(message, remedy="Materialise quant_files of the experiment again.") from error


def _preview(value: QuantFiles) -> dg.MetadataValue[Any]:
    return table(
        (asdict(file) for file in sorted(value.files, key=lambda file: file.sample)[:PREVIEW_ROWS]),
        sample="string",
        num_processed="int",
        num_mapped="int",
        percent_mapped="float",
        library_type="string",
        index_length="string",
        size_bytes="int",
    )
