"""Numbers of things in words."""


def counted(number: int, thing: str) -> str:
    """`1 sample`, `1,024 samples`: of things whose plural has an s more."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
