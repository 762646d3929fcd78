"""The files of a QN target: written once under a version, read back and checked.

``qn_targets/{ORGANISM}/{version}/{ORGANISM}_target.tsv`` has one number per line, ascending, no header;
``{ORGANISM}_target.json`` says what it is made of; ``{ORGANISM}_sums.npz`` lets later samples be added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from refinebio_assets.compendia.qn_target import METHOD_VERSION, BuiltTarget, TargetSums
from refinebio_assets.compendia.qn_target_inputs_run import TargetInputs
from refinebio_assets.compendia.qn_target_samples import TargetChoice
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from refinebio_assets.domain.vocabulary import ComputedFileKind
from resources.catalog import FileToRecord, QnTargetInfo
from resources.object_store import ObjectStore

FOLDER = "qn_targets"
FORMAT = "refinebio-qn-target-1"

Target = NDArray[np.float64]


def load_target(info: QnTargetInfo, store: ObjectStore) -> Target:
    """A recorded target.

    Raises:
        MalformedFileError: Its file is missing or not what was stored.
    """
    remedy = f"Make the target anew: refinebio qn-target --organism {info.organism}"
    try:
        content = store.get_bytes(info.key)
    except NotFoundError as error:
        message = f"The QN target of {info.organism} is not in the object store."
        raise MalformedFileError(message, path=info.key, remedy=remedy) from error
    if hashlib.sha256(content).hexdigest() != info.sha256:
        message = f"The stored QN target of {info.organism} is damaged."
        raise MalformedFileError(message, path=info.key, remedy=remedy)
    return np.array([float(line) for line in content.decode("ascii").split()], np.float64)


def load_sums(info: QnTargetInfo, store: ObjectStore) -> TargetSums | None:
    """The sums behind a recorded target; None if it has none.

    Raises:
        MalformedFileError: Their file is missing, not what was stored, or of another method.
    """
    for file in info.files:
        if file.kind is ComputedFileKind.QN_TARGET_STATE:
            remedy = "Make the target anew."
            try:
                content = store.get_bytes(file.key)
            except NotFoundError as error:
                message = f"The sums behind the QN target of {info.organism} are not in the object store."
                raise MalformedFileError(message, path=file.key, remedy=remedy) from error
            if hashlib.sha256(content).hexdigest() != file.sha256:
                message = f"The sums behind the QN target of {info.organism} are damaged."
                raise MalformedFileError(message, path=file.key, remedy=remedy)
            return TargetSums.loads(content, path=file.key)
    return None


def store_target(
    version: str, inputs: TargetInputs, choice: TargetChoice, built: BuiltTarget, store: ObjectStore
) -> tuple[FileToRecord, ...]:
    """Store the files of a target, the target itself first."""
    contents = {
        "target.tsv": (ComputedFileKind.QN_TARGET, target_text(built.target())),
        "target.json": (ComputedFileKind.COMPENDIUM_METADATA, _facts(version, inputs, choice, built)),
        "sums.npz": (ComputedFileKind.QN_TARGET_STATE, built.sums.dumps()),
    }
    files = []
    for name, (kind, content) in contents.items():
        filename = f"{inputs.organism}_{name}"
        stored = store.put_bytes(content, f"{FOLDER}/{inputs.organism}/{version}/{filename}")
        files.append(
            FileToRecord(
                key=stored.key,
                filename=filename,
                kind=kind,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                organism=inputs.organism,
            )
        )
    return tuple(files)


def target_text(target: Target) -> bytes:
    """One number per line, in the shortest form that reads back equal."""
    return "".join(f"{number!r}\n" for number in target.tolist()).encode("ascii")


def _facts(version: str, inputs: TargetInputs, choice: TargetChoice, built: BuiltTarget) -> bytes:
    """What the target is made of; nothing that depends on when, where or from which earlier sums it was made."""
    missing = built.missing
    facts: Mapping[str, Any] = {
        "format": FORMAT,
        "method_version": METHOD_VERSION,
        "organism": inputs.organism,
        "version": version,
        "technology": choice.technology.value,
        "platform": choice.platform,
        "scale": "log2" if choice.platform is not None else "log2(x + 1)",
        "num_samples": built.samples,
        "num_genes": len(choice.genes),
        "genes": choice.genes,
        "inputs": [
            {"experiment": experiment, "sha256": sha256, "samples": [name for name in samples if name not in missing]}
            for experiment, sha256, samples in inputs.parts()
        ],
        "genes_without_value": missing,
    }
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
