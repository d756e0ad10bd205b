"""How long `nfgen --help` takes, the first mesh of a trained run, and tokenizing by vq: fields a second.

python benchmarks/speed_start.py
python benchmarks/speed_start.py --fields FIELDS --tokenizer TOKENS/tokenizer --run RUN
OMP_NUM_THREADS=1 python benchmarks/speed_start.py --fields FIELDS --tokenizer TOKENS/tokenizer --engine ray
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from speed import report


def child_seconds(code: list[str]) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_mesh(run: str) -> tuple[float, float]:
    """Seconds, and processor seconds, from the command until its first mesh is written."""
    code = f"import sys; sys.argv = ['nfgen', *{['generate', run, '-n', '1', '--quiet', '-o']!r}, sys.argv[1]]; "
    code += "from nfgen.cli.main import main; main()"
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", code, f"{folder}/out"], stdout=subprocess.DEVNULL)
        mesh, clock = Path(folder) / ".out.nfgen-partial" / "sample-0000.glb", Path(f"/proc/{process.pid}/stat")
        while not mesh.exists() and process.poll() is None:
            time.sleep(0.005)
        waited = time.perf_counter() - started
        # Fields 14 and 15 of proc(5), after the name in brackets, which may hold spaces.
        spent = sum(map(int, clock.read_text().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
        if process.wait() != 0:
            raise RuntimeError(f"nfgen generate {run} failed")
    return waited, spent


def tokenizing(fields: str, tokenizer: str, count: int, engine: str) -> dict[str, object]:
    """Fields a second, the beginning of an engine included; the fields are repeated to be so many."""
    from nfgen.fields.field_set import FieldSet
    from nfgen.fields.mlp import batches
    from nfgen.pipeline.tokenize import ENCODED_AT_ONCE, encode_part
    from nfgen.runtime.executor import create_engine
    from nfgen.runtime.malloc import keep_freed_memory
    from nfgen.tokenizers import registry

    keep_freed_memory()  # as the command does
    found = FieldSet.load(fields)
    encode = partial(encode_part, registry.load(tokenizer), found.spec, 0, 0)
    weights = found.weights.repeat(-(-count // len(found)), 1)[:count]
    started = time.perf_counter()
    tasks = ((number, weights[here].clone()) for number, here in enumerate(batches(count, ENCODED_AT_ONCE)))
    done = sum(len(tensors["tokens"]) for _, tensors in create_engine(engine).map(encode, tasks))
    return {"fields": done, "engine": engine, "fields_per_second": round(done / (time.perf_counter() - started))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields")
    parser.add_argument("--tokenizer")
    parser.add_argument("--run", help="a trained run, for the time to its first mesh")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10_000, help="fields to tokenize")
    parser.add_argument("--engine", default="local", help="that tokenizes: local or ray")
    given = parser.parse_args()
    start = ["-c", "import sys; sys.argv = ['nfgen', '--help']; from nfgen.cli.main import main; main()"]
    report("speed_start", {"help_seconds": round(min(child_seconds(start) for _ in range(given.rounds)), 3)})
    if given.run:
        rounds = [first_mesh(given.run) for _ in range(given.rounds)]
        waited, spent = (min(column) for column in zip(*rounds, strict=True))
        report("speed_first_mesh", {"seconds": round(waited, 2), "processor_seconds": round(spent, 2)})
    if given.fields and given.tokenizer:
        report("speed_tokenize", tokenizing(given.fields, given.tokenizer, given.count, given.engine))


if __name__ == "__main__":
    main()
