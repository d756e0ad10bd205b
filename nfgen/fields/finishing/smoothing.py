"""Smoothing that keeps the size: Taubin 1995, "A signal processing approach to fair surface design"."""

from typing import TYPE_CHECKING

from .closed_surface import what_is_open

if TYPE_CHECKING:
    import trimesh

SHRINK, GROW = 0.5, 0.53
"""How far vertices move to the mean of their neighbours, and back: what bends less than 1/SHRINK - 1/GROW stays."""


def smoothed(mesh: "trimesh.Trimesh", rounds: int) -> "tuple[trimesh.Trimesh, str | None]":
    """A mesh of the same faces after some rounds of smoothing.

    Returns:
        The mesh, and None; or the mesh as it was, and what would be wrong with the smoothed one.
    """
    from trimesh.smoothing import filter_taubin

    moved = mesh.copy()
    filter_taubin(moved, lamb=SHRINK, nu=GROW, iterations=2 * rounds)  # one shrinks, the next one grows
    # What is thinner than two cells still loses: the surface goes back out, or in, as far as the volume says.
    moved.vertices = moved.vertices + moved.vertex_normals * ((mesh.volume - moved.volume) / moved.area)
    wrong = what_is_open(moved)
    return (moved, None) if wrong is None else (mesh, wrong)
