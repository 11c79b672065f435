"""Asks holehe's modules about one address, and nothing else of holehe.

Read from standard input: {"nonce", "email", "skip": [...], "seconds"}. Written to file descriptor 3: one line per
module, the nonce before its JSON, {"domain", "exists", "rateLimit", "error"}; then {"asked", "unusable"} as the end
mark, or a single {"missing"} when a package is not there.

What holehe's own command does first, upgrading itself from the network, is in a function of holehe.core that is never
called here; on top, no module can start a process.
"""

import fcntl
import importlib
import inspect
import json
import os
import pkgutil
import sys


def main():
    task = json.load(sys.stdin)
    write = open_channel(task["nonce"])
    sys.addaudithook(refuse_processes)
    try:
        import httpx
        import trio

        import holehe.modules as package
    except ModuleNotFoundError as error:
        write({"missing": str(error.name)})
        return
    except BaseException:
        write({"missing": "holehe"})
        return
    unusable = []
    skip = frozenset(task["skip"])
    functions = list(site_functions(package.__path__, package.__name__ + ".", skip, unusable))

    async def ask(function, client):
        rows = []
        is_done = False
        try:
            with trio.move_on_after(task["seconds"]):
                await function(task["email"], client, rows)
                is_done = True
        except BaseException:  # Also SystemExit: one site must not end the others.
            pass
        write(answer(rows) if is_done else failed)

    async def ask_all():
        async with httpx.AsyncClient(timeout=task["seconds"]) as client:
            async with trio.open_nursery() as nursery:
                for function in functions:
                    nursery.start_soon(ask, function, client)

    trio.run(ask_all)
    write({"asked": len(functions), "unusable": len(unusable)})


def open_channel(nonce):
    """Takes the descriptors of the task away from the modules: what they print or write to 0 or 3 goes nowhere.

    A module that searches the open files finds the channel, but not the nonce without reading this process's memory.
    """
    descriptor = fcntl.fcntl(3, fcntl.F_DUPFD_CLOEXEC, 100)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 3)

    def write(message):
        # A line break first, so that nothing written there without one can spoil this line.
        line = memoryview(f"\n{nonce} {json.dumps(message)}\n".encode())
        while line:
            line = line[os.write(descriptor, line) :]

    return write


def refuse_processes(event, _arguments):
    if event in ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"):
        raise PermissionError("modules start no process")


def site_functions(path, prefix, skip, unusable):
    """The function of each site: it has the name of its module. Modules are imported on their own, and skipped by any
    part of their name before that, or by any text in their function (its domain, its method) before it is called."""
    for _, name, is_package in pkgutil.iter_modules(path, prefix):
        if not skip.isdisjoint(name.split(".")):
            continue
        try:
            module = importlib.import_module(name)
        except BaseException:
            unusable.append(name)
            continue
        if is_package:
            yield from site_functions(module.__path__, name + ".", skip, unusable)
            continue
        function = getattr(module, name.rpartition(".")[2], None)
        if not inspect.iscoroutinefunction(function):
            continue
        if skip.isdisjoint(text for text in function.__code__.co_consts if isinstance(text, str)):
            yield function


failed = {"domain": None, "exists": False, "rateLimit": False, "error": True}


def answer(rows):
    """What a module said, without the masked addresses, numbers and names that it may have found besides."""
    row = rows[0] if len(rows) == 1 else None
    if not isinstance(row, dict) or not isinstance(row.get("domain"), str):
        return failed
    return {
        "domain": row["domain"][:255],
        "exists": row.get("exists") is True,
        "rateLimit": row.get("rateLimit") is not False,
        "error": bool(row.get("error")),
    }


if __name__ == "__main__":
    main()
    # Not the usual end: a thread or an exit handler of a module could hold it up.
    os._exit(0)
