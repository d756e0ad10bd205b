"""How long `nfgen --help` takes, the first mesh of a trained run, and tokenizing by vq: fields a second.

python benchmarks/speed_start.py
python benchmarks/speed_start.py --fields FIELDS --tokenizer TOKENS/tokenizer --run RUN
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
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
        mesh, clock = Path(folder) / "out.partial" / "sample-0000.glb", Path(f"/proc/{process.pid}/stat")
        while not mesh.exists() and process.poll() is None:
            time.sleep(0.005)
        waited = time.perf_counter() - started
        # Fields 14 and 15 of proc(5), after the name in brackets, which may hold spaces.
        spent = sum(map(int, clock.read_text().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
        if process.wait() != 0:
            raise RuntimeError(f"nfgen generate {run} failed")
    return waited, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields")
    parser.add_argument("--tokenizer")
    parser.add_argument("--run", help="a trained run, for the time to its first mesh")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    start = ["-c", "import sys; sys.argv = ['nfgen', '--help']; from nfgen.cli.main import main; main()"]
    report("speed_start", {"help_seconds": round(min(child_seconds(start) for _ in range(given.rounds)), 3)})
    if given.run:
        rounds = [first_mesh(given.run) for _ in range(given.rounds)]
        waited, spent = (min(column) for column in zip(*rounds, strict=True))
        report("speed_first_mesh", {"seconds": round(waited, 2), "processor_seconds": round(spent, 2)})
    if given.fields and given.tokenizer:
        from nfgen.field_set import FieldSet
        from nfgen.tokenizers import registry

        tokenizer, weights = registry.load(given.tokenizer), FieldSet.load(given.fields).weights
        spent, waited = [], []
        for _ in range(given.rounds):
            started = time.process_time(), time.perf_counter()
            tokenizer.encode(weights)
            spent.append(time.process_time() - started[0])
            waited.append(time.perf_counter() - started[1])
        report(
            "speed_tokenize",
            {
                "fields": len(weights),
                "fields_per_processor_second": round(len(weights) / min(spent)),
                "fields_per_second": round(len(weights) / min(waited)),
            },
        )


if __name__ == "__main__":
    main()
