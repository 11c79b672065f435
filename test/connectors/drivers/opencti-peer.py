"""Hands messages to the connector through the real pycti: its queue handler, its bundle, its splitter, strict stix2.

Packages that pycti imports at its top and does not need here (web server, broker, metrics ...) are empty stand-ins
where they are not installed. The platform's API is played.
"""

import importlib.machinery
import importlib.util
import json
import logging
import sys
import types
import typing
from unittest.mock import MagicMock

document = json.load(sys.stdin)
sys.path[:0] = [document["stix2"], document["pycti"], document["folder"] + "src"]

UNUSED = (
    "boto3 botocore cachetools datefinder deprecation fastapi filigran_sseclient magic opentelemetry pika "
    "prometheus_client pydantic pydantic_settings requests_toolbelt schedule sseclient stix2patterns uvicorn"
).split()


class Empty(types.ModuleType):
    """A module whose every member is a class that does nothing, and from which others can inherit."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        members = {"__init__": lambda self, *a, **k: None, "__class_getitem__": classmethod(lambda cls, _: cls)}
        setattr(self, name, type(name, (), members))
        return self.__dict__[name]


class Unused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in UNUSED:
            return None
        sys.meta_path.remove(self)
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            found = None
        finally:
            sys.meta_path.append(self)
        return found or importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        is_base = spec.name.split(".")[0] in ("pydantic", "pydantic_settings", "stix2patterns")
        module = Empty(spec.name) if is_base else MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


class Formatter(logging.Formatter):
    def __init__(self, *_args, **_more):
        super().__init__()


sys.meta_path.append(Unused())
sys.modules["pythonjsonlogger"] = types.ModuleType("pythonjsonlogger")
sys.modules["pythonjsonlogger"].jsonlogger = types.SimpleNamespace(JsonFormatter=Formatter)
extensions = types.ModuleType("typing_extensions")
extensions.deprecated = lambda *_args, **_more: lambda function: function
extensions.__getattr__ = lambda name: getattr(typing, name)
sys.modules.setdefault("typing_extensions", extensions)

from pycti.connector.opencti_connector_helper import ListenQueue, OpenCTIConnectorHelper  # noqa: E402
from pycti.utils.opencti_stix2_splitter import OpenCTIStix2Splitter  # noqa: E402
from stix2 import parse  # noqa: E402
from xpose_connector import XposeConnector  # noqa: E402


def run(job):
    """The reports of the work, the ids of the bundle, and the types that strict stix2 took."""
    reports, bundles, parts, taken = [], [], [], []
    helper = types.SimpleNamespace(connect_type="INTERNAL_ENRICHMENT", playbook=None)
    work = types.SimpleNamespace(
        to_received=lambda *_: None,
        to_processed=lambda _, message, is_error=False: reports.append({"message": message, "isError": is_error}),
    )
    entity = {"type": "email-addr", "spec_version": "2.1", "id": job["id"], "value": job["email"]}
    reader = lambda _: lambda **_more: {"standard_id": job["id"], "objectMarking": []}  # noqa: E731
    helper.api = types.SimpleNamespace(work=work, stix2=types.SimpleNamespace(get_reader=reader))
    helper.api_impersonate = types.SimpleNamespace(set_applicant_id_header=lambda _: None)
    helper.metric = types.SimpleNamespace(inc=lambda *_: None)
    helper.connector_logger = types.SimpleNamespace(error=lambda *_: None, info=lambda *_: None)
    helper.get_attribute_in_extension = lambda *_: None
    helper.stix2_create_bundle = OpenCTIConnectorHelper.stix2_create_bundle

    def send(bundle, update):
        bundles.append(json.loads(bundle))
        parts.append(OpenCTIStix2Splitter().split_bundle_with_expectations(bundle)[0])
        for item in bundles[-1]["objects"]:
            taken.append(parse(item, allow_custom=False, version="2.1").type)

    helper.send_stix2_bundle = send
    connector = XposeConnector(helper, {"xpose": {"url": job["url"], "api_key": job["key"]}})
    queue = object.__new__(ListenQueue)
    queue.helper, queue.callback, queue.connector_applicant_id = helper, connector.process_message, "1"
    queue._set_draft_id = lambda _: None
    event = {"entity_id": job["id"], "entity_type": "Email-Addr", "event_type": "INTERNAL_ENRICHMENT"}
    event.update(stix_entity=json.dumps(entity), stix_objects=json.dumps([entity]))
    queue._data_handler({"event": event, "internal": {"work_id": "1", "applicant_id": None}})
    ids = [item["id"] for bundle in bundles for item in bundle["objects"]]
    return {"reports": reports, "ids": ids, "parts": parts, "taken": taken}


json.dump([run(job) for job in document["jobs"]], sys.stdout)
