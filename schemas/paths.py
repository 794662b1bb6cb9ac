"""Paths into what facts say, as the lake names its columns (docs/adr/0006): keys parted by dots, a dot or a backslash within a key behind a
backslash.
"""


def escaped(name: str) -> str:
    """A key as a step of a path."""
    return name.replace("\\", "\\\\").replace(".", "\\.") if "." in name or "\\" in name else name


def steps_of(path: str) -> tuple[str, ...]:
    """The keys of a path."""
    if "\\" not in path:
        return tuple(path.split("."))
    steps, taken = [""], iter(path)
    for character in taken:
        if character == ".":
            steps.append("")
        else:
            steps[-1] += next(taken, "") if character == "\\" else character
    return tuple(steps)
