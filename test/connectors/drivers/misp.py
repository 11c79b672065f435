"""Loads the module by its file and calls it as misp-modules does: dict_handler(request=...)."""

import importlib.util
import json
import sys

import side_by_side


def look_up(folder, job):
    spec = importlib.util.spec_from_file_location("xpose", folder + "expansion/xpose.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return read(module.dict_handler(request=request_of(job)))


def request_of(job):
    config = {"url": job["url"], "api_key": job["key"], "ca_file": job.get("caFile"), "proxy": job.get("proxy")}
    if "verify" in job:
        config["verify"] = str(job["verify"]).lower()
    attribute = {"type": "email-src", "value": job["email"], "uuid": "5f0c2b9e-0000-4000-8000-000000000000"}
    if "tlp" in job:
        attribute["Tag"] = [{"name": "tlp:green"}, {"name": "tlp:" + job["tlp"]}]
    timeout = {"timeout": job["seconds"] + 5} if "seconds" in job else {}
    return dict({"module": "xpose", "attribute": attribute, "config": config}, **timeout)


def read(answer):
    if "error" in answer:
        assert list(answer) == ["error"], answer
        return {"isError": True, "said": answer["error"], "output": json.dumps(answer)}
    first = answer["results"]["Attribute"][0]["value"]
    return {"isError": False, "said": first[len("xpose: ") :], "output": json.dumps(answer), "answer": answer}


if __name__ == "__main__":
    side_by_side.main(look_up)
