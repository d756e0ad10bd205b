"""Change the code a little, in many places, one after another: do the tests notice?

    python benchmarks/mutation.py --mutants 200

Of tokenizers/ and the decode path. The tests are run once to see which of them run which lines. A mutant is then made
in a fork of that process, by exchanging the code of the function that it lies in, and meets the tests that run its
line, quick ones first, until one fails. One that survives is printed with its number: `--only NUMBER` shows its tests.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "IGL_NUM_THREADS": "1"}

import argparse
import gc
import importlib
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple

import coverage
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutants import Site, changed, sites

ROOT = Path(__file__).parent.parent
DECODING = ("tokens.decoding", "tokens.vocabulary", "fields.field", "fields.mlp", "fields.symmetry")
MODULES = [
    *(
        "nfgen." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "tokenizers").rglob("*.py"))
        if path.name != "__init__.py"
    ),
    *(f"nfgen.{name}" for name in DECODING),
    *(f"nfgen.fields.meshing.{name}" for name in ("bounds", "pruning", "piecewise", "sparse_grid", "marching_cubes")),
]
TESTS = [
    "tokenizers",
    "fields",
    "tokens",
    "test_laws.py",
    "test_artifacts.py",
    "io/test_hub.py",
    "pipeline/test_resumed_tokenizers.py",
    "io/test_untrusted_artifacts.py::test_a_tokenizer_that_claims_other_networks_claims_no_memory",
]
"""What is to notice."""
MEMORY = 16 << 30  # bytes of address space that a mutant may claim
NOT_APPLIED, BROKEN = 3, 4


class Mutant(NamedTuple):
    module: str
    site: Site

    def __str__(self) -> str:
        return f"{self.module}:{self.site.first}: {self.site.what}"


def file_of(module: str) -> Path:
    return (ROOT / Path(*module.split(".")).with_suffix(".py")).resolve()


def codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    """Code of all functions below that of a module, with their names and lines."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield (constant.co_qualname, constant.co_firstlineno), constant
            yield from codes(constant)


def apply(mutant: Mutant) -> bool:
    """Change the module that is loaded already, wherever it is used; False if nothing changed."""
    path = file_of(mutant.module)
    source = path.read_text()
    after = compile(changed(source, mutant.site.node, mutant.site.change), str(path), "exec")
    before, new = dict(codes(compile(source, str(path), "exec"))), dict(codes(after))
    new = {key: code for key, code in new.items() if key in before and code != before[key]}
    done = False
    for function in gc.get_objects():
        if type(function) is FunctionType:  # isinstance would ask proxies, which may warn
            old = function.__code__
            code = new.get((old.co_qualname, old.co_firstlineno))
            if code is None or Path(old.co_filename).resolve() != path:
                continue
            if len(code.co_freevars) == len(old.co_freevars):
                function.__code__ = code
                done = True
    return done or _apply_constant(mutant, after)


def _apply_constant(mutant: Mutant, code: CodeType) -> bool:
    """What a module or class says once, and who has imported it from there."""
    loaded = sys.modules[mutant.module]
    fresh = ModuleType(mutant.module)
    fresh.__dict__.update(__file__=loaded.__file__, __package__=loaded.__package__)
    exec(code, fresh.__dict__)
    done = False
    for name, value in vars(fresh).items():
        old = getattr(loaded, name, None)
        if name.startswith("__") or isinstance(value, type | FunctionType | ModuleType) or _same(old, value):
            continue
        for user in list(sys.modules.values()):
            if getattr(user, "__dict__", {}).get(name) is old:
                setattr(user, name, value)
                done = True
    for name, value in vars(fresh).items():
        if isinstance(value, type) and value.__module__ == mutant.module:
            for key, own in vars(value).items():
                old = vars(getattr(loaded, name)).get(key)
                if isinstance(own, int | float | bool | tuple) and not key.startswith("__") and not _same(old, own):
                    setattr(getattr(loaded, name), key, own)
                    done = True
    return done


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


class Mutations:
    """A plugin of pytest that, in place of running the tests once, runs them against mutants."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.failed = False
        self.seconds: dict[str, float] = {}
        self.by_line: dict[str, dict[int, list[str]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed
        if report.failed:
            print(f"failed: {report.nodeid}: {report.longreprtext.strip().splitlines()[-1]}", flush=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        self._measure(session.items)
        if self.failed:
            raise pytest.UsageError("the tests fail without a mutant")
        self._keep_fields(session.items)
        self._run()
        return True

    def _measure(self, items: list[pytest.Item]) -> None:
        """Which tests run which lines, and the processor time of each."""
        looker = coverage.Coverage(data_file=None, config_file=False, include=[str(file_of(name)) for name in MODULES])
        looker.set_option("run:disable_warnings", ["already-imported"])  # what a module says once is told apart
        looker.start()
        for item, following in zip(items, [*items[1:], None], strict=True):
            looker.switch_context(item.nodeid)
            started = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self.seconds[item.nodeid] = time.process_time() - started
        looker.stop()
        data = looker.get_data()
        self.by_line = {file: data.contexts_by_lineno(file) for file in data.measured_files()}

    def _keep_fields(self, items: list[pytest.Item]) -> None:
        """Set the fields that many tests share up once, and not in each fork."""
        shared = "tiny_fields"
        user = next(item for item in items if shared in item.fixturenames and "fitted" not in item.fixturenames)
        following = next(item for item in items if shared in item.fixturenames and item.path != user.path)
        user.config.hook.pytest_runtest_protocol(item=user, nextitem=following)

    def _tests(self, mutant: Mutant) -> list[str]:
        lines = self.by_line.get(str(file_of(mutant.module)), {})
        # What a module says once is used anywhere in it.
        span = range(mutant.site.first, mutant.site.last + 1) if mutant.site.in_function else list(lines)
        found = {test for line in span for test in lines.get(line, ())}
        return sorted(found & self.items.keys(), key=lambda test: self.seconds[test])

    def _survives(self, mutant: Mutant | None, tests: list[str]) -> bool:
        child = os.fork()
        if child == 0:
            limit = 20 + int(10 * sum(self.seconds[test] for test in tests))
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            if self.arguments.only is None:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
            status = BROKEN
            try:
                if mutant is not None and not apply(mutant):
                    os._exit(NOT_APPLIED)
                self.failed = False
                items = [self.items[test] for test in tests]
                for item, following in zip(items, [*items[1:], None], strict=True):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                    if self.failed:
                        break
                status = int(self.failed)
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == BROKEN:
            raise pytest.UsageError(f"no test has run with {mutant}: see --only")
        if status == NOT_APPLIED:
            print(f"not applied: {mutant}", flush=True)
        return status in (0, NOT_APPLIED)

    def _run(self) -> None:
        quick = [test for test, seconds in self.seconds.items() if seconds < 0.2]
        if not self._survives(None, quick):
            raise pytest.UsageError("the tests fail in a fork")
        every = [Mutant(name, site) for name in self.arguments.modules for site in sites(file_of(name).read_text())]
        order = random.Random(self.arguments.seed).sample(range(len(every)), len(every))
        chosen = self.arguments.only if self.arguments.only is not None else order[: self.arguments.mutants]
        survivors, started = 0, time.monotonic()
        for done, number in enumerate(chosen, 1):
            tests = self._tests(every[number])
            if not tests or self._survives(every[number], tests):
                survivors += 1
                print(f"survives {len(tests)} tests: {number} {every[number]}", flush=True)
            if done % 20 == 0 or done == len(chosen):
                share, seconds = 100 * (done - survivors) / done, time.monotonic() - started
                print(f"{done} of {len(every)} mutants: {share:.1f} % killed, {seconds:.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=200, help="how many, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of single mutants")
    parser.add_argument("--modules", nargs="*", default=MODULES)
    arguments = parser.parse_args()
    for name in MODULES:
        importlib.import_module(name)
    options = ["-q", "-s", "--no-header", "-Wignore::pytest.PytestAssertRewriteWarning", f"--rootdir={ROOT}"]
    files = [str(ROOT / "tests" / test) for test in TESTS]
    return int(pytest.main([*options, *files], plugins=[Mutations(arguments)]))


if __name__ == "__main__":
    sys.exit(main())
