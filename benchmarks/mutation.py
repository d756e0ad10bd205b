"""Change the code a little, in many places, one after another: do the tests notice?

    python benchmarks/mutation.py --mutants 200

Of tokenizers/ and the decode path. A mutant is killed if a test fails, or takes ten times its time; one that survives
is printed, with its number, so that a test can be written for it: `--only NUMBER` runs it again and shows the tests.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "IGL_NUM_THREADS": "1"}

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent

TARGETS = {
    "nfgen.tokenizers.histogram": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.tokenizers.codebook": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.tokenizers.identity": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.tokenizers.codes": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.tokenizers.scaling": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.tokenizers.units": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.tokenizers.base": ("test_tokenizers.py", "test_weight_tokenizers.py"),
    "nfgen.field": ("test_field.py", "test_laws.py"),
    "nfgen.decoding": ("test_laws.py", "test_tokenizers.py"),
    "nfgen.vocabulary": ("test_nouns.py", "test_laws.py"),
    "nfgen.symmetry": ("test_symmetry.py", "test_laws.py"),
}
"""Modules, and the tests that are to notice."""

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


class Mutant(NamedTuple):
    module: str
    line: int
    what: str
    tree: ast.Module


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become."""
    new: Any = copy.deepcopy(node)
    if isinstance(new, ast.Compare):
        other = COMPARISONS[type(new.ops[0])]
        new.ops[0] = other()
        yield f"a comparison becomes {other.__name__}", new
    elif isinstance(new, ast.BinOp) and type(new.op) in OPERATORS and not isinstance(new.left, ast.JoinedStr):
        other_operator = OPERATORS[type(new.op)]
        new.op = other_operator()
        yield f"an operator becomes {other_operator.__name__}", new
    elif isinstance(new, ast.BoolOp):
        new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
        yield "and becomes or, or or and", new
    elif isinstance(new, ast.UnaryOp) and isinstance(new.op, ast.Not | ast.USub):
        yield "a negation is dropped", new.operand
    elif isinstance(new, ast.Constant) and type(new.value) is bool:
        yield f"{new.value} becomes {not new.value}", ast.copy_location(ast.Constant(not new.value), node)
    elif isinstance(new, ast.Constant) and type(new.value) in (int, float):
        yield f"{new.value} becomes {new.value + 1}", ast.copy_location(ast.Constant(new.value + 1), node)
    elif isinstance(new, ast.IfExp):
        yield "both branches are the first", new.body
        yield "both branches are the second", new.orelse
    elif isinstance(new, ast.Return) and new.value is not None:
        yield "None is returned", ast.copy_location(ast.Return(ast.Constant(None)), node)
    elif isinstance(new, ast.Expr) and isinstance(new.value, ast.Call):
        yield "a call is dropped", ast.copy_location(ast.Pass(), node)
    elif isinstance(new, ast.Raise):
        yield "an error is not raised", ast.copy_location(ast.Pass(), node)
    elif isinstance(new, ast.If):
        yield "a condition is always false", ast.copy_location(ast.If(ast.Constant(False), new.body, new.orelse), node)


def skipped(node: ast.AST) -> bool:
    """Annotations, docstrings and messages say nothing that a test could notice."""
    return isinstance(node, ast.JoinedStr | ast.arg | ast.AnnAssign | ast.Import | ast.ImportFrom)


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, attribute, place in it, node) of all nodes that run."""
    todo: list[ast.AST] = [tree]
    while todo:
        parent = todo.pop()
        for name, value in ast.iter_fields(parent):
            if name in ("annotation", "returns", "decorator_list", "bases", "keywords") and isinstance(
                parent, ast.FunctionDef | ast.ClassDef | ast.AnnAssign
            ):
                continue
            for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.AST) and not skipped(node):
                    yield parent, name, place, node
                    todo.append(node)


def mutants(module: str) -> list[Mutant]:
    source = source_of(module).read_text()
    found = []
    for number, (_, _, _, node) in enumerate(places(ast.parse(source))):
        for what, new in changes(node):
            tree = ast.parse(source)
            parent, name, place, _ = list(places(tree))[number]
            if place is None:
                setattr(parent, name, new)
            else:
                getattr(parent, name)[place] = new
            found.append(Mutant(module, getattr(node, "lineno", 0), what, ast.fix_missing_locations(tree)))
    return found


def source_of(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


class Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant instead of the module."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.mutant.module:
            return None
        return importlib.util.spec_from_file_location(name, source_of(name), loader=self)

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(compile(self.mutant.tree, str(source_of(self.mutant.module)), "exec"), module.__dict__)


def run_tests(mutant: Mutant | None, tests: Sequence[str], seconds: float, quiet: bool = True) -> int:
    """Exit status of the tests, in a forked process: 0 = all passed."""
    child = os.fork()
    if child == 0:
        limit = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        if quiet:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        if mutant is not None:
            sys.meta_path.insert(0, Loader(mutant))
        import pytest

        files = [str(ROOT / "tests" / name) for name in tests if (ROOT / "tests" / name).exists()]
        status = int(
            pytest.main(
                [
                    "-x",
                    "-q",
                    "-p",
                    "no:randomly",
                    "--no-header",
                    "-Wignore::pytest.PytestAssertRewriteWarning",
                    f"--rootdir={ROOT}",
                    *files,
                ]
            )
        )
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=200, help="how many, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of single mutants")
    parser.add_argument("--modules", nargs="*", default=list(TARGETS))
    arguments = parser.parse_args()
    all_ = [mutant for module in arguments.modules for mutant in mutants(module)]
    order = random.Random(arguments.seed).sample(range(len(all_)), len(all_))
    chosen = arguments.only if arguments.only is not None else order[: arguments.mutants]
    times = {}
    for tests in {TARGETS[all_[number].module] for number in chosen}:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run_tests(None, tests, 3600, quiet=False):
            raise SystemExit(f"{tests} fail without a mutant")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times[tests] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    survivors, started = 0, time.monotonic()
    for done, number in enumerate(chosen, 1):
        mutant = all_[number]
        tests = TARGETS[mutant.module]
        status = run_tests(mutant, tests, 10 + 10 * times[tests], quiet=arguments.only is None)
        if status == 0:
            survivors += 1
            print(f"survives: {number} {mutant.module}:{mutant.line}: {mutant.what}", flush=True)
        if done % 20 == 0 or done == len(chosen):
            share = 100 * (done - survivors) / done
            print(
                f"{done} of {len(all_)} mutants: {share:.0f} % killed, {time.monotonic() - started:.0f} s", flush=True
            )
    return 0


if __name__ == "__main__":
    # Loaded before any fork, all but what is mutated.
    import vector_quantize_pytorch  # noqa: F401

    sys.exit(main())
