"""Generate many times in one process: does memory stay flat?

python benchmarks/long_use.py --run RUN --calls 1000
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

from nfgen.pipeline.generate import generate
from nfgen.pipeline.run import Run


def resident_mb() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    run, lines = Run.load(arguments.run), []
    warm_up = max(10, arguments.calls // 10)  # allocators and caches fill
    with tempfile.TemporaryDirectory() as folder:
        for call in range(arguments.calls + warm_up):
            if call % max(1, arguments.calls // 10) == 0 or call == warm_up:
                gc.collect()
                state = {"mb": resident_mb(), "files": open_files(), "threads": threading.active_count()}
                lines.append({"call": call, **state})
            if call == warm_up:
                start = lines[-1]
            generate(run, Path(folder) / "out", n=1, seed=call, resolution=arguments.resolution, overwrite=True)
    gc.collect()
    growth = resident_mb() - start["mb"]
    result = {"calls": arguments.calls, "growth_mb": growth, "files": open_files() - start["files"], "lines": lines}
    if arguments.json:
        print(json.dumps(result))
        return 0
    for line in lines:
        print(f"call {line['call']}: {line['mb']:.1f} MB, {line['files']} open files, {line['threads']} threads")
    print(f"{arguments.calls} calls: {growth:+.1f} MB, {result['files']:+d} open files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
