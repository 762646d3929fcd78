"""How the values of assets are stored: one IO manager per kind of value, all on the object store."""

from __future__ import annotations

from io_managers.array_expression import ArrayExpressionIOManager
from io_managers.base import ALREADY_STORED, NoValueIOManager
from io_managers.compendium import CompendiumIOManager
from io_managers.expression import ExpressionIOManager
from io_managers.qn_target import QnTargetIOManager
from io_managers.quant_files import QuantFilesIOManager
from io_managers.source_metadata import SourceMetadataIOManager
from io_managers.transcriptome_index import TranscriptomeIndexIOManager
from resources.transcriptome_index_files import TranscriptomeIndexFiles

__all__ = [
    "ALREADY_STORED",
    "ArrayExpressionIOManager",
    "CompendiumIOManager",
    "ExpressionIOManager",
    "NoValueIOManager",
    "QnTargetIOManager",
    "QuantFilesIOManager",
    "SourceMetadataIOManager",
    "TranscriptomeIndexFiles",
    "TranscriptomeIndexIOManager",
]
