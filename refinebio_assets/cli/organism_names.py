"""Organisms as people name them, for commands whose items are organisms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refinebio_assets.runs import Session


def item_of_organism(session: Session, name: str) -> dict[str, Any]:
    """The item of the organism that is meant; with an outcome if the catalog has no sample of it.

    Raises:
        InputError: The text is no organism name.
    """
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.domain.organisms import organism_key

    try:
        organism = organism_key(name)
    except ValueError as error:
        message = f"{name!r} is no organism name."
        raise InputError(message, remedy='Give genus and species, as in --organism "Danio rerio".') from error
    if session.catalog.compendia.knows(organism):
        return {"organism": organism}
    message = f"The catalog has no sample of {name}. Process some first: refinebio ingest ACCESSION"
    return {"organism": organism, "outcome": "not_found", "message": message}
