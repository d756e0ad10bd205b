"""Judging generated and reconstructed shapes: quality, coverage, novelty, validity.

Names, which `__init__.pyi` lists, are imported when they are first used, so that `import nfgen.metrics` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
