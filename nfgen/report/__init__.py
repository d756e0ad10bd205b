"""`write_report`: one web page that shows any mix of artifacts, without a network or a server.

- `page.py`: finds the sections, puts them into the page and writes it; `artifacts.py`: what the paths hold
- `sections.py`: which parts of a page an artifact gives; `samples.py`, `scores.py`, `training.py`, `tokens.py`,
  `codebook.py`, `fields.py`, `fits.py`, `weights.py`, `comparison.py`,
  `reconstruction.py`, `origin.py`: those parts
- `turning.py`: an animation of the same artifacts
- `html.py`: elements whose text is always escaped; `charts.py`: charts as SVG; `pictures.py`: pictures as data URIs;
  `models.py`: meshes as small texts
- `assets/`: style, the viewer's script, and three.js (see `VENDORED.md` there)
"""

from .page import write_report
from .turntable import write_turntable

__all__ = ["write_report", "write_turntable"]
