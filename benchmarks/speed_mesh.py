"""Mesh extraction beside dense evaluation and marching cubes, in one run: the same mesh, how many times faster.

    python benchmarks/speed_mesh.py FIELDS [--tokenizer TOKENS/tokenizer] --resolution 256

`FIELDS` is a field set; with a vq tokenizer its decoded fields are measured too. There are two peers: `dense`
evaluates as many points at once as nfgen did before it went coarse to fine, `dense_chunked` as many as are fastest.
"""

import argparse
from functools import partial

import numpy as np
import torch
from speed import in_turns, ratio, report

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.meshing.marching_cubes import extract_mesh, grid_points, mesh_from_grid
from nfgen.fields.mlp import batches, evaluate
from nfgen.tokenizers import registry


@torch.inference_mode()
def dense_mesh(field: Field, resolution: int, at_once: int) -> object:
    points = grid_points(resolution + 1)
    # Written into one array: thousands of small results, kept between large ones, leave holes of gigabytes behind.
    values = torch.empty(len(points))
    for part in batches(len(points), at_once):
        values[part] = evaluate(field.spec, field.weights[None], points[part])[0]
    return mesh_from_grid(values.reshape((resolution + 1,) * 3).numpy())


def measure(kind: str, field: Field, resolution: int, rounds: int) -> None:
    ours, whole = extract_mesh(field.spec, field.weights, resolution), dense_mesh(field, resolution, 8192)
    works = {
        "ours": partial(extract_mesh, field.spec, field.weights, resolution),
        "dense": partial(dense_mesh, field, resolution, max(1, (1 << 22) // max(field.spec.hidden))),
        "dense_chunked": partial(dense_mesh, field, resolution, 8192),
    }
    spent = in_turns(works, rounds)
    report(
        "speed_mesh",
        {
            "kind": kind,
            "resolution": resolution,
            "rounds": rounds,
            "faces": len(ours.faces),
            "same_faces": bool(np.array_equal(ours.faces, whole.faces)),
            "largest_shift": float(np.abs(ours.vertices - whole.vertices).max())
            if ours.vertices.shape == whole.vertices.shape
            else None,
            **{f"{name}_seconds": round(min(times), 3) for name, times in spent.items()},
            **{f"times_faster_than_{peer}": ratio(spent[peer], spent["ours"]) for peer in ("dense", "dense_chunked")},
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fields")
    parser.add_argument("--tokenizer")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--index", type=int, default=0)
    given = parser.parse_args()
    fields = FieldSet.load(given.fields)
    measure("fitted", fields[given.index], given.resolution, given.rounds)
    if given.tokenizer:
        tokenizer = registry.load(given.tokenizer)
        tokens = tokenizer.encode(fields.weights[given.index, None])
        decoded = Field(tokenizer.decoded_spec, tokenizer.decode(tokens)[0])
        measure("decoded", decoded, given.resolution, given.rounds)


if __name__ == "__main__":
    main()
