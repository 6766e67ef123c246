"""`python -m tests.acceptance [E F ...]`: every figure of the named points, or of all, beside its target.

Exit code 1 where one is missed, 2 for a point that does not exist.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tests.acceptance.figures import Figure, Point, points


def main(letters: Sequence[str]) -> int:
    known = points()
    unknown = [letter for letter in letters if letter.upper() not in known]
    if unknown:
        print(f"there is no point {', '.join(unknown)}: name some of {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = {letter: known[letter] for letter in known if letter in {each.upper() for each in letters} or not letters}
    begun = time.process_time()
    found = [figure for letter, point in chosen.items() for figure in measured(letter, point)]
    missed = [figure for figure in found if not figure.ok]
    print(f"\n{len(found) - len(missed)} of {len(found)} targets met, {time.process_time() - begun:.0f} s of CPU")
    for figure in missed:
        print(f"missed: {line(figure)}")
    return 1 if missed else 0


def measured(letter: str, point: Point) -> list[Figure]:
    """The figures of one point, each printed as it comes."""
    print(f"\n{letter}  {point.__doc__.partition(chr(10))[0]} ({len(point.SEEDS)} seeds)", flush=True)
    found = []
    for figure in point.figures(point.SEEDS):
        print(f"   {line(figure)}", flush=True)
        found.append(figure)
    return found


def line(figure: Figure) -> str:
    return f"{'ok  ' if figure.ok else 'MISS'} {figure.what:<72} {figure.value:>10.4g}   {figure.target}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
