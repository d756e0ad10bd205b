"""Cost of fitting, tokenizing and generating, as their number grows.

python benchmarks/growth.py
python benchmarks/growth.py --counts 10 100 1000 10000 --picture docs/growth.png

Fits are short (their cost is linear in the steps, too) and shapes are copies of a few meshes, so that only the number
changes. Tokens are those of a `vq` tokenizer of a few steps: what grows is the encoding. A command is as good as
linear if the items between two counts cost at most 1.25 times what those before them cost.
"""

import argparse
import itertools
import shutil
import tempfile
from pathlib import Path

from commands import run
from speed import report

from nfgen import write_shapes

MESHES = 8
LINEAR = 1.25
FIT = "--steps 60 --near 4096 --uniform 1024 --near-eval 256 --uniform-eval 512 --init random --workers 1"
TOKENIZE = "--tokenizer vq --max-tokens 32 --steps 20 --channels 64 --width 16"


def copies(meshes: list[Path], count: int, folder: Path) -> Path:
    """A folder of so many meshes."""
    folder.mkdir()
    for i in range(count):
        shutil.copy(meshes[i % len(meshes)], folder / f"{i:05d}.obj")
    return folder


def marginal(counts: list[int], seconds: list[float]) -> list[float]:
    """Seconds an item, of the items between each count and the one before."""
    pairs = itertools.pairwise(zip(counts, seconds, strict=True))
    return [(after - before) / (more - few) for (few, before), (more, after) in pairs]


def verdict(costs: list[float]) -> str:
    """Whether items cost the same however many there are."""
    if len(costs) < 2:
        return "too few counts"
    ratio = costs[-1] / costs[-2]
    return f"{'linear' if ratio <= LINEAR else 'NOT linear'}: the last items cost {ratio:.2f} of those before them"


def picture(path: Path, counts: list[int], took: dict[str, list[float]]) -> None:
    """Processor seconds over counts, both logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for command, seconds in took.items():
        axes.loglog(counts, seconds, "o-", label=command)
    axes.set(xlabel="shapes, fields or samples", ylabel="processor seconds")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    took: dict[str, list[float]] = {"fit": [], "tokenize": [], "generate": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shapes("chair", folder / "meshes", n=MESHES, resolution=48)
        meshes = sorted((folder / "meshes").glob("*.obj"))
        for count in given.counts:
            shapes, fields = copies(meshes, count, folder / f"shapes-{count}"), folder / f"fields-{count}"
            tokens, out = folder / f"tokens-{count}", folder / f"out-{count}"
            took["fit"].append(run("fit", shapes, *FIT.split(), "--quiet", "-o", fields)["processor_seconds"])
            took["tokenize"].append(
                run("tokenize", fields, *TOKENIZE.split(), "--quiet", "-o", tokens)["processor_seconds"]
            )
            if not (folder / "run").exists():
                run("train", tokens, "--steps", 10, "--quiet", "-o", folder / "run")
            took["generate"].append(
                run("generate", folder / "run", "-n", count, "--resolution", 32, "--quiet", "-o", out)[
                    "processor_seconds"
                ]
            )
            print(count, {command: seconds[-1] for command, seconds in took.items()}, flush=True)
            for used in (shapes, fields, tokens, out):
                shutil.rmtree(used)
    costs = {command: marginal(given.counts, seconds) for command, seconds in took.items()}
    if given.picture is not None:
        picture(given.picture, given.counts, took)
    report(
        "growth",
        {
            "counts": given.counts,
            "processor_seconds": took,
            "processor_seconds_an_item": {key: [round(one, 5) for one in cost] for key, cost in costs.items()},
            "verdict": {command: verdict(cost) for command, cost in costs.items()},
        },
    )


if __name__ == "__main__":
    main()
