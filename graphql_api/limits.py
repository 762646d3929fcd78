"""What one operation may ask for: nesting, aliases, tokens and cost. The cost is shown in ``extensions.cost``.

The cost of an operation is the largest number of objects it can return: an object counts 1, a connection's nodes count
``first`` times, a list without ``first`` is taken for ``LIST_ESTIMATE`` objects, or as many as it was given ids or
accessions. Plain values are free, but for expression: each of the ``genes`` counts 1 in each of the ``first`` samples.
Fragments are measured once however often they are spread, so measuring takes time proportional to the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from graphql.utilities import value_from_ast_untyped
from graphql.validation import MaxIntrospectionDepthRule
from strawberry.extensions import SchemaExtension

from graphql_api.errors import TooComplexError, graphql_error
from refinebio_assets.domain.errors import InputError, RefinebioError

MAX_DEPTH = 12
MAX_ALIASES = 15
MAX_TOKENS = 2_000
MAX_COST = 50_000
DEFAULT_PAGE = 20
MAX_PAGE = 100
MAX_PAGE_OF = {"geneExpression": 1_000}
"""Fields whose pages may be larger."""
MAX_GENES = 100
"""Genes in one slice of expression."""
LIST_ESTIMATE = 5
MAX_ACCESSIONS = 10_000
"""Accessions or ids in one argument."""


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    """The operations of a document."""
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


class _Shape:
    """Depth and number of aliases of selections, each fragment measured once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, tuple[int, int]] = {}

    def of(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        depth = aliases = 0
        for selection in selections.selections if selections else ():
            if isinstance(selection, FragmentSpreadNode):
                inner_depth, inner_aliases = self._of_fragment(selection.name.value)
            elif isinstance(selection, FieldNode):
                inner_depth, inner_aliases = self._of_field(selection)
            else:
                inner_depth, inner_aliases = self.of(getattr(selection, "selection_set", None))
            depth, aliases = max(depth, inner_depth), aliases + inner_aliases
        return depth, aliases

    def _of_field(self, field: FieldNode) -> tuple[int, int]:
        # introspection is nested by nature and has a rule of its own
        inside = (0, 0) if field.name.value.startswith("__") else self.of(field.selection_set)
        return inside[0] + 1, inside[1] + (field.alias is not None)

    def _of_fragment(self, name: str) -> tuple[int, int]:
        if name not in self._measured:
            self._measured[name] = (0, 0)  # a fragment inside itself is refused by another rule
            fragment = self._fragments.get(name)
            self._measured[name] = self.of(fragment.selection_set if fragment else None)
        return self._measured[name]


class DocumentShapeRule(ASTValidationRule):
    """Refuses documents that nest too deeply or have too many aliases."""

    context: ValidationContext

    def enter_document(self, node: DocumentNode, *_: Any) -> None:
        """Measure every operation."""
        shape = _Shape(_fragments(node))
        for operation in operations(node):
            depth, aliases = shape.of(operation.selection_set)
            self._check("levels of nesting", depth, MAX_DEPTH)
            self._check("aliases", aliases, MAX_ALIASES)

    def _check(self, what: str, found: int, allowed: int) -> None:
        if found > allowed:
            message = f"The operation has {found} {what}; {allowed} are allowed."
            self.report_error(graphql_error(TooComplexError(message)))


# Built once: rule classes made per request would never hit the validation cache.
VALIDATION_RULES: tuple[type[ASTValidationRule], ...] = (DocumentShapeRule, MaxIntrospectionDepthRule)


class ShapeLimit(SchemaExtension):
    """Adds the token limit and the validation rules to every operation."""

    def on_operation(self) -> Iterator[None]:
        """Set the limits before parsing."""
        context = self.execution_context
        context.parse_options["max_tokens"] = MAX_TOKENS
        context.validation_rules = (*context.validation_rules, *VALIDATION_RULES)
        yield


class CostLimit(SchemaExtension):
    """Refuses operations that can return too many objects, and shows the cost of the others."""

    cost: int | None = None

    def on_execute(self) -> Iterator[None]:
        """Compute the cost with the operation's variables; an answer given here replaces the execution."""
        context = self.execution_context
        document = context.graphql_document
        if document is not None:
            schema: GraphQLSchema = context.schema._schema  # noqa: SLF001  Strawberry has no public name
            self.cost = operation_cost(schema, document, context.operation_name, context.variables or {})
            refusal = self._refusal(len(operations(document)))
            if refusal is not None:
                context.result = ExecutionResult(data=None, errors=[graphql_error(refusal)])
        yield

    def _refusal(self, num_operations: int) -> RefinebioError | None:
        if num_operations > 1 and self.execution_context.context.operation_name is None:
            # Strawberry would execute the first; the specification wants an error
            return InputError("The document has several operations.", remedy="Name one of them in `operationName`.")
        if self.cost is not None and self.cost > MAX_COST:
            message = f"The operation can return {self.cost} objects; {MAX_COST} are allowed."
            return TooComplexError(message, remedy="Ask for fewer rows with `first` and follow the pages.")
        return None

    def get_results(self) -> dict[str, Any]:
        """``extensions.cost`` of the answer."""
        return {} if self.cost is None else {"cost": {"requested": self.cost, "allowed": MAX_COST}}


def operation_cost(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any]
) -> int:
    """Largest number of objects the operation can return. The document is valid for the schema."""
    chosen = [node for node in operations(document) if operation_name in (None, node.name.value if node.name else None)]
    cost = 0
    for operation in chosen[:1]:
        root = schema.get_root_type(operation.operation)
        defaults = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in operation.variable_definitions or ()
            if definition.default_value is not None
        }
        if root is not None:
            meter = _Cost(schema, _fragments(document), {**defaults, **variables})
            cost = meter.of(operation.selection_set, root, DEFAULT_PAGE)
    return cost


class _Cost:
    """Cost of selections, each fragment measured once per page size."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._measured: dict[tuple[str, int], int] = {}

    def of(self, selections: SelectionSetNode | None, parent: Any, page: int) -> int:
        """Cost of selections on ``parent``; ``page`` is the page size of the connection around them."""
        cost = 0
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                cost += self._of_field(selection, parent, page)
            elif isinstance(selection, FragmentSpreadNode):
                cost += self._of_fragment(selection.name.value, page)
            else:
                condition = getattr(selection, "type_condition", None)
                inner = self._schema.get_type(condition.name.value) if condition else parent
                cost += self.of(getattr(selection, "selection_set", None), inner, page)
        return cost

    def _of_fragment(self, name: str, page: int) -> int:
        if (name, page) not in self._measured:
            fragment = self._fragments[name]
            parent = self._schema.get_type(fragment.type_condition.name.value)
            self._measured[name, page] = self.of(fragment.selection_set, parent, page)
        return self._measured[name, page]

    def _of_field(self, field: FieldNode, parent: Any, page: int) -> int:
        name = field.name.value
        definition = parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
        if definition is None or is_leaf_type(get_named_type(definition.type)):
            return 0
        inner = get_named_type(definition.type)
        inner_page = self._page(field) if "first" in definition.args else page
        inside = self.of(field.selection_set, inner, inner_page) + self._expression_values(field, inner_page)
        if name == "edges":
            return page * inside
        if name == "nodes" and "ids" not in definition.args:
            return page * (1 + inside)
        if is_list_type(get_nullable_type(definition.type)):
            return self._list_length(field) * (1 + inside)
        return 1 + inside

    def _page(self, field: FieldNode) -> int:
        first = self._argument(field, "first")
        most = MAX_PAGE_OF.get(field.name.value, MAX_PAGE)
        return min(max(first, 1), most) if isinstance(first, int) else DEFAULT_PAGE

    def _expression_values(self, field: FieldNode, page: int) -> int:
        genes = self._argument(field, "genes")
        return page * len(genes) if isinstance(genes, list) else page if isinstance(genes, str) else 0

    def _list_length(self, field: FieldNode) -> int:
        for name in ("accessions", "ids"):
            given = self._argument(field, name)
            if given is not None:
                return len(given) if isinstance(given, list) else 1
        return LIST_ESTIMATE

    def _argument(self, field: FieldNode, name: str) -> Any:
        for argument in field.arguments or ():
            if argument.name.value == name:
                value = argument.value
                if isinstance(value, ListValueNode):
                    return list(value.values)
                if isinstance(value, VariableNode):
                    return self._variables.get(value.name.value)
                return value_from_ast_untyped(value)
        return None
