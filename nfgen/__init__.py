"""nfgen: generate neural fields.

Shapes become fields, fields become tokens, a transformer learns the tokens, and one decode path turns whatever it
generates back into SDF MLPs and meshes. Public names, which `__init__.pyi` lists, are imported when first used.
"""

import lazy_loader

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
