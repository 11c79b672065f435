"""Runs actions of the app as Splunk SOAR does: one process per action, proxies in its environment."""

import json
import multiprocessing
import os
import sys

document = json.load(sys.stdin)
sys.path[:0] = [document["folder"], document["platform"]]

import requests  # noqa: E402,F401 - loaded once, before the processes part


def run(job):
    import xpose_consts
    from xpose_connector import XposeConnector

    os.environ.update(job.get("environment") or {})
    xpose_consts.SECONDS = job.get("seconds") or xpose_consts.SECONDS
    return XposeConnector().run(job)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(8, maxtasksperchild=1) as pool:
        seen = pool.map(run, document["jobs"], chunksize=1)
    json.dump(seen, sys.stdout)
