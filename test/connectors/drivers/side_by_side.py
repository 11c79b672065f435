"""Reads the jobs of a suite, runs them side by side, and writes what came of each."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor


def main(look_up):
    document = json.load(sys.stdin)
    with ThreadPoolExecutor(32) as pool:
        seen = list(pool.map(lambda job: look_up(document["folder"], job), document["jobs"]))
    json.dump(seen, sys.stdout)
