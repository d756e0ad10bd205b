"""All systems in one table: the same shapes, the same budget for each model, the same judge.

    python benchmarks/experiments/systems.py --quick [--data chairs.npz] [--peer meshgpt=FOLDER]

`--peer` adds what another program generated, as a folder of meshes in the frame of [-1, 1]^3; if it holds an
`about.json`, its `parameters`, `train_minutes` and `seconds_a_sample` go into the table.
"""

from pathlib import Path
from typing import Any

import click
from drawing import picture_grid
from judging import Judge
from lab import Lab, experiment, markdown, number
from system import SCORES, System, measure, save_pictures, take_pictures
from tokenization import systems as tokenized

from nfgen import find_shapes
from nfgen.io.files import read_json


def rows(lab: Lab) -> dict[str, tuple[System, Path]]:
    """Systems and their fields."""
    by_name = {one.name: one for one in tokenized(lab)}
    shared = lab.fields("shared")
    diffusion = System("identity + diffusion", "identity", model="diffusion")
    flow = System("identity + flow", "identity", model="diffusion", model_settings={"process": "flow"})
    # NeF-GPT (Fanselau and Muschal 2024): occupancy, every fit from the first field, 127 codes for single deltas.
    nef = System("nef-gpt", "codebook", {"unit": "scalar", "codes": 127})
    named = {
        "vq + gpt": by_name.get("vq"),
        "codebook + gpt": by_name.get("rows, depth 2") or by_name.get("rows, depth 1"),
        "histogram + gpt": by_name.get("histogram 16"),
        "graph + gpt": by_name.get("graph"),
        "identity + regression": by_name.get("identity"),
        "identity + diffusion": diffusion,
        "identity + flow": flow,
    }
    found = {name: (one, shared) for name, one in named.items() if one is not None}
    if lab.scale != "tiny":
        found["nef-gpt"] = (nef, lab.fields("first", output="occupancy"))
    return found


@experiment
@click.option("--peer", "peers", multiple=True, help="NAME=FOLDER of meshes that another program generated.")
def main(lab: Lab, peers: tuple[str, ...]) -> None:
    """Compare systems from shapes to samples."""
    judge = Judge(lab)
    chosen = rows(lab)
    missing = {name: one.missing for name, (one, _) in chosen.items() if one.missing}
    found = {name: measure(lab, one, fields, judge) for name, (one, fields) in chosen.items() if not one.missing}
    for peer in peers:
        name, _, folder = peer.partition("=")
        found[name] = lab.figures("peer", peer, lambda folder=folder: judged_peer(lab, Path(folder), judge))
    real = judge.ceiling()
    figures = {
        "known": len(lab.refs[0]), "unseen": len(lab.refs[1]), "samples": lab.sizes.samples,
        "budget": lab.sizes.budget, "weights": lab.sizes.spec.size, "systems": found, "real": real, "missing": missing,
    }  # fmt: skip
    pictures = take_pictures(found)
    lines = [*table(found, real), *(f"left out {name}: {why}" for name, why in missing.items())]
    lab.save(figures, [picture_grid(lab.out / "systems.png", pictures)], lines)


def judged_peer(lab: Lab, folder: Path, judge: Judge) -> dict[str, Any]:
    """Meshes of another program, judged like ours."""
    meshes = [ref.load().mesh() for ref in find_shapes(folder, normalize="none")[: lab.sizes.samples]]
    about = read_json(folder / "about.json") if (folder / "about.json").is_file() else {}
    picture = lab.out / "work" / f"peer-{folder.name}.png"
    save_pictures(picture, meshes[: lab.sizes.pictured])
    minutes = about.get("train_minutes")
    return {
        "parameters": about.get("parameters"),
        "tokenizer_seconds": 0.0,
        "model_seconds": None if minutes is None else 60 * minutes,
        "seconds_a_sample": about.get("seconds_a_sample"),
        "picture": str(picture),
        **judge.score(meshes),
    }


def table(found: dict[str, dict[str, Any]], real: dict[str, Any]) -> list[str]:
    """A row a system; last what known shapes score."""
    head = ["system", "MMD x100", "COV %", "1-NNA %", "novelty", "surface %", "s a sample", "parameters", "minutes"]
    lines = [head]
    for name, one in {**found, "real, known": real}.items():
        values = dict(SCORES)
        trained = one.get("model_seconds")
        lines.append(
            [
                name,
                *(_interval(one[key], values[key]) for key in ("mmd", "cov", "1_nna")),
                number(one.get("novelty") and one["novelty"]["value"], 2),
                number(one.get("surface"), 0, 100),
                number(one.get("seconds_a_sample"), 2),
                "-" if one.get("parameters") is None else f"{one['parameters']:,}",
                "-" if trained is None else number((one["tokenizer_seconds"] + trained) / 60, 1),
            ]
        )
    return markdown(lines)


def _interval(score: dict[str, Any] | None, digits: int) -> str:
    if score is None:
        return "-"
    value = number(score["value"], digits, 100)
    return (
        value
        if score["low"] is None
        else f"{value} [{number(score['low'], digits, 100)}, {number(score['high'], digits, 100)}]"
    )


if __name__ == "__main__":
    main()
