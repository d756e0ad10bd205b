"""The errors that nfgen raises for mistakes of its users: a line of problem and a line of remedy."""

import textwrap

LONGEST = 600
"""Letters of a problem."""


class NfgenError(Exception):
    """A mistake that the user can mend.

    Args:
        problem: one line that says what is wrong and names the thing it is wrong with.
        remedy: one line that says what to do about it; may be empty where there is nothing to advise.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        # What libraries say, and names of files, may be of many lines, endless, or commands to the terminal.
        problem = "".join(letter if letter.isprintable() or letter.isspace() else "?" for letter in problem)
        problem = textwrap.shorten(problem, LONGEST, placeholder=" …")
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["NfgenError"], tuple[str, str]]:
        # Errors travel between processes when shapes are sampled in parallel.
        return type(self), (self.problem, self.remedy)


class ShapeError(NfgenError):
    """A shape that cannot be used (unreadable, empty, not finite); the others go on without it."""


class ArtifactError(NfgenError):
    """A folder that is not the nfgen artifact it should be, or that cannot be written."""


class ConfigError(NfgenError):
    """A setting that is unknown, of the wrong type, out of range, or at odds with another one."""


class CollapsedCodebookWarning(UserWarning):
    """A codebook uses few of its codes, so its tokens say little."""


def reason_of(error: Exception, most: int = 120) -> str:
    """What an error of a library says, in one line of so many letters at most; its name if it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__
