"""Small changes of Python source: comparisons, operators, constants, conditions, results, calls and errors."""

import ast
import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.MatMult: ast.Mult,
}


class Place(NamedTuple):
    """A node, where it hangs, and the lines of the statement that it is part of: only the head of a compound one."""

    parent: ast.AST
    attribute: str
    index: int | None
    node: ast.AST
    first: int
    last: int
    in_function: bool


class Site(NamedTuple):
    """What may be changed: number of the node, number of its change, lines of its statement, and words for it."""

    node: int
    change: int
    first: int
    last: int
    in_function: bool
    what: str


def sites(source: str) -> Iterator[Site]:
    """All that may be changed."""
    for number, place in enumerate(_places(ast.parse(source))):
        for change, (what, _) in enumerate(_changes(place.node)):
            yield Site(number, change, place.first, place.last, place.in_function, what)


def changed(source: str, number: int, change: int) -> ast.Module:
    """The source with one change."""
    tree = ast.parse(source)
    place = list(_places(tree))[number]
    _, new = list(_changes(place.node))[change]
    if place.index is None:
        setattr(place.parent, place.attribute, new)
    else:
        getattr(place.parent, place.attribute)[place.index] = new
    return ast.fix_missing_locations(tree)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become."""
    new: Any = copy.deepcopy(node)
    if isinstance(new, ast.Compare):
        other = COMPARISONS[type(new.ops[0])]
        new.ops[0] = other()
        yield f"a comparison becomes {other.__name__}", new
    elif isinstance(new, ast.BinOp) and type(new.op) in OPERATORS:
        other_operator = OPERATORS[type(new.op)]
        new.op = other_operator()
        yield f"an operator becomes {other_operator.__name__}", new
    elif isinstance(new, ast.AugAssign) and type(new.op) in OPERATORS:
        other_operator = OPERATORS[type(new.op)]
        new.op = other_operator()
        yield f"an operator becomes {other_operator.__name__}=", new
    elif isinstance(new, ast.BoolOp):
        new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
        yield "and becomes or, or or and", new
    elif isinstance(new, ast.UnaryOp) and isinstance(new.op, ast.Not | ast.USub | ast.Invert):
        yield "a negation is dropped", new.operand
    elif isinstance(new, ast.Constant) and type(new.value) is bool:
        yield f"{new.value} becomes {not new.value}", ast.copy_location(ast.Constant(not new.value), node)
    elif isinstance(new, ast.Constant) and type(new.value) in (int, float):
        yield f"{new.value} becomes {new.value + 1}", ast.copy_location(ast.Constant(new.value + 1), node)
    elif isinstance(new, ast.IfExp):
        yield "both branches are the first", new.body
        yield "both branches are the second", new.orelse
    elif isinstance(new, ast.Return) and new.value is not None and ast.unparse(new.value) != "None":
        yield "None is returned", ast.copy_location(ast.Return(ast.Constant(None)), node)
    elif isinstance(new, ast.Expr) and isinstance(new.value, ast.Call):
        yield "a call is dropped", ast.copy_location(ast.Pass(), node)
    elif isinstance(new, ast.Raise):
        yield "an error is not raised", ast.copy_location(ast.Pass(), node)
    elif isinstance(new, ast.If):
        never = ast.If(ast.Constant(False), new.body, new.orelse)
        yield "a condition is always false", ast.copy_location(never, node)


def _skipped(parent: ast.AST, name: str, node: object) -> bool:
    """Annotations, imports, text of messages and abstract methods say nothing that a test should notice; defaults of
    settings are choices."""
    said = ("annotation", "returns", "decorator_list", "bases", "keywords", "defaults", "kw_defaults")
    if name in said and isinstance(parent, ast.FunctionDef | ast.ClassDef | ast.AnnAssign | ast.arguments):
        return True
    if isinstance(node, ast.FunctionDef) and any("abstractmethod" in ast.unparse(one) for one in node.decorator_list):
        return True
    if isinstance(node, ast.AnnAssign) and isinstance(parent, ast.ClassDef):
        return True
    return not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.arg | ast.Import | ast.ImportFrom)


def _places(tree: ast.Module) -> Iterator[Place]:
    """Of all nodes that run."""
    todo: list[tuple[ast.AST, int, int, bool]] = [(tree, 1, 1, False)]
    while todo:
        parent, first, last, in_function = todo.pop()
        inside = in_function or isinstance(parent, ast.FunctionDef | ast.Lambda)
        for name, value in ast.iter_fields(parent):
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if _skipped(parent, name, node):
                    continue
                lines = first, last
                if isinstance(node, ast.stmt):
                    body = getattr(node, "body", None)
                    end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
                    lines = node.lineno, max(node.lineno, end)
                yield Place(parent, name, index, node, *lines, inside)
                todo.append((node, *lines, inside))
