"""Asks holehe's modules about one address. Uses nothing else of holehe.

Input, on standard input: {"nonce", "email", "skip": [...], "unsupported": [...], "seconds"}. Output, on descriptor 3:
one line per site, the nonce followed by the JSON {"domain", "outcome", "detail"}, then {"sites"} as the end mark; or a
single {"missing"} when a package is missing. `outcome` is "exists", "unused", or why the site gave no usable answer, as
a reason code of xpose (docs/contract.md 6.5). `ca.pem` in the home folder holds additional trusted certificates.

The result of a request is taken from our own HTTP client, never from a module: most modules report "rate limit" for any
exception, and some report "unused". Modules cannot start processes. The function of holehe.core that upgrades holehe
from the network, the first thing holehe's own command does, is never called.
"""

import fcntl
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import re
import secrets
import socket
import ssl
import string
import sys
import typing
import urllib.parse


def main():
    task = json.load(sys.stdin.buffer)
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
    email, seconds = task["email"], task["seconds"]
    skip, unsupported = frozenset(task["skip"]), frozenset(task["unsupported"])
    sites = list(find_sites(package.__path__, package.__name__ + ".", skip, unsupported))
    Client = client_class(httpx, trio)
    certificates = known_certificates(httpx)

    async def question(site, address):
        """Asks a site about one address, with a new client: no cookies are shared between questions."""
        rows = []
        end = "raised"
        client = Client(address, timeout=seconds, verify=certificates)
        try:
            with trio.move_on_after(seconds) as limit:
                async with client:
                    await site.function(address, client, rows)
                    end = "returned"
        except BaseException:  # Includes SystemExit: one site must not end the others.
            pass
        if end == "raised" and limit.cancelled_caught:
            end = "timeout"
        return judge(site, rows, end, client.met)

    async def ask(site):
        answer = site.answer or await question(site, email)
        if answer.outcome == "exists":
            # Some sites, or filters in front of them, report every address as existing.
            control = await question(site, stranger_beside(email))
            if control.outcome == "exists":
                answer = Answer(answer.domain, "bad_answer", "the same about every address")
            elif control.outcome != "unused":
                # The control question failed, so the answer proves nothing.
                answer = Answer(answer.domain, control.outcome, control.detail)
        write(answer._asdict())

    async def ask_all():
        # Names are resolved in threads, 40 at once by default. Raised, so that slow names do not delay the others.
        trio.to_thread.current_default_thread_limiter().total_tokens = 1_000
        async with trio.open_nursery() as nursery:
            for site in sites:
                nursery.start_soon(ask, site)

    trio.run(ask_all)
    write({"sites": len(sites)})


def open_channel(nonce):
    """Hides the descriptors of the task from the modules: output to 0 or 3 goes to /dev/null.

    A module that searches the open files finds the channel, but not the nonce, which is only in this process's memory.
    """
    descriptor = fcntl.fcntl(3, fcntl.F_DUPFD_CLOEXEC, 100)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 3)

    def write(message):
        # A line break first: earlier output without a final line break cannot spoil this line.
        line = memoryview(f"\n{nonce} {json.dumps(message)}\n".encode())
        while line:
            line = line[os.write(descriptor, line) :]

    return write


def refuse_processes(event, _arguments):
    if event in ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"):
        raise PermissionError("modules start no process")


class Answer(typing.NamedTuple):
    domain: typing.Optional[str]
    outcome: str
    # Our own short text about a fault.
    detail: typing.Optional[str] = None


class Site(typing.NamedTuple):
    function: typing.Any = None
    domain: typing.Optional[str] = None
    # Set for a site that cannot be asked.
    answer: typing.Optional[Answer] = None


def find_sites(path, prefix, skip, unsupported):
    """Yields the sites. The function of a site has the name of its module. Each module is imported on its own. A module
    is skipped by any part of its name before the import, or by any text in its function (its domain, its method) before
    the call."""
    for _, name, is_package in pkgutil.iter_modules(path, prefix):
        if not skip.isdisjoint(name.split(".")):
            continue
        try:
            module = importlib.import_module(name)
        except BaseException as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            yield Site(answer=Answer(None, "not_installed", missing))
            continue
        if is_package:
            yield from find_sites(module.__path__, name + ".", skip, unsupported)
            continue
        function = getattr(module, name.rpartition(".")[2], None)
        if not inspect.iscoroutinefunction(function):
            continue
        texts = [text for text in function.__code__.co_consts if isinstance(text, str)]
        if not skip.isdisjoint(texts):
            continue
        domain = next(filter(re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+").fullmatch, texts), None)
        if unsupported.isdisjoint([*texts, *name.split(".")]):
            yield Site(function, domain)
        else:
            yield Site(answer=Answer(domain, "unsupported"))


def stranger_beside(email):
    """A random, unused address of the same domain: a site that knows this address reports every address."""
    local_part = "".join(secrets.choice(string.ascii_lowercase) for _ in range(20))
    return local_part + email[email.index("@") :]


def judge(site, rows, end, met):
    """Judges the row of a module by the result of its requests. Keeps only the domain of the row: its other members are
    masked addresses, numbers and names. A module that timed out proves nothing, whatever its requests returned."""
    row = rows[0] if len(rows) == 1 and type(rows[0]) is dict else {}
    domain = row["domain"][:255] if type(row.get("domain")) is str else site.domain
    if end == "timeout":
        return Answer(domain, "timeout")
    is_said = end == "returned" and row.get("rateLimit") is False and row.get("error") in (None, False)
    if is_said and row.get("exists") is True and met.may_exist:
        return Answer(domain, "exists")
    if is_said and row.get("exists") is False and met.is_answer:
        return Answer(domain, "unused")
    return Answer(domain, met.reason, met.detail)


class Met(typing.NamedTuple):
    """The result of a module's last request."""

    # False when the site did not answer, or something else answered in its place.
    is_answer: bool
    # The fault to report if the module gives no usable row.
    reason: str
    detail: typing.Optional[str] = None

    @property
    def may_exist(self):
        # One site redirects known addresses to its login page.
        return self.is_answer or self.reason == "redirect"


def met_by_status(status):
    if 300 <= status < 400:
        return Met(False, "redirect")
    if status == 407:
        return Met(False, "unreachable", "the proxy wants a login")
    if status == 429:
        return Met(False, "rate_limited")
    if 400 <= status < 500:
        # 403 and 451 come from filters. Many sites use the other codes as regular answers.
        return Met(status not in (403, 451), "http_4xx", str(status))
    if status >= 500:
        return Met(False, "http_5xx", str(status))
    return Met(True, "bad_answer")


def client_class(httpx, trio):
    class Client(httpx.AsyncClient):
        """A client for one question. Encodes the address in URLs and records the result of the last request."""

        def __init__(self, address, **options):
            super().__init__(event_hooks={"response": [self.note_head]}, **options)
            self.address = address
            self.met = Met(True, "bad_answer")
            self.sent_at = 0.0
            self.has_head = False

        def build_request(self, method, url, *arguments, **options):
            # Many modules paste the address into a URL unencoded, where `+ # & % / ?` would change it. An address
            # that a module has encoded contains no `@` and is left alone.
            if isinstance(url, str):
                url = url.replace(self.address, urllib.parse.quote(self.address, safe=""))
            return super().build_request(method, url, *arguments, **options)

        async def send(self, *arguments, **options):
            self.sent_at = trio.current_time()
            self.has_head = False
            try:
                return await super().send(*arguments, **options)
            except BaseException as error:
                self.met = self.met_by(error)
                raise

        async def note_head(self, response):
            self.has_head = True
            self.met = met_by_status(response.status_code)

        def met_by(self, error):
            causes = causes_of(error)
            tls_fault = next(filter(None, map(tls_fault_of, causes)), None)
            if isinstance(error, (httpx.TimeoutException, trio.Cancelled)):
                return Met(False, "timeout")
            if any(map(is_no_name_server, causes)) and trio.current_time() - self.sent_at > 1:
                # The resolver's own timeout ends at about the same time as ours.
                return Met(False, "timeout", "no answer from a name server")
            if tls_fault is not None:
                return Met(False, "tls", tls_fault)
            if isinstance(error, httpx.TooManyRedirects):
                return Met(False, "redirect")
            if isinstance(error, httpx.ProxyError):
                status = re.match(r"[0-9]{3}\b", str(error))
                return Met(False, "unreachable", f"refused by the proxy{f' with {status[0]}' if status else ''}")
            if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)) and not self.has_head:
                return Met(False, "unreachable", next(filter(None, map(network_fault_of, causes)), None))
            # A truncated answer, or an answer that led the module to an invalid request.
            return Met(False, "bad_answer" if isinstance(error, (httpx.HTTPError, httpx.InvalidURL)) else "internal")

    return Client


def causes_of(error):
    """An exception and its causes."""
    seen = []
    left = [error]
    while left and len(seen) < 50:
        one = left.pop(0)
        seen.append(one)
        left += [cause for cause in (one.__cause__ or one.__context__, *getattr(one, "exceptions", ())) if cause]
    return seen


def tls_fault_of(error):
    if not isinstance(error, ssl.SSLError) or isinstance(error, (ssl.SSLEOFError, ssl.SSLSyscallError)):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        # X509_V_ERR_* of openssl/x509_vfy.h.
        return {10: "expired", 62: "wrong name", 64: "wrong name"}.get(error.verify_code, "unknown authority")
    return "no TLS" if "WRONG_VERSION" in str(error.reason) else "no handshake"


def network_fault_of(error):
    if is_no_name_server(error):
        return "no answer from a name server"
    if isinstance(error, socket.gaierror):
        return "unknown name"
    return "connection refused" if isinstance(error, ConnectionRefusedError) else None


def is_no_name_server(error):
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN


def known_certificates(httpx):
    """The certificates of Python's packages, of the system, and of the operator."""
    certificates = httpx.create_ssl_context()
    certificates.load_default_certs()
    added = pathlib.Path.home() / "ca.pem"
    if added.exists():
        certificates.load_verify_locations(cafile=added)
    return certificates


if __name__ == "__main__":
    main()
    # Exit at once: a thread or exit handler of a module could block a regular exit.
    os._exit(0)
