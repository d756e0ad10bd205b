"""Read every MATLAB and NIfTI file below a folder beside SciPy and nibabel: alike, refused, or different.

    python benchmarks/corpus_volumes.py $(python -c "import scipy, os; print(os.path.dirname(scipy.__file__))")

SciPy reads each file in a process of its own, which some damaged files end.
"""

import argparse
import multiprocessing
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from nfgen.errors import ShapeError
from nfgen.shapes.formats.mat import read_mat
from nfgen.shapes.formats.shape_file import ShapeFile
from nfgen.shapes.formats.volumes import read_volume


def by_scipy(path: Path) -> list[Any]:
    """All arrays of numbers with three axes or more."""
    from scipy.io import loadmat

    found = loadmat(path)
    return [v for k, v in found.items() if isinstance(v, np.ndarray) and v.ndim > 2 and v.dtype.kind in "biufc"]


def judged_mat(path: Path) -> str:
    """How our reader and SciPy's agree on a file."""
    try:
        with multiprocessing.Pool(1) as pool:
            wanted = pool.apply_async(by_scipy, (path,)).get(timeout=20)
    except Exception as error:
        wanted = None
        reason = type(error).__name__
    try:
        ours = read_mat(path.read_bytes())
    except ShapeError as error:
        if wanted is None:
            return f"refused by both ({reason}; {error.problem[:60]})"
        return "refused by us alone" if len(wanted) == 1 else f"refused: {len(wanted)} grids"
    except Exception as error:
        return f"refused as rubbish ({type(error).__name__}), by SciPy {'too' if wanted is None else 'not'}"
    if wanted is None:
        return "read by us alone"
    alike = len(wanted) == 1 and np.array_equal(ours, wanted[0], equal_nan=ours.dtype.kind == "f")
    return "alike" if alike else "different"


def judged_nifti(path: Path) -> str:
    """Whether our values are nibabel's, turned along the axes of its closest canonical orientation."""
    import nibabel

    try:
        volume = read_volume(ShapeFile(path), "occupancy", path.name)
    except ShapeError as error:
        return f"refused: {error.problem.removeprefix(path.name)[:70]}"
    canonical: Any = nibabel.as_closest_canonical(nibabel.load(path))
    same = np.array_equal(volume.values, np.squeeze(canonical.get_fdata(dtype=np.float64)))
    spacing = np.allclose(volume.spacing, canonical.header.get_zooms()[:3], rtol=1e-3)
    return "alike" if same and spacing else "different"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", action="store_true", help="each file")
    arguments = parser.parse_args()
    counts = Counter[str]()
    for path in sorted(arguments.folder.rglob("*")):
        kind = "mat" if path.suffix == ".mat" else "nifti" if path.name.endswith((".nii", ".nii.gz")) else None
        if kind is None or not path.is_file():
            continue
        verdict = judged_mat(path) if kind == "mat" else judged_nifti(path)
        counts[f"{kind}: {verdict}"] += 1
        if arguments.show:
            print(f"{path.name}: {verdict}", flush=True)
    for verdict, count in counts.most_common():
        print(f"{count:5d}  {verdict}")
    return int(any("different" in verdict or "us alone" in verdict for verdict in counts))


if __name__ == "__main__":
    sys.exit(main())
