"""Turntables as files: that they turn, where they are written, and what they say to what cannot be written."""

import errno
import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.pipeline.turntables import write_turntables
from nfgen.report import write_turntable
from nfgen.shapes.base import Transform
from nfgen.viz.animation import save_animation, turning_sheet
from nfgen.viz.contact_sheet import save_png

SPEC = FieldSpec(frequencies=0, hidden=(6,), activation="relu", output_bias=True)
needs_ffmpeg = pytest.mark.skipif(
    importlib.util.find_spec("imageio_ffmpeg") is None, reason="imageio-ffmpeg is not installed: nfgen[video]"
)


def octahedron(x: float = 0.3) -> torch.Tensor:
    """Weights of the field |x| / 0.3 + |y| / 0.8 + |z| / 0.8 - 1, scaled."""
    rows = torch.cat([torch.eye(3), -torch.eye(3)])
    scale = torch.tensor([x, 0.8, 0.8]).reciprocal().repeat(2) * x
    return torch.cat([rows.flatten(), torch.zeros(6), scale, torch.tensor([-x])])


def make_samples(folder: Path, frame: Transform | None = None) -> None:
    field = Field(SPEC, octahedron())
    mesh = field.mesh(12)
    if frame is not None:
        mesh.vertices = frame.invert(mesh.vertices)
    with artifact.writing(folder, "samples") as path:
        field.save(path / "a.safetensors")
        mesh.export(path / "a.glb")
        full = Sample("a.glb", "a.safetensors", "a.png", [1], 0, 0, None, False, None)
        empty = Sample(None, "a.safetensors", "a.png", [1], 0, 1, None, True, None)
        stored = None if frame is None else frame.to_json()
        save_png(path / "a.png", np.zeros((4, 4, 3), np.uint8))
        write_list(path, [full, empty], {"frame": stored})


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as file:
        frames = []
        for index in range(getattr(file, "n_frames", 1)):
            file.seek(index)
            frames.append(np.asarray(file.convert("RGB")).astype(int))
    return frames


def test_models_turn_side_by_side() -> None:
    plate, ball = trimesh.creation.box((1.6, 0.1, 1.0)), trimesh.creation.icosphere(subdivisions=1)
    frames = turning_sheet([plate, ball, ball], frames=4, size=24)
    assert [frame.shape for frame in frames] == [(48, 48, 3)] * 4
    front, side = (frames[i][:24, :24].astype(int) for i in (0, 1))
    # Seen from the side, a plate covers less.
    covered = [(abs(view - view[0, 0]).sum(-1) > 60).sum() for view in (front, side)]
    assert covered[1] < 0.8 * covered[0]
    with pytest.raises(ConfigError, match="1 frames"):
        turning_sheet([ball], frames=1)


def test_a_gif_keeps_its_frames_time_and_begins_again(tmp_path: Path) -> None:
    shades = [np.full((10, 12, 3), shade, np.uint8) for shade in (0, 120, 250)]
    save_animation(tmp_path / "new" / "a.gif", shades, seconds=1.5)
    found = frames_of(tmp_path / "new" / "a.gif")
    assert [round(frame.mean()) for frame in found] == [0, 120, 250]
    with Image.open(tmp_path / "new" / "a.gif") as file:
        assert file.info["loop"] == 0
        assert file.info["duration"] == 500


def test_an_animation_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shades = [np.full((10, 12, 3), shade, np.uint8) for shade in (0, 250)]
    save_animation(tmp_path / "a.gif", shades)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nfgen.io.files.os.fsync", full)
        with pytest.raises(ArtifactError, match="No space"):
            save_animation(tmp_path / "a.gif", shades[::-1])
    assert [round(frame.mean()) for frame in frames_of(tmp_path / "a.gif")] == [0, 250]
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


@needs_ffmpeg
def test_an_mp4_keeps_its_frames(tmp_path: Path) -> None:
    import imageio_ffmpeg

    shades = [np.full((32, 48, 3), shade, np.uint8) for shade in (20, 120, 230)]
    save_animation(tmp_path / "a.mp4", shades, seconds=1.0)
    words = ["-loglevel", "error", "-i", tmp_path / "a.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *words], capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.uint8).reshape(3, 32, 48, 3)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), [20, 120, 230], atol=8)
    with pytest.raises(ConfigError, match="48 by 31 pixels"):
        save_animation(tmp_path / "b.mp4", [frame[:31] for frame in shades])


@pytest.mark.parametrize("frame", [None, Transform((10.0, 0.0, -4.0), 0.1)])
def test_every_sample_gets_its_own_in_the_frame_of_the_fields(frame: Transform | None, tmp_path: Path) -> None:
    make_samples(tmp_path / "out", frame)
    files = write_turntables(tmp_path / "out", "gif", frames=2)
    assert files == [tmp_path / "out" / "turntable.gif", tmp_path / "out" / "a.gif"]
    first = frames_of(files[1])[0]
    assert (abs(first - first[0, 0]).sum(-1) > 60).mean() > 0.05, "the model is in the picture"


def test_a_report_turns_samples_fields_and_single_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nfgen.report.turntable as turning

    monkeypatch.setattr(turning, "turning_sheet", lambda meshes: turning_sheet(meshes, frames=2, size=16))
    make_samples(tmp_path / "samples")
    weights = torch.stack([octahedron(0.3), octahedron(0.5)])
    FieldSet(SPEC, weights, ("a", "b"), torch.tensor([-1, -1])).save(tmp_path / "fields")
    Field(SPEC, octahedron()).save(tmp_path / "one.safetensors")
    expected = {"samples": 2, "fields": 2, "one.safetensors": 1}
    for name, count in expected.items():
        written = write_turntable([tmp_path / name], tmp_path / f"{name}.gif")
        assert frames_of(written)[0].shape[1] == 16 * count


def test_what_cannot_be_turned_is_named_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="format 'avi'"):
        save_animation(tmp_path / "a.avi", [np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(ConfigError, match="frames of one size"):
        save_animation(tmp_path / "a.gif", [])
    flat = FieldSpec(dims=2, frequencies=0, hidden=(4,), activation="relu", output_bias=True)
    FieldSet(flat, torch.zeros(1, flat.size), ("a",), torch.tensor([-1])).save(tmp_path / "flat")
    with pytest.raises(ConfigError, match="no 3-D model"):
        write_turntable([tmp_path / "flat"], tmp_path / "a.gif")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NfgenError, match="ffmpeg") as caught:
        write_turntables(tmp_path / "nowhere", "mp4")
    assert "nfgen[video]" in caught.value.remedy
