"""Functions that templates find as `h`."""


def times(number):
    """`1 time`, `2 times`."""
    return f"{number} time" if number == 1 else f"{number} times"
