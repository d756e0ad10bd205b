"""What scores need of each shape and sample, measured in one go where it is read: points, validity, pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nfgen.errors import ArtifactError, ConfigError, NfgenError, ShapeError
from nfgen.io import artifact
from nfgen.metrics.clouds import Floats, surface_cloud
from nfgen.metrics.validity import Validity, mesh_validity
from nfgen.pipeline.finish import Size, size_of
from nfgen.pipeline.sample_set import KIND as SAMPLES
from nfgen.pipeline.sample_set import frame_of, mesh_files, read_list, upright_mesh
from nfgen.runtime.progress import progress
from nfgen.shapes import ShapeRef
from nfgen.shapes.base import Transform, shape_rng
from nfgen.shapes.formats.meshes import read_mesh
from nfgen.shapes.guarded import PLAIN_BYTES, SECONDS_A_POINT
from nfgen.shapes.over_processes import Job, do_each

from .look import Look, look_at

DRAWN_PLAIN_BYTES = 16 << 10
"""Files of fewer bytes are drawn in this process: a thousand triangles that fill the pictures take a few seconds."""


class Measured(NamedTuple):
    """One shape."""

    cloud: Floats | None
    """[points, 3] on its surface; None if it has none."""
    validity: Validity | None
    """None if it is not asked for."""
    look: Look | None
    """None if it has no surface, or pictures are not asked for."""


class MeasuredSet(NamedTuple):
    """A set of shapes; unusable ones have no surface."""

    clouds: Floats
    """[those with a surface, points, 3]."""
    kept: list[int]
    """Places of those with a surface among all."""
    validity: list[Validity | None]
    looks: list[Look | None]


def measure_shapes(
    refs: Sequence[ShapeRef],
    points: int,
    seed: int,
    name: str,
    *,
    in_file_frame: bool = False,
    validity: bool = False,
    pictures: bool = False,
    frame: Transform | None = None,
) -> MeasuredSet:
    """Measure shapes of files.

    Args:
        name: of the set, for messages.
        in_file_frame: give points in coordinates of the files, else of [-1, 1]^3, into which each shape is put.
        validity: find out which are solids, too.
        pictures: look at the shapes, too.
        frame: by which all are put into [-1, 1]^3 for pictures, else each by its own.

    Raises:
        ConfigError: a shape is 2-D.
        NfgenError: no shape is usable.
    """
    found = _do(_MeasureShape(points, seed, in_file_frame, validity, pictures, frame), refs, points, pictures, name)
    usable = [one if isinstance(one, Measured) else _NOTHING for one in found]
    if all(one.cloud is None for one in usable):
        reasons = [one.problem for one in found if isinstance(one, ShapeError)]
        raise NfgenError(f"no {name} shape is usable: {'; '.join(reasons[:3])}", "look at the files named")
    return _set_of(usable)


def measure_samples(folder: Path, points: int, seed: int, *, pictures: bool = False) -> MeasuredSet:
    """Measure what `nfgen generate` wrote: points in the frames of the files, pictures in that of the fields.

    Raises:
        ArtifactError: a sample is missing or broken.
        NfgenError: no sample has a surface.
    """
    config = artifact.read_config(folder, SAMPLES)
    meshes = mesh_files(folder)
    refs = {
        place: ShapeRef(str(file), None, file, 3, index=place) for place, file in enumerate(meshes) if file is not None
    }
    sizes = [size_of(entry) for entry in read_list(folder)]
    job = _MeasureSample(points, seed, config, pictures, frame_of(config), sizes)
    found = dict(zip(refs, _do(job, list(refs.values()), points, pictures, "generated"), strict=True))
    samples = []
    for place in range(len(meshes)):
        one = found.get(place, _NOTHING)
        if isinstance(one, ShapeError):
            raise ArtifactError(f"cannot read {one.problem}", "generate the samples again") from one
        samples.append(one)
    if all(one.cloud is None for one in samples):
        raise NfgenError(f"no sample of {folder} has a surface", "train for longer, or lower --temperature")
    return _set_of(samples)


_NOTHING = Measured(None, mesh_validity(None), None)
"""Of a shape that is no surface, or cannot be read."""


def _set_of(shapes: list[Measured]) -> MeasuredSet:
    kept = [i for i, one in enumerate(shapes) if one.cloud is not None]
    clouds = np.stack([one.cloud for one in shapes if one.cloud is not None])
    return MeasuredSet(clouds, kept, [one.validity for one in shapes], [one.look for one in shapes])


def _do(
    job: Job[Measured], refs: Sequence[ShapeRef], points: int, pictures: bool, name: str
) -> list[Measured | ShapeError]:
    found: dict[int, Measured | ShapeError] = {}
    with progress(len(refs), f"measure {name} shapes", "shape") as bar:
        plain = DRAWN_PLAIN_BYTES if pictures else PLAIN_BYTES
        do_each(job, refs, found, None, bar, seconds=points * SECONDS_A_POINT, plain_bytes=plain)
    return [found[i] for i in range(len(refs))]


class _MeasureShape(NamedTuple):
    points: int
    seed: int
    in_file_frame: bool
    validity: bool
    pictures: bool
    frame: Transform | None

    def do(self, ref: ShapeRef) -> Measured | ShapeError:
        try:
            shape = ref.load()
            if shape.dims != 3:
                raise ConfigError(f"{ref.id} is 2-D: surfaces are compared in 3-D", "give meshes or voxel grids")
            cloud = shape.surface(self.points, shape_rng(self.seed, ref.id))
            if self.in_file_frame:
                cloud = shape.transform.invert(cloud)
            mesh = shape.mesh() if self.validity or self.pictures else None
        except ShapeError as error:
            return error
        validity, look = mesh_validity(mesh) if self.validity else None, None
        if mesh is not None and self.pictures:
            if self.frame is not None:
                mesh.vertices = self.frame.apply(shape.transform.invert(mesh.vertices))
            look = look_at(mesh)
        return Measured(cloud.astype(np.float32), validity, look)


class _MeasureSample(NamedTuple):
    points: int
    seed: int
    config: dict[str, Any]
    """Of the folder of samples."""
    pictures: bool
    frame: Transform | None
    sizes: list[Size | None]
    """Of the samples whose files have sizes of their own."""

    def do(self, ref: ShapeRef) -> Measured | ShapeError:
        try:
            mesh = upright_mesh(read_mesh(ref.path, ref.id), self.config, self.sizes[ref.index or 0])
        except ShapeError as error:
            return error
        cloud, validity, look = surface_cloud(mesh, self.points, self.seed, ref.index or 0), mesh_validity(mesh), None
        if self.pictures:
            if self.frame is not None:
                mesh.vertices = self.frame.apply(mesh.vertices)
            look = look_at(mesh)
        return Measured(cloud, validity, look)
