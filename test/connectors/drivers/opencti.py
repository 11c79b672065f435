"""Hands messages to the connector as pycti's queue does: what the callback returns or raises becomes the work's message."""

import importlib
import json
import os
import sys
import threading

import side_by_side

lock = threading.Lock()
sys.path.insert(0, os.environ["PYCTI"])


class Helper:
    def __init__(self):
        self.sent = []

    def stix2_create_bundle(self, items):
        return json.dumps({"type": "bundle", "id": "bundle--0", "spec_version": "2.1", "objects": items})

    def send_stix2_bundle(self, bundle, update):
        assert update is True
        self.sent.append(json.loads(bundle))


TLP_IDS = {"red": "5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "green": "34098fce-860f-48ae-8e50-ebd3cc5e41da"}


def message_of(job):
    """A message of the platform: enriched by hand, or `job["message"]` over it."""
    entity = {
        "type": job.get("type", "email-addr"),
        "spec_version": "2.1",
        "id": "email-addr--5e548dc7-d8aa-5feb-a893-166d3e9b6cd3",
        "value": job["email"],
    }
    if "tlp" in job:
        entity["object_marking_refs"] = ["marking-definition--" + TLP_IDS[job["tlp"]]]
    other = {"type": "identity", "id": "identity--1", "spec_version": "2.1", "name": "ACME"}
    data = {"enrichment_entity": {"objectMarking": []}, "stix_entity": entity, "stix_objects": [entity, other]}
    return data if job.get("playbook") else dict(data, event_type="INTERNAL_ENRICHMENT")


def look_up(folder, job):
    with lock:
        if folder + "src" not in sys.path:
            sys.path.insert(0, folder + "src")
        module = importlib.import_module("xpose_connector")
    config = {
        "url": job["url"],
        "api_key": job["key"],
        "max_tlp": job.get("maxTlp", "red"),
        "ca_file": job.get("caFile"),
        "verify": job.get("verify"),
        "proxy": job.get("proxy"),
    }
    helper = Helper()
    try:
        connector = module.XposeConnector(helper, {"xpose": config})
        connector.seconds = job.get("seconds", connector.seconds)
        said = connector.process_message(message_of(job))
    except Exception as error:
        assert helper.sent == []
        return {"isError": True, "said": str(error), "output": repr(error), "sent": []}
    return {"isError": False, "said": said, "output": said + json.dumps(helper.sent), "sent": helper.sent}


if __name__ == "__main__":
    side_by_side.main(look_up)
