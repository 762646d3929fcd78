"""Run by Alembic: migrates through the connection that :func:`alembic_config` carries."""

from typing import Any, Literal

from alembic import context

from resources.catalog.models import Base, UtcDateTime


def render_item(_kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """Write our own column type as the plain one, so that revisions do not depend on the models of a later day."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    render_item=render_item,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
