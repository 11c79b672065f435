"""A stand-in for the two id functions of pycti that the connector uses, by the rule of STIX 2.1 for such ids.

Written for these tests; with OPENCTI_CHECKOUT they use the real functions.
"""

import json
import uuid

NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")


def _id(kind, data):
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "{}--{}".format(kind, uuid.uuid5(NAMESPACE, text))


class Note:
    @staticmethod
    def generate_id(created, content):
        assert created is None
        return _id("note", {"content": content.strip()})


class Identity:
    @staticmethod
    def generate_id(name, identity_class):
        return _id("identity", {"identity_class": identity_class.lower(), "name": name.lower().strip()})
