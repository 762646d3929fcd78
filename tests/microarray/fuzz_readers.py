"""Damages array files at random and reads them, by hand: ``python -m tests.microarray.fuzz_readers --inputs 200000``.

Ends with an error if anything but a typed error is raised, or if one input takes more than a second or the process more
than 300 MB. The inputs follow from the seed, so that any of them can be made again.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.cdf import read_cdf
from tests.microarray.mutations import mutated
from tests.microarray.seeds import Seed, read_any_cel, seeds

SLOWEST_SECONDS = 1.0
LARGEST_MEGABYTES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="seeds whose name begins so")
    parser.add_argument("--file", type=Path, action="append", default=[], help="a further file to damage")
    parser.add_argument("--no-limits", action="store_true", help="for sanitizers, which need memory and time")
    options = parser.parse_args()
    known = [each for each in seeds() if each.name.startswith(options.only or "")]
    known += [
        Seed(path.name, path.read_bytes(), read_any_cel if ".cel" in path.name.lower() else read_cdf)
        for path in options.file
    ]
    outcomes: Counter[str] = Counter()
    slowest, worst = 0.0, ""
    for number in range(options.inputs):
        seed = known[number % len(known)]
        data = mutated(seed.data, random.Random(options.seed * 10**9 + number))
        started = time.process_time()
        try:
            seed.read(data)
            outcomes[f"{seed.name}: read"] += 1
        except InputError as error:
            outcomes[f"{seed.name}: {error.code}"] += 1
        except BaseException:
            sys.stderr.write(f"input {number} ({seed.name})\n")
            raise
        taken = time.process_time() - started
        if taken > slowest:
            slowest, worst = taken, f"input {number} ({seed.name})"
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, count in sorted(outcomes.items()):
        sys.stdout.write(f"{count:8d} {name}\n")
    sys.stdout.write(f"{options.inputs} inputs, slowest {slowest * 1000:.1f} ms: {worst}; {megabytes:.0f} MB at most\n")
    if not options.no_limits and (slowest > SLOWEST_SECONDS or megabytes > LARGEST_MEGABYTES):
        sys.exit("too slow or too large")


if __name__ == "__main__":
    main()
