"""Read every mesh below a folder, and have each judged by an independent reader (assimp): read, refused, or different.

    python benchmarks/corpus.py FOLDER
    python benchmarks/corpus.py FOLDER --show all --each 40

Compared are the extent, the area and the volume that the triangles enclose, after nothing but reading, in the unit of
the longest side: assimp turns centimetres of COLLADA into metres, and nfgen puts all shapes to one size. Each file is
read in a process of its own, for each reader once. assimp-py comes with the extra `bench`.
"""

import argparse
import json
import os
import select
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import assimp_py
import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.formats.meshes import mesh_suffixes, read_mesh

SECONDS = 60  # of the clock, for one file
CLOSE = 1e-3  # relative difference of two readers that read single precision and cut polygons differently
FLAGS = assimp_py.Process_Triangulate | assimp_py.Process_PreTransformVertices


def measures(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> dict[str, Any]:
    """Extent (sorted, since readers differ in which axis is up), area, volume and number of triangles."""
    corners = vertices[faces]
    corners = corners - corners.mean(axis=(0, 1))
    if not np.isfinite(corners).all():
        return {"refused": "not finite"}
    corners = corners / max(np.ptp(corners, axis=(0, 1)).max(), 1e-300)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    volume = abs(float(np.einsum("fd,fd->f", corners[:, 0], across).sum()) / 6)
    area = float(np.linalg.norm(across, axis=1).sum()) / 2
    return {
        "extent": sorted(np.ptp(corners, axis=(0, 1)).tolist()),
        "area": area,
        "volume": volume,
        "faces": len(faces),
    }


def ours(path: Path) -> dict[str, Any]:
    try:
        mesh = read_mesh(path, path.name)
    except ShapeError as error:
        return {"refused": error.problem.removeprefix(f"{path.name}: ")}
    return measures(mesh.vertices, mesh.faces)


def theirs(path: Path) -> dict[str, Any]:
    try:
        scene = assimp_py.import_file(str(path), FLAGS)
    except Exception as error:
        return {"refused": str(error)[:150]}
    vertices, faces, start = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], 0
    for mesh in scene.meshes:
        points = np.array(mesh.vertices, np.float64).reshape(-1, 3)
        indices = np.array(mesh.indices, np.int64)
        if len(indices) % 3 == 0 and mesh.num_faces * 3 == len(indices):  # else points or lines
            vertices.append(points)
            faces.append(indices.reshape(-1, 3) + start)
            start += len(points)
    found = np.concatenate(faces)
    return measures(np.concatenate(vertices), found) if len(found) else {"refused": "no triangles"}


def apart(read: Callable[[Path], dict[str, Any]], path: Path) -> dict[str, Any]:
    """What a reader gives in a process of its own: it may crash, or never end."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            answer = read(path)
        except Exception as error:
            answer = {"crashed": f"{type(error).__name__}: {error}"[:200]}
        os.write(send, json.dumps(answer).encode())
        os._exit(0)
    os.close(send)
    ready, _, _ = select.select([receive], [], [], SECONDS)
    text = os.read(receive, 1 << 16) if ready else b""
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(receive)
    return json.loads(text) if text else {"crashed": "ended the process" if ready else f"took over {SECONDS} s"}


def verdict(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Give "read" where both agree, or what became of the file."""
    if "crashed" in one:
        return "CRASHED"
    if "refused" in one:
        return "refused by both" if "area" not in other else "refused by us"
    if "area" not in other:
        return "read by us alone"
    same = np.allclose(one["extent"], other["extent"], rtol=0, atol=CLOSE)
    same &= abs(one["area"] - other["area"]) <= CLOSE * max(other["area"], one["area"])
    # Only of a closed surface the volume does not depend on how polygons that are not flat are cut.
    same &= abs(one["volume"] - other["volume"]) <= 10 * CLOSE * other["area"]
    return "read" if same else "DIFFERS"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", choices=("odd", "all"), default="odd", help="odd: all but what both read alike")
    parser.add_argument("--each", type=int, default=1_000_000, help="files of each sub-folder and suffix at most")
    arguments = parser.parse_args()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    taken: Counter[tuple[Path, str]] = Counter()
    for path in sorted(arguments.folder.rglob("*")):
        suffix = path.suffix.lower()
        group = (path.relative_to(arguments.folder).parent, suffix)
        if suffix not in mesh_suffixes() or not path.is_file() or taken[group] >= arguments.each:
            continue
        taken[group] += 1
        one, other = apart(ours, path), apart(theirs, path)
        found = verdict(one, other)
        counts[suffix][found] += 1
        if found != "read" or arguments.show == "all":
            print(f"{found:16} {path.relative_to(arguments.folder)}\n    ours   {one}\n    assimp {other}", flush=True)
    for suffix, count in sorted(counts.items()):
        print(f"{suffix:6} {count.total():5}  " + ", ".join(f"{n} {what}" for what, n in count.most_common()))
    total = sum(counts.values(), Counter[str]())
    print(f"{'all':6} {total.total():5}  " + ", ".join(f"{n} {what}" for what, n in total.most_common()))
    return min(total["DIFFERS"] + total["CRASHED"], 1)


if __name__ == "__main__":
    sys.exit(main())
