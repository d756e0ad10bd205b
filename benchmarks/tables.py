"""Tables of the documentation, written from the results of the benchmarks.

    python benchmarks/tables.py            # rewrites what stands between marks in README.md, docs/ and the cards
    python benchmarks/tables.py --check    # only names the pages that differ

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. So no figure of a table is copied by hand; a test runs
the check.
"""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks" / "experiments")]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; status 1 if a page differs.")
def main(check: bool) -> None:
    """Write the tables of README.md, of docs/ and of the cards that ship."""
    stale = [page for page in pages() if (text := page.read_text()) != renewed(text)]
    for page in stale:
        click.echo(f"{page.relative_to(ROOT)} {'differs' if check else 'renewed'}")
        if not check:
            page.write_text(renewed(page.read_text()))
    if check and stale:
        raise SystemExit(1)


def pages() -> list[Path]:
    """Pages that may hold tables."""
    cards = (ROOT / "nfgen" / "shipped").rglob("README.md")
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(cards)]


def renewed(text: str) -> str:
    """A page with its tables as the results have them."""
    return MARKED.sub(lambda found: found[1] + "\n".join(TABLES[found[2]]()) + "\n" + found[3], text)


def result(name: str) -> dict[str, Any]:
    """What a benchmark wrote."""
    found: dict[str, Any] = json.loads((RESULTS / name).read_text())
    return found


def grid(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def interval(score: dict[str, Any] | None, factor: float = 100.0, digits: int = 1) -> str:
    """A score with its 95 % interval."""
    if score is None:
        return "-"
    value = f"{factor * score['value']:.{digits}f}"
    if score.get("low") is None:
        return value
    return f"{value} [{factor * score['low']:.{digits}f}, {factor * score['high']:.{digits}f}]"


def samples(kind: str) -> list[str]:
    """Samples and real shapes of a kind, by `quality.py`."""
    scores = result(f"quality_{kind}.json")["scores"]
    c2st, normals = scores["c2st"], scores["normals"]
    rows = [
        [name, *(interval(of[key], digits=digits) for key, digits in (("mmd", 2), ("cov", 1), ("1_nna", 1))), *more]
        for name, of, more in (
            ("generated", scores, [interval(c2st["accuracy"]), f"{normals['ripple']:.1f}"]),
            (f"real training {kind}", scores["ceiling"], [interval(c2st["real"]), f"{normals['ripple_real']:.1f}"]),
        )
    ]
    return grid(["", "MMD x100", "COV %", "1-NNA %", "C2ST %", "ripple of normals, degrees"], rows)


def systems() -> list[str]:
    """The systems that `systems.py` compared."""
    from systems import table  # type: ignore[import-not-found]

    found = result("experiments/systems.json")
    lines: list[str] = table(found["systems"], found["real"])
    return lines


def base() -> list[str]:
    """The tokenizer that ships, on the sets that it was measured on."""
    from base_tokenizer import measured_table

    return measured_table(result("base_tokenizer.json"))


def draws() -> list[str]:
    """Means of independent sets of samples by default settings, beside what real shapes get."""
    found = result("quality_chairs_tuned.json")
    of, real = found["draws"], found["scores"]["ceiling"]
    percent = {
        key: f"{100 * of[key]['mean']:.1f} ± {100 * of[key]['sd']:.1f}" for key in ("1_nna", "cov", "near_copies")
    }
    plain = {key: f"{of[key]['mean']:.2f} ± {of[key]['sd']:.2f}" for key in ("mmd_of_real", "z_u", "novelty")}
    both = percent | plain
    columns = {
        "1_nna": "1-NNA %", "cov": "COV %", "mmd_of_real": "MMD of real", "z_u": "Z_U", "near_copies": "near copies %",
        "novelty": "novelty",
    }  # fmt: skip
    seen = found["scores"]["c2st"]
    unseen = [f"{100 * real['1_nna']['value']:.1f}", f"{100 * real['cov']['value']:.1f}", "1.00", "0", "5.0", "1.00"]
    sets = len(of["z_u"]["values"])
    return grid(
        ["", *columns.values(), "C2ST %"],
        [
            [f"generated, {sets} sets of 200", *(both[key] for key in columns), interval(seen["accuracy"])],
            ["real chairs", *unseen, interval(seen["real"])],
        ],
    )


def new_shapes() -> list[str]:
    """Samples of models that learned, and are sampled, in several ways, beside other real shapes."""
    rows, found = [], result("new_shapes.json")["rows"]
    for of in found:
        shares = [f"{100 * of[key]:.1f}" for key in ("1_nna", "cov")]
        mmd = of["mmd"] / of["real"]["mmd"]
        near, whole = f"{100 * of['near_copies']:.1f}", f"{100 * of['one_piece']:.0f}"
        figures = [*shares, f"{mmd:.2f}", f"{of['z_u']:.1f}", near, f"{of['novelty']:.2f}", whole]
        how = f"{of['checkpoint']}{', balanced' if of['balanced'] else ''}"
        rows.append([f"{of['training']}, {of['steps']:,} steps", f"{of['bits_per_field']:.0f}", how, *figures])
    real = found[0]["real"]
    shares = [f"{100 * real[key]:.1f}" for key in ("1_nna", "cov")]
    rows.append(["other real ones", "", "", *shares, "1.00", "0", "5", "1", ""])
    scores = ["1-NNA %", "COV %", "MMD of real", "Z_U", "near copies %", "novelty", "in one body %"]
    return grid(["begun", "bits of an unseen chair", "weights", *scores], rows)


def few_shapes() -> list[str]:
    """Samples of models that learned from few and from more shapes."""
    rows = []
    for name, found in result("few_shapes.json").items():
        for of in sorted(found["rows"], key=lambda one: (one["shapes"], one["begun"] != "with the GPT that ships")):
            shares = [f"{100 * of[key]:.1f}" for key in ("1_nna", "cov")]
            mmd, near = of["mmd"] / found["real"]["mmd"], f"{100 * of['near_copies']:.1f}"
            scores = [*shares, f"{mmd:.2f}", f"{of['z_u']:.1f}", near, f"{of['novelty']:.2f}"]
            rows.append(
                [f"{of['shapes']} {name}", of["begun"], f"{of['steps']:,}", f"{of['bits_per_field']:.0f}", *scores]
            )
        real = [f"{100 * found['real'][key]:.1f}" for key in ("1_nna", "cov")]
        rows.append([f"real {name}", "", "", "", *real, "1.00", "0", "5", "1"])
    head = ["learned from", "begun", "steps", "bits of an unseen one", "1-NNA %", "COV %", "MMD of real", "Z_U"]
    return grid([*head, "near copies %", "novelty"], rows)


TABLES: dict[str, Callable[[], list[str]]] = {
    "base": base,
    "chairs": partial(samples, "chairs"),
    "draws": draws,
    "few_shapes": few_shapes,
    "new_shapes": new_shapes,
    "sofas": partial(samples, "sofas"),
    "systems": systems,
}

if __name__ == "__main__":
    main()
