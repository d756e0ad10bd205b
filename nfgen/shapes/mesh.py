"""Triangle meshes as shapes: any soup of faces, its sign from the winding number, its distance from the triangles."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .base import MARGIN_SCALE, Floats, Normalize, Shape, Transform, sample_simplices, simplex_measure
from .doubled_faces import without_doubles
from .inner_sheets import without_inner_sheets
from .mesh_distance import signed_distance
from .mesh_repair import exposed_triangles, orient_outwards, weld
from .reading import WALL, Shell
from .sheets import lost_share, with_walls

if TYPE_CHECKING:
    import trimesh

FLAT = 1e-14  # area, in a frame where the shape is 2 long: less than this is rounding, not a face
OUTSIDE = 1e-6  # how far beyond [-1, 1] rounding may carry a coordinate that is said to be normalised


class MeshShape(Shape):
    """A triangle mesh, not necessarily closed, consistently wound or of one body.

    A point is inside where the generalised winding number of the outward mesh exceeds 1/2. The distance is exact, to
    those triangles that are not hidden inside the solid.
    The file's axes are kept: whatever is up in the file is up in the field.

    Args:
        vertices: [v, 3] in the frame of the file.
        faces: [f, 3] indices of vertices.
        normalize: "each" puts the centre of the bounding box at 0 and its longest side to 1.9;
            "none" takes coordinates that are in [-1, 1] already and only applies the margin, a factor of 0.95.
        shell: thickness of the walls that sheets become, see `ReadingConfig.shell`.

    Raises:
        ShapeError: not finite, no usable face, an index out of range, no extent, or no inside.
    """

    dims: ClassVar[Literal[2, 3]] = 3

    def __init__(
        self,
        vertices: NDArray[np.floating],
        faces: NDArray[np.integer],
        *,
        id: str = "mesh",
        label: str | None = None,
        normalize: Normalize = "each",
        shell: Shell = 0.0,
    ) -> None:
        points, triangles = _checked(np.asarray(vertices, np.float64), np.asarray(faces), id)
        super().__init__(id, label, _normalising(points[triangles], normalize, id))
        used, triangles = np.unique(triangles, return_inverse=True)
        points, triangles = self.transform.apply(points[used]), triangles.reshape(-1, 3).astype(np.int64)
        welded = weld(points)
        # A needle whose corners are welded together is no face either.
        distinct = (welded[triangles] != welded[np.roll(triangles, 1, axis=1)]).all(axis=1)
        triangles = triangles[distinct & (simplex_measure(points[triangles]) > FLAT)]
        if not len(triangles):
            raise ShapeError(f"{id}: every face is degenerate (of zero area)", "export the mesh again")
        usable = len(triangles)
        triangles = without_doubles(points, triangles, welded)
        self.about = {"triangles": len(faces), "doubled": usable - len(triangles)}
        self._vertices, outwards = points, orient_outwards(points, triangles)
        self._faces = without_inner_sheets(points, outwards)
        if len(self._faces) < len(outwards):
            self.notes = ("open sheets within the solid are left out",)
        self.lost = lost_share(self._vertices, self._faces)
        if shell:
            thickness = WALL if shell == "auto" else shell
            walled, faces = with_walls(self._vertices, self._faces, thickness, shell == "auto")
            if len(faces) != len(self._faces):
                self._vertices, self._faces = walled, faces
                self.notes += (f"open bodies became walls of {thickness}",)
                self.lost = lost_share(self._vertices, self._faces)
        self._exposed = exposed_triangles(self._vertices, self._faces)
        if not len(self._exposed):
            raise ShapeError(f"{id}: the faces enclose no volume", "--shell 0.02 makes walls of sheets")
        self._exposed_vertices = self._exposed.reshape(-1, 3)
        self._exposed_faces = np.arange(3 * len(self._exposed)).reshape(-1, 3)

    def value(self, points: Floats) -> Floats:
        solid = self._vertices, self._faces
        return signed_distance(points, self._exposed_vertices, self._exposed_faces, solid)

    def surface(self, n: int, rng: np.random.Generator) -> Floats:
        return sample_simplices(self._exposed_vertices, self._exposed_faces, n, rng)

    def mesh(self) -> "trimesh.Trimesh":
        import trimesh

        mesh = trimesh.Trimesh(self._vertices, self._faces, process=False)
        mesh.merge_vertices(merge_tex=True, merge_norm=True)
        return mesh


def _checked(vertices: Floats, faces: NDArray[Any], id: str) -> tuple[Floats, NDArray[np.int64]]:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
        raise ShapeError(f"{id}: holds no 3-D vertices", "give a triangle mesh")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        raise ShapeError(f"{id}: holds no faces", "give a triangle mesh; point clouds and curves have no inside")
    if faces.min() < 0 or faces.max() >= len(vertices):
        found = f"{faces.min()}..{faces.max()}"
        raise ShapeError(f"{id}: a face index is out of range ({found} for {len(vertices)} vertices)", "mend the file")
    if not np.isfinite(vertices[faces]).all():
        raise ShapeError(f"{id}: a vertex is not finite (NaN or infinite)", "mend the file")
    return vertices, faces.astype(np.int64)


def _normalising(corners: Floats, normalize: Normalize, id: str) -> Transform:
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    # Halved first, so that a box as wide as the floats reach does not overflow.
    center, half = low / 2 + high / 2, float((high / 2 - low / 2).max())
    if normalize == "none":
        if max(-low.min(), high.max()) > 1 + OUTSIDE:
            raise ShapeError(
                f"{id}: reaches beyond [-1, 1] ({low.min():.4g}..{high.max():.4g})", "normalise each shape"
            )
        center, half = np.zeros(3), 1.0
    with np.errstate(all="ignore"):
        scale = float(np.divide(MARGIN_SCALE, half))
    if not np.isfinite(scale) or scale == 0.0:
        raise ShapeError(f"{id}: has zero extent (all vertices in one place)", "export the mesh again")
    return Transform(tuple(center.tolist()), scale)
