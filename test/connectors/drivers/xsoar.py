"""Runs the script of the unified yml as XSOAR does: one process per command, settings and arguments by `demisto`."""

import json
import multiprocessing
import os
import sys

document = json.load(sys.stdin)
sys.path.insert(0, document["platform"])

import CommonServerPython  # noqa: E402,F401 - loaded once, before the processes part
import demistomock  # noqa: E402


def run(job):
    """Every entry that the command left in the war room, and what it wrote to the log."""
    entries, logs = [], []
    demistomock.callingContext = {"context": {"IntegrationBrand": "Xpose"}, "integration": "Xpose"}
    demistomock.args = lambda: dict(job["args"])
    demistomock.params = lambda: dict(job["params"])
    demistomock.command = lambda: job["command"]
    demistomock.results = lambda found: entries.extend(found if isinstance(found, list) else [found])
    for name in ("debug", "info", "error", "log"):
        setattr(demistomock, name, lambda *texts: logs.append([str(text) for text in texts]))
    demistomock.demistoVersion = lambda: {"version": "6.10.0", "buildNumber": "1"}
    demistomock.getLicenseID = lambda: ""
    os.environ.update(job.get("environment") or {})
    sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        exec(compile(document["script"], "xpose.yml", "exec"), {"__name__": "__main__"})
    except SystemExit:
        pass
    return {"entries": entries, "logs": logs}


if __name__ == "__main__":
    answer = sys.stdout
    with multiprocessing.get_context("fork").Pool(8, maxtasksperchild=1) as pool:
        seen = pool.map(run, document["jobs"], chunksize=1)
    json.dump(seen, answer)
