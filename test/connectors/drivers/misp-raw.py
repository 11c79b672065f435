"""Calls dict_handler with requests as they are, side by side, and writes its answers."""

import importlib.util
import json
import sys
from concurrent.futures import ThreadPoolExecutor

document = json.load(sys.stdin)
spec = importlib.util.spec_from_file_location("xpose", document["folder"] + "expansion/xpose.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

assert module.handler(False) is False
assert module.handler("no json") == {"error": "xpose: the request is no JSON"}
with ThreadPoolExecutor(16) as pool:
    json.dump(list(pool.map(lambda request: module.dict_handler(request=request), document["requests"])), sys.stdout)
