"""The way from shapes to samples in a process that lacks what only some systems have: `hidden_modules.py FOLDER`."""

import os
import sys
from pathlib import Path

HIDDEN = ("fcntl", "resource", "pwd", "grp", "termios")
import psutil  # noqa: E402  its part for this system may use them; ours may not

for name in HIDDEN:
    sys.modules[name] = None  # type: ignore[assignment]
for name in ("sched_getaffinity", "sched_setaffinity", "fork", "getuid", "killpg"):
    if hasattr(os, name):
        delattr(os, name)
if hasattr(psutil.Process, "cpu_affinity"):
    del psutil.Process.cpu_affinity  # as on macOS


def _no_signal(process: int, number: int) -> None:
    raise AssertionError("os.kill ends a process on Windows, whatever the number")


os.kill = _no_signal


def main(folder: Path) -> None:
    import numpy as np

    from nfgen.cli.main import main as nfgen
    from nfgen.metrics import chamfer_matrix, emd_matrix

    grids = np.zeros((4, 8, 8, 8), bool)
    for number, grid in enumerate(grids):
        grid[2 : 5 + number % 2, 2:6, 2:6] = True
    np.savez(folder / "shapes.npz", voxels=grids)
    few = "--steps 20 --points 64 --near 128 --uniform 128 --near-eval 32 --uniform-eval 64"
    for line in (
        f"fit {folder}/shapes.npz --spec talk --init random {few} --cache {folder}/cache -o {folder}/fields",
        f"tokenize {folder}/fields --tokenizer histogram --bins 8 -o {folder}/tokens",
        f"train {folder}/tokens --layers 1 --width 16 --heads 1 --steps 2 --batch-size 2 -o {folder}/run",
        f"generate {folder}/run -n 1 --resolution 16 -o {folder}/out",
        f"tokenize {folder}/fields --tokenizer histogram --bins 8 --dry-run -o {folder}/never",
        f"generate {folder}/run -n 1 --resolution 16 --overwrite -o {folder}/out",
        "doctor",
    ):
        nfgen([*line.split(), *([] if line == "doctor" else ["--quiet"])], standalone_mode=False)
    clouds = np.random.default_rng(0).random((3, 16, 3))
    assert chamfer_matrix(clouds).shape == emd_matrix(clouds).shape == (3, 3)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
