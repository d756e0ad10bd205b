"""Open sheets within a solid: they bound nothing, and those that face the other way would take from its inside.

Modellers and converters leave them behind: half of the faces doubled a little way off, the rest of a lining. Faces that
double others in the same place are for `doubled_faces`; a closed body within another is the wall of a cavity.
"""

import igl
import numpy as np
from numpy.typing import NDArray

from nfgen.shapes.base import Floats, simplex_measure
from nfgen.shapes.mesh_repair import weld
from nfgen.shapes.sheets import NOTICED, holes_of_bodies

Faces = NDArray[np.int64]

WITHIN = 0.9  # share of a sheet's area from which on it lies within


def without_inner_sheets(vertices: Floats, faces: Faces) -> Faces:
    """Leave out bodies with holes, of more than 2 % of their area, that lie within the solid of the closed ones.

    Args:
        vertices: [v, 3] in the field's frame.
        faces: [f, 3] outwards.
    """
    count, body = igl.facet_components(weld(vertices)[faces])
    if count == 1:
        return faces
    is_open = holes_of_bodies(vertices, faces) > NOTICED
    if not is_open.any() or is_open.all():
        return faces
    corners = vertices[faces[is_open]]
    inside = igl.fast_winding_number(vertices, faces[~is_open], corners.mean(axis=1)) > 0.5
    areas = simplex_measure(corners)
    whole = np.bincount(body[is_open], areas, minlength=count)
    within = np.bincount(body[is_open], areas * inside, minlength=count) > WITHIN * whole
    return faces[~(is_open & within[body])]
