"""The one ``Definitions`` of the code location.

``build_defs`` assembles it; tests pass overrides for single resources. Assets live in the ``assets.py`` of their
room, sensors in ``sensors/``, IO managers in ``io_managers/``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # backfill policies and data versions: used on purpose

from io_managers import (  # noqa: E402
    ArrayExpressionIOManager,
    CompendiumIOManager,
    ExpressionIOManager,
    NoValueIOManager,
    QnTargetIOManager,
    QuantFilesIOManager,
    SourceMetadataIOManager,
    TranscriptomeIndexIOManager,
)
from refinebio_assets.compendia import assets as compendia_assets  # noqa: E402
from refinebio_assets.domain.vocabulary import CompendiumKind  # noqa: E402
from refinebio_assets.microarray import assets as microarray_assets  # noqa: E402
from refinebio_assets.rna_seq import assets as rna_seq_assets  # noqa: E402
from refinebio_assets.survey import assets as survey_assets  # noqa: E402
from resources.dagster_adapters import (  # noqa: E402
    ArchivesResource,
    CatalogResource,
    ObjectStoreResource,
    SettingsResource,
    ToolsResource,
)
from resources.settings import Settings, get_settings  # noqa: E402
from sensors.automation import build_experiment_automation  # noqa: E402
from sensors.discovery import (  # noqa: E402
    build_array_express_discovery,
    build_ena_discovery,
    build_geo_discovery,
)
from sensors.jobs import (  # noqa: E402
    build_compendium,
    build_qn_target,
    build_quantpendium,
    build_transcriptome_index,
    process_experiment,
)
from sensors.lists import build_list_files  # noqa: E402
from sensors.readiness import build_organism_readiness  # noqa: E402
from sensors.refresh import build_upstream_refresh  # noqa: E402
from sensors.retries import build_retry_sensor  # noqa: E402


def build_resources(settings: Settings) -> dict[str, Any]:
    """The resources every asset and sensor uses, under the names used everywhere."""
    catalog = CatalogResource()
    object_store = ObjectStoreResource(url=settings.store_url, endpoint_url=settings.s3_endpoint_url)
    return {
        "settings": SettingsResource(),
        "catalog": catalog,
        "archives": ArchivesResource(),
        "object_store": object_store,
        "tools": ToolsResource(),
        "no_value_io": NoValueIOManager(),
        "source_metadata_io": SourceMetadataIOManager(object_store=object_store),
        "quant_files_io": QuantFilesIOManager(object_store=object_store),
        "transcriptome_index_io": TranscriptomeIndexIOManager(
            object_store=object_store, cache_dir=str(settings.scratch / "transcriptome_index")
        ),
        "expression_io": ExpressionIOManager(object_store=object_store, scratch_dir=str(settings.scratch)),
        "array_expression_io": ArrayExpressionIOManager(object_store=object_store, scratch_dir=str(settings.scratch)),
        "qn_target_io": QnTargetIOManager(object_store=object_store, catalog=catalog),
        **{
            f"{kind.value}_io": CompendiumIOManager(
                object_store=object_store,
                catalog=catalog,
                asset=kind.value,
                cache_dir=str(settings.scratch / "compendium_copies"),
            )
            for kind in CompendiumKind
        },
    }


def build_defs(*, settings: Settings | None = None, overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assemble the code location.

    Args:
        settings: Settings; those of the environment if None.
        overrides: Resources that replace the usual ones, by name.
    """
    chosen = settings or get_settings()
    sensors = (
        build_ena_discovery,
        build_geo_discovery,
        build_array_express_discovery,
        build_list_files,
        build_experiment_automation,
        build_organism_readiness,
        build_retry_sensor,
        build_upstream_refresh,
    )
    return dg.Definitions(
        assets=dg.load_assets_from_modules([survey_assets, rna_seq_assets, microarray_assets, compendia_assets]),
        jobs=[
            process_experiment,
            build_transcriptome_index,
            build_qn_target,
            build_compendium,
            build_quantpendium,
        ],
        sensors=[build(chosen) for build in sensors],
        resources=build_resources(chosen) | dict(overrides or {}),
        # Steps of a run follow each other anyway, and samples are spread within a step: a process for every step
        # would only add its start (2-4 s).
        executor=dg.in_process_executor,
    )


defs = build_defs()
