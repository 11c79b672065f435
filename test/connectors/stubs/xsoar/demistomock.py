"""A stand-in for the object that XSOAR hands to a script. Written for these tests; nothing of the platform is in it."""

callingContext = {"integration": "Xpose"}
_logs = []


def args():
    return {}


def params():
    return {}


def command():
    return ""


def results(entries):
    raise NotImplementedError


def debug(text, *_args):
    _logs.append(str(text))


info = error = debug
