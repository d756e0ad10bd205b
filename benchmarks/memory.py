"""Memory of tokenizing and training on large field sets, and how it grows.

python benchmarks/memory.py --fields FIELDS --counts 2000 20000 200000

The sets are synthetic: noised copies of a few real fields, with a hundred evaluation points each, written row by row
and removed afterwards. 200,000 fields of 3,712 weights take 3.2 GB of disk. Commands are the real ones, quiet.
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from commands import run
from speed import report

from nfgen.fields.field_set import KIND, SHARD, FieldSet, stored_tensors, write_entries, write_index
from nfgen.fields.fit_report import write_report
from nfgen.io import artifact
from nfgen.io.safetensors_stream import writing_tensors
from nfgen.pipeline.tokenize import FIT_BYTES

CHECKS = 100
NOISE = 0.02  # of weights: new fields, as a training field and its neighbour are
AT_ONCE = 1000
MILLION = 1_000_000


def write_synthetic(real: FieldSet, count: int, path: Path) -> None:
    """A set of `count` fields, of which no more than a thousand are in memory."""
    generator = torch.Generator().manual_seed(0)
    chosen = real.select(torch.arange(min(len(real), 64)))
    checks = {} if chosen.eval_points is None else {"eval_points": chosen.eval_points[:, :CHECKS]}
    if chosen.eval_values is not None:
        checks["eval_values"] = chosen.eval_values[:, :CHECKS]
    chosen = replace(chosen, **checks, uniform_eval=min(chosen.uniform_eval, CHECKS))
    tensors = stored_tensors(chosen)
    claims = {key: (tensor.dtype, (count, *tensor.shape[1:])) for key, tensor in tensors.items()}
    ids = [f"field-{i}" for i in range(count)]
    with artifact.writing(path, KIND) as folder:
        with writing_tensors(folder / f"{SHARD.format(0)}.safetensors", claims) as writer:
            for start in range(0, count, AT_ONCE):
                rows = torch.arange(start, min(start + AT_ONCE, count)) % len(chosen)
                for key, tensor in tensors.items():
                    noise = (
                        NOISE * torch.randn(len(rows), tensor.shape[1], generator=generator) if key == "weights" else 0
                    )
                    writer.append(key, tensor[rows] + noise if key == "weights" else tensor[rows])
        entries = ({"id": id, "iou": 0.9, "sdf_l1": 0.001, "loss": 0.001, "steps": 600, "seconds": 0.3} for id in ids)
        write_report(folder, entries, [])
        write_entries(folder, 0, {"ids": ids, "skipped": [], "reports": count})
        # Of the real set the index is written; the number of fields alone is another.
        write_index(folder, chosen)


def measure(real: FieldSet, count: int, tokenizer: list[str], steps: int, folder: Path) -> dict[str, dict[str, float]]:
    """What `nfgen tokenize` and `nfgen train` take for so many fields."""
    write_synthetic(real, count, folder / "fields")
    size = sum(file.stat().st_size for file in (folder / "fields").iterdir())
    took = {
        "tokenize": run("tokenize", folder / "fields", *tokenizer, "--quiet", "-o", folder / "tokens"),
        "train": run("train", folder / "tokens", "--steps", steps, "--quiet", "-o", folder / "run"),
    }
    tokens = (folder / "tokens" / "tokens.safetensors").stat().st_size
    for name in ("fields", "tokens", "run"):
        shutil.rmtree(folder / name)
    return {"disk": {"fields_mb": size >> 20, "tokens_mb": tokens >> 20}} | took


def growth(counts: list[int], figures: list[float]) -> tuple[float, float]:
    """Fixed part and slope of figures that grow in a line, from the two largest counts."""
    if len(counts) == 1:
        return 0.0, figures[0] / counts[0]
    slope = (figures[-1] - figures[-2]) / (counts[-1] - counts[-2])
    return figures[-1] - slope * counts[-1], slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--tokenizer", default="codebook --codes 64 --steps 5", help="with its settings")
    parser.add_argument("--steps", type=int, default=30, help="of the training")
    parser.add_argument("--folder", help="for the sets; by default a temporary one")
    given = parser.parse_args()
    real = FieldSet.load(given.fields)
    took = {}
    for count in given.counts:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            took[count] = measure(real, count, ["--tokenizer", *given.tokenizer.split()], given.steps, Path(folder))
            print(count, took[count], flush=True)
    figures = {}
    for command in ("tokenize", "train"):
        for key in ("own_mb", "processor_seconds"):
            # Below what a tokenizer is fitted on its copies grow, and beyond they do not: no line goes through both.
            if key == "own_mb" and (len(given.counts) < 2 or 4 * real.spec.size * given.counts[-2] < FIT_BYTES / 0.9):
                continue
            fixed, slope = growth(given.counts, [took[count][command][key] for count in given.counts])
            figures[f"{command}_{key}_of_a_million"] = round(fixed + slope * MILLION)
            figures[f"{command}_{key}_of_each_million_more"] = round(slope * MILLION)
    about = {"weights": real.spec.size, "tokenizer": given.tokenizer, "steps": given.steps}
    report("memory", {**about, "took": {str(count): one for count, one in took.items()}, **figures})


if __name__ == "__main__":
    main()
