"""How long `nfgen --help` takes, and tokenizing by vq: fields a second.

python benchmarks/speed_start.py
python benchmarks/speed_start.py --fields FIELDS --tokenizer TOKENS/tokenizer
"""

import argparse
import resource
import subprocess
import sys
import time

from speed import report


def child_seconds(code: list[str]) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields")
    parser.add_argument("--tokenizer")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    start = ["-c", "import sys; sys.argv = ['nfgen', '--help']; from nfgen.cli.main import main; main()"]
    report("speed_start", {"help_seconds": round(min(child_seconds(start) for _ in range(given.rounds)), 3)})
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
