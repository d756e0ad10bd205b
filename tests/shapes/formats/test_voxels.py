"""Voxel files of every format give the same shape."""

from pathlib import Path

import numpy as np

from nfgen.shapes import VoxelShape, find_shapes

from ..bodies import uniform, voxel_ball


def write_binvox(path: Path, grid: np.ndarray) -> None:
    flat = grid.transpose(0, 2, 1).ravel()
    runs = b"".join(bytes([value, 1]) for value in flat.astype(np.uint8))
    x, y, z = grid.shape
    path.write_bytes(f"#binvox 1\ndim {x} {z} {y}\ntranslate 10 20 30\nscale 4\ndata\n".encode() + runs)


def test_voxel_formats_give_the_same_shape(tmp_path: Path) -> None:
    grid = voxel_ball(16)
    grid[:, :5] = False  # so that the axes differ
    grid[:7, :, :7] = False
    np.save(tmp_path / "alone.npy", grid)
    np.save(tmp_path / "many.npy", np.stack([grid] * 2).astype(np.float32))
    np.savez(tmp_path / "plain.npz", grid.astype(np.uint8) * 255)
    np.savez(tmp_path / "packed.npz", voxels=np.packbits(grid.reshape(1, -1), axis=1), shape=grid.shape)
    write_binvox(tmp_path / "one.binvox", grid)
    refs = find_shapes(tmp_path)
    assert [ref.id for ref in refs] == [
        "alone.npy",
        "many.npy#0",
        "many.npy#1",
        "one.binvox",
        "packed.npz",
        "plain.npz",
    ]
    points = uniform(500)
    expected = VoxelShape(grid).value(points)
    for ref in refs:
        np.testing.assert_array_equal(ref.load().value(points), expected)
    np.testing.assert_allclose(refs[3].load().transform.invert(np.zeros((1, 3))), [[12, 22, 32]])
