"""Calls the one-file client as a notebook does."""

import importlib
import json
import sys

import side_by_side


def look_up(folder, job):
    if folder not in sys.path:
        sys.path.insert(0, folder)
    client = importlib.import_module("xpose_client")
    settings = {name: job.get(at) for name, at in (("ca_file", "caFile"), ("verify", "verify"), ("proxy", "proxy"))}
    try:
        asker = client.XposeClient(url=job["url"], api_key=job["key"], time_limit=job.get("seconds"), **settings)
        case = asker.look_up(job["email"], tlp=job.get("tlp"))
    except client.XposeError as error:
        facts = {"code": error.code, "retry_after": error.retry_after}
        return {"isError": True, "said": str(error), "output": repr(error), **facts}
    return {"isError": False, "said": case["headline"], "output": json.dumps(case)}


if __name__ == "__main__":
    side_by_side.main(look_up)
