"""What files that are made to cost much do cost: each is read by a command in a process of its own, under a watchdog.

    python benchmarks/file_costs.py
    python benchmarks/file_costs.py --only "3MF, empty elements"

Of each: bytes of the file, what the command said of it, processor seconds of the command and its workers, and the
largest memory of one of these processes, both beyond those for a box that the same command reads in the same way. The
watchdog ends what takes WATCH_SECONDS; the exit status is 1 if it had to, or if reading cost more than 2 s or 1 GB.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "IGL_NUM_THREADS": "1"}

import argparse
import contextlib
import gzip
import io
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import trimesh
from PIL import Image

from nfgen.shapes.guarded import is_plain
from nfgen.shapes.shape_ref import ShapeRef

WATCH_SECONDS = 120.0  # of the clock
MOST_SECONDS, MOST_MB = 2.0, 1024
ENTRY = "from nfgen.cli.main import main; main()"


class Row(NamedTuple):
    name: str
    file: str
    """Its name; of samples, that of their mesh."""
    make: Callable[[Path], None]
    command: str = "check"


def packed(*members: tuple[str, str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in members:
                archive.writestr(name, content)

    return make


def model(objects: str, items: str = '<item objectid="0"/>') -> Callable[[Path], None]:
    return packed(("3D/3dmodel.model", f"<model><resources>{objects}</resources><build>{items}</build></model>"))


def mesh(vertices: str, triangles: str, id: int = 0) -> str:
    return f'<object id="{id}"><mesh><vertices>{vertices}</vertices><triangles>{triangles}</triangles></mesh></object>'


VERTEX, TRIANGLE = '<vertex x="0" y="0" z="0"/>', '<triangle v1="0" v2="1" v3="2"/>'
CORNERS = '<vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="1" z="0"/><vertex x="0" y="0" z="1"/>'
TETRAHEDRON = "".join(
    f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
)
ROWS = range(700)
VARIED = "".join(f'<vertex x="{i}" y="{i % 7}" z="{i % 11}"/>' for i in ROWS)
"""Vertices that do not shrink to nothing, so that the archive is not refused by its ratio."""


def doubling(levels: int, parts: int) -> str:
    part = "".join('<component objectid="{0}"/>' for _ in range(parts))
    objects = [f'<object id="{i}"><components>{part.format(i + 1)}</components></object>' for i in range(levels)]
    return "".join(objects) + mesh(CORNERS, TETRAHEDRON, levels)


def gltf(tree: dict[str, object], binary: bytes = b"") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        text = json.dumps({"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0, **tree}).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)

    return make


BUFFERS = {
    "buffers": [{"byteLength": 48}],
    "bufferViews": [{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 12}],
    "accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": 3, "type": "SCALAR"},
    ],
}
PART = {"attributes": {"POSITION": 0}, "indices": 1}
TRIANGLE_BYTES = np.array([0, 0, 0, 1, 0, 0, 0, 1, 0], "<f4").tobytes() + np.arange(3, dtype="<u4").tobytes()
TINY = gltf({**BUFFERS, "meshes": [{"primitives": [PART] * 7000}], "nodes": [{"mesh": 0}]}, TRIANGLE_BYTES)
CHAIN = gltf(
    {
        **BUFFERS,
        "meshes": [{"primitives": [PART]}],
        "nodes": [*({"children": [i + 1]} for i in range(50_000)), {"mesh": 0}],
    },
    TRIANGLE_BYTES,
)
MANY = gltf(
    {
        **BUFFERS,
        "meshes": [{"primitives": [PART] * 700}],
        "nodes": [{"children": list(range(1, 15_000))}, *[{"mesh": 0}] * 14_999],
    },
    TRIANGLE_BYTES,
)


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None


def groups() -> str:
    return "v 0 0 0\nv 1 0 0\nv 0 1 0\n" + "".join(f"g {i}\nf 1 2 3\n" for i in range(60_000))


def star(count: int) -> str:
    radius = np.where(np.arange(count) % 2, 1.0, 0.5)
    angle = np.arange(count) * 2 * np.pi / count
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return "".join(f"v {x:.5f} {y:.5f} 0\n" for x, y in points) + "f " + " ".join(map(str, range(1, count + 1))) + "\n"


def npy(claimed: tuple[int, ...], held: bytes = bytes(100)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": claimed})
    return stream.getvalue() + held


def npz(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("voxels.npy", content)

    return make


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(npy((1_000_000, 10, 10, 10), b""))
        file.truncate(1_000_000_128)


def long_line(path: Path) -> None:
    Image.new("L", (16_000_000, 1)).save(path)


STL = (
    "solid a\n"
    + "facet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n" * 130_000
)
PLY = (
    "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    f"element face {2**31}\nproperty list uchar int vertex_indices\nend_header\n" + "\0" * 36
)
NUMBERS = '{"format": 1, "type": "samples", "x": [' + "1," * 19_000_000 + "1]}"
PLACED_OFTEN = model(mesh(CORNERS, TETRAHEDRON), '<item objectid="0"/>' * 90_000)
NESTED = model(doubling(16, 2))
ROW_OF = (
    Row("3MF, vertices that shrink well", "a.3mf", model(mesh(VERTEX * 4_000_000, TRIANGLE))),
    Row("3MF, vertices that shrink less", "a.3mf", model(mesh(VARIED * 500, TRIANGLE))),
    Row("3MF, empty elements", "a.3mf", model("<a/>" * 15_000_000)),
    Row("3MF, a part placed 90,000 times", "a.3mf", PLACED_OFTEN),
    Row("3MF, parts of parts", "a.3mf", NESTED),
    Row("glTF, 7,000 tiny parts", "a.glb", TINY),
    Row("glTF, a chain of 50,000 nodes", "a.glb", CHAIN),
    Row("glTF, 10 million placed parts", "a.glb", MANY),
    Row("OBJ, 60,000 groups", "a.obj", text(groups())),
    Row("OBJ, a polygon of 2 MB", "a.obj", text(star(80_000))),
    Row("OBJ, negative indices", "a.obj", text("v 0 0 0\nv 1 0 0\nv 0 1 0\n" + "f -3 -2 -1\n" * 300_000)),
    Row(
        "OBJ, 8,000 triangles in one place",
        "a.obj",
        text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n" + "f 1 2 3\nf 1 2 4\n" * 4000),
    ),
    Row("STL, text of 12.9 MB", "a.stl", text(STL)),
    Row("PLY that claims 2^31 faces", "a.ply", text(PLY)),
    Row("npz of 1 kB, a million grids", "a.npz", npz(npy((1_000_000, 10, 10, 10)))),
    Row("npz of 8 kB, eight million grids of a voxel", "a.npz", npz(npy((8_000_000, 1, 1, 1), bytes(8_000_000)))),
    Row(
        "IDX, a million images",
        "a-idx3-ubyte",
        lambda path: path.write_bytes(struct.pack(">4I", 0x803, 1_000_000, 28, 28)) and None,
    ),
    Row(
        "IDX, packed zeros",
        "a-idx3-ubyte.gz",
        lambda path: (
            path.write_bytes(gzip.compress(struct.pack(">4I", 0x803, 200_000, 28, 28) + bytes(156_800_000))) and None
        ),
    ),
    Row("npy with a hole of 1 GB", "a.npy", sparse),
    Row("PNG of one long line", "a.png", long_line),
    Row("info: a part placed 90,000 times", "a.3mf", PLACED_OFTEN, "info"),
    Row("info: config.json of 19 million numbers", "config.json", text(NUMBERS), "info"),
    Row("report: samples of parts of parts", "a.3mf", NESTED, "report"),
    Row("report: samples of PLY that claims 2^31 faces", "a.ply", text(PLY), "report"),
    Row("evaluate: samples placed 10 million times", "a.glb", MANY, "evaluate"),
    Row("evaluate: samples of text STL of 12.9 MB", "a.stl", text(STL), "evaluate"),
)
STORED = Path(__file__).parent.parent / "tests" / "fixtures" / "v0.1" / "samples"


def words_for(row: Row, folder: Path, path: Path) -> list[str]:
    """Words of the command that reads the file, which becomes a sample's mesh for `report` and `evaluate`."""
    if row.command in ("report", "evaluate"):
        samples = folder / "samples"
        samples.mkdir()
        for file in STORED.iterdir():
            (samples / file.name).write_bytes(file.read_bytes())
        entries = json.loads((samples / "samples.json").read_text())
        entries[0]["file"] = path.name
        (samples / "samples.json").write_text(json.dumps(entries))
        path.rename(samples / path.name)
        if row.command == "report":
            return ["report", str(samples), "-o", str(folder / "page.html")]
        trimesh.creation.box().export(folder / "one.stl")
        trimesh.creation.box((1, 2, 3)).export(folder / "two.stl")
        return ["evaluate", str(samples), "--reference", str(folder / "*.stl"), "--points", "64", "--no-pictures"]
    return [row.command, str(folder if path.name == "config.json" else path)]


def measured(words: list[str]) -> tuple[str, float, float, bool]:
    """What a command says last, its processor seconds and MB with its workers, and whether the watchdog ended it."""
    started, seconds, peak, ended = time.monotonic(), {}, 0, False
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-c", ENTRY, *words]
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            with contextlib.suppress(psutil.Error):  # one has just ended
                for process in (watched, *watched.children(recursive=True)):
                    times = process.cpu_times()
                    seconds[process.pid] = times.user + times.system
                    peak = max(peak, process.memory_info().rss)
            if time.monotonic() - started > WATCH_SECONDS:
                os.killpg(child.pid, signal.SIGKILL)
                ended = True
            time.sleep(0.03)
        output.seek(0)
        said = output.read().decode(errors="replace")
    told = [line for line in said.splitlines() if line.strip() and not line.startswith(("next:", "bytes"))]
    return " ".join(told)[-160:], sum(seconds.values()), peak / 1e6, ended


def honest(path: Path) -> Path:
    """A box in a file that is read as another one is: in the command's own process, or in one beside it."""
    apart = path.name != "config.json" and not is_plain(ShapeRef("a", None, path, 3))
    box = path.parent.parent / "honest" / ("box.3mf" if apart else "box.stl")
    box.parent.mkdir()
    trimesh.creation.box().export(box)
    return box


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="names of rows")
    arguments = parser.parse_args()
    print("| file | bytes | said | seconds beyond a box | MB beyond a box |\n|---|---|---|---|---|")
    wrong = 0
    boxes: dict[tuple[str, str], tuple[float, float]] = {}
    for row in ROW_OF:
        if arguments.only and row.name not in arguments.only:
            continue
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "harm" / row.file
            path.parent.mkdir()
            row.make(path)
            size, box = path.stat().st_size, honest(path)
            key = (row.command, box.suffix)
            if key not in boxes:
                words = words_for(row, box.parent, box)
                measured(words)  # what is on the disk is read for the first time
                boxes[key] = min(measured(words)[1:3] for _ in range(2))
            said, seconds, peak, ended = measured(words_for(row, path.parent, path))
        more, larger = seconds - boxes[key][0], peak - boxes[key][1]
        bad = ended or more > MOST_SECONDS or larger > MOST_MB
        wrong += bad
        mark = " **ended by the watchdog**" if ended else " **beyond the promise**" if bad else ""
        print(f"| {row.name} | {size:,} | {said.replace('|', '/')} | {more:.1f} | {larger:,.0f}{mark} |", flush=True)
    print(f"{wrong} beyond {MOST_SECONDS:.0f} s or {MOST_MB} MB", file=sys.stderr)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
