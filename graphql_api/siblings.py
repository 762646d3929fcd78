"""Batched loading for synchronous resolvers: what one node of a list needs is loaded for the whole list.

Nodes that came out of one statement share a :class:`Siblings`. The first of them whose field is resolved loads that
field for all; the others find it there. So the number of statements depends on the fields of the document, never on
the number of rows, without a future per node.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

NodeT = TypeVar("NodeT")
LoadedT = TypeVar("LoadedT")


class Siblings(Generic[NodeT]):
    """The nodes of one list and what was loaded for them."""

    __slots__ = ("_loaded", "nodes")

    def __init__(self) -> None:
        self.nodes: list[NodeT] = []
        self._loaded: dict[Hashable, Any] = {}

    def load(self, field: Hashable, loader: Callable[[list[NodeT]], LoadedT]) -> LoadedT:
        """What ``loader`` makes of all nodes, computed once per ``field``.

        Args:
            field: Name of the field, with its arguments if it has any.
            loader: Called with all nodes of the list; mostly returns a mapping by the node's key.
        """
        if field not in self._loaded:
            self._loaded[field] = loader(self.nodes)
        loaded: LoadedT = self._loaded[field]
        return loaded
