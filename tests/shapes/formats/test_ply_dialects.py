"""PLY as people write it: the same box in every dialect."""

import struct
from pathlib import Path

import pytest

from ..boxes import CORNERS, MIXED, SIDES, STRIPS, TRIANGLES, check, listed, rows


def ply_head(
    form: str, vertices: int, faces: int, lists: str = "list uchar int vertex_indices", name: str = "face"
) -> str:
    return (
        f"ply\nformat {form} 1.0\ncomment a box\nelement vertex {vertices}\nproperty float x\nproperty float y\n"
        f"property float z\nelement {name} {faces}\nproperty {lists}\nend_header\n"
    )


def packed(faces: list[list[int]], order: str, length: str = "B", index: str = "i") -> bytes:
    return b"".join(struct.pack(f"{order}{length}{len(face)}{index}", len(face), *face) for face in faces)


STRIP = [*STRIPS[0], -1, *STRIPS[1], -1, *STRIPS[2]]
WITH_LISTS = (
    "ply\nformat {} 1.0\nelement vertex 8\nproperty list uchar float extra\nproperty double x\nproperty float y\n"
    "property short z\nproperty list uchar uchar more\nelement face 9\nproperty uchar red\n"
    "property list uchar uint vertex_index\nproperty list uchar float texcoord\nend_header\n"
)


def ply_with_lists(order: str) -> bytes:
    data = b""
    for i, (x, y, z) in enumerate(CORNERS):
        data += struct.pack(
            f"{order}B{i % 3}fdfhB{i % 2}B", i % 3, *[0.0] * (i % 3), x, y, int(z), i % 2, *[7] * (i % 2)
        )
    for face in MIXED:
        n = len(face)
        data += struct.pack(f"{order}BB{n}IB{2 * n}f", 9, n, *face, 2 * n, *[0.0] * (2 * n))
    return data


FLOATS = {order: CORNERS.astype(f"{order}f4").tobytes() for order in "<>"}
LITTLE, BIG = "binary_little_endian", "binary_big_endian"
USHORTS = "list int ushort vertex_index"
STRIP_LIST = "list int int vertex_indices"
PLY = {
    "text": ply_head("ascii", 8, 6) + rows(CORNERS) + listed(SIDES),
    "text_mixed": ply_head("ascii", 8, 9) + rows(CORNERS) + listed(MIXED),
    "text_free": ply_head("ascii", 8, 9) + rows(CORNERS, " ") + listed(MIXED, " "),
    "text_windows": (ply_head("ascii", 8, 6) + rows(CORNERS) + listed(SIDES)).replace("\n", "\r\n"),
    "text_old_mac": (ply_head("ascii", 8, 6) + rows(CORNERS) + listed(SIDES)).replace("\n", "\r"),
    "text_strips": ply_head("ascii", 8, 1, STRIP_LIST, "tristrips") + rows(CORNERS) + listed([STRIP]),
    "text_three_strips": ply_head("ascii", 8, 3, STRIP_LIST, "tristrips") + rows(CORNERS) + listed(STRIPS),
    "little": ply_head(LITTLE, 8, 6).encode() + FLOATS["<"] + packed(SIDES, "<"),
    "big": ply_head(BIG, 8, 12).encode() + FLOATS[">"] + packed(TRIANGLES, ">"),
    "little_mixed": ply_head(LITTLE, 8, 9).encode() + FLOATS["<"] + packed(MIXED, "<"),
    "big_mixed": ply_head(BIG, 8, 9, USHORTS).encode() + FLOATS[">"] + packed(MIXED, ">", "i", "H"),
    "strips": ply_head(LITTLE, 8, 1, STRIP_LIST, "tristrips").encode() + FLOATS["<"] + packed([STRIP], "<", "i"),
    "other_name": ply_head(LITTLE, 8, 9, "list uint8 int32 corners").encode() + FLOATS["<"] + packed(MIXED, "<"),
    "windows_head": ply_head(LITTLE, 8, 6).replace("\n", "\r\n").encode() + FLOATS["<"] + packed(SIDES, "<"),
    "little_lists": WITH_LISTS.format(LITTLE).encode() + ply_with_lists("<"),
    "big_lists": WITH_LISTS.format(BIG).encode() + ply_with_lists(">"),
    "text_lists": WITH_LISTS.format("ascii") + "".join(
        f"{i % 3}{' 0' * (i % 3)} {x:g} {y:g} {z:g} {i % 2}{' 7' * (i % 2)}\n" for i, (x, y, z) in enumerate(CORNERS)
    ) + "".join(f"9 {len(f)} {' '.join(map(str, f))} {2 * len(f)}{' 0' * (2 * len(f))}\n" for f in MIXED),
    "faces_first": (
        "ply\nformat ascii 1.0\nelement face 6\nproperty list uchar int vertex_indices\nelement vertex 8\n"
        "property float x\nproperty float y\nproperty float z\nend_header\n" + listed(SIDES) + rows(CORNERS)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLY)
def test_ply(name: str, tmp_path: Path) -> None:
    data = PLY[name]
    (tmp_path / "a.ply").write_bytes(data if isinstance(data, bytes) else data.encode())
    check(tmp_path / "a.ply")
