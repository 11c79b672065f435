"""A stand-in for orjson, which Debian has no package of, by the json of Python. For the real misp-modules server only."""

import json

OPT_INDENT_2 = 1
JSONDecodeError = json.JSONDecodeError
loads = json.loads


def dumps(value, default=None, option=None):
    return json.dumps(value, default=default).encode()
