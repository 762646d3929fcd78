"""Files that are there whole or not at all, also after the power failed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.imputation import ImputationState, LowRankModel

_DATE = (1980, 1, 1, 0, 0, 0)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file; whoever reads it finds the old content or the new one."""
    temporary = path.with_name(f"{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that new names in a folder outlive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as ``.npz``, uncompressed; the same arrays give the same bytes."""
    temporary = path.with_name(f"{path.name}.part")
    with temporary.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy", _DATE), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array, order="C"), (1, 0), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def save_state(path: Path, state: ImputationState, identity: str) -> None:
    """Keep where an imputation is."""
    save_arrays(
        path,
        {
            "identity": np.array(identity),
            "iteration": np.array(state.iteration),
            "converged": np.array(state.converged),
            "passes": np.array(state.passes),
            "changes": np.array(state.changes, np.float64),
            "basis": state.basis,
            "current_scores": state.current.scores,
            "current_axes": state.current.axes,
            "previous_scores": state.previous.scores,
            "previous_axes": state.previous.axes,
        },
    )


def saved_state(path: Path, identity: str) -> ImputationState | None:
    """Where an imputation was, if the file is of the same one."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        if str(stored["identity"]) != identity:
            return None
        return ImputationState(
            iteration=int(stored["iteration"]),
            current=LowRankModel(stored["current_scores"], stored["current_axes"]),
            previous=LowRankModel(stored["previous_scores"], stored["previous_axes"]),
            basis=stored["basis"],
            changes=stored["changes"].tolist(),
            converged=bool(stored["converged"]),
            passes=int(stored["passes"]),
        )
