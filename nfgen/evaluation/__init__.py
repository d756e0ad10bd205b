"""Files to scores: find shapes, samples and fields, bring them into one frame, judge them.

Names, which `__init__.pyi` lists, are imported when first used: `nfgen evaluate --help` needs the settings only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
