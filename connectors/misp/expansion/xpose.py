"""MISP expansion module: exposure evidence about an email address from a xpose service.

One file, standard library only (Python 3.8 and newer). It gives attributes that detect nothing: to_ids is false,
correlation is off. Nothing runs when the file is imported. Licence: AGPL-3.0-only.
"""

import base64
import http.client
import json
import re
import socket
import ssl
import time
import urllib.parse
import uuid
from email.utils import parsedate_to_datetime

VERSION = "0.1.0"
NOT_VERIFIED = "TLS was not verified"

INPUT = ["email", "email-src", "email-dst", "email-reply-to", "target-email", "whois-registrant-email"]
OUTPUT = ["text", "link", "comment"]
CONFIG = ["url", "api_key", "wait", "ca_file", "verify", "proxy", "cached_only", "tlp"]

moduleinfo = {
    "version": VERSION,
    "author": "xpose",
    "description": "Exposure of an email address: sourced, corroborated, timestamped evidence from your xpose service.",
    "module-type": ["expansion", "hover"],
    "name": "xpose exposure",
    "logo": "",
    "requirements": ["A xpose service and an API key of it."],
    "features": "Adds one text attribute with a summary in one sentence, then one per finding, and a link where the "
    "finding has one. A look-up without any answer is an error, never an empty result.",
    "references": [],
    "input": "An attribute that is an email address.",
    "output": "Attributes of type text and link, without correlation.",
}

# From lenient to strict.
TLP = ["clear", "green", "amber", "amber+strict", "red"]

# The name space of our attribute UUIDs. It never changes: a second enrichment must bring the same UUIDs.
NAMESPACE = uuid.UUID("6f4d0d0a-5e0e-5d52-9a8b-0b7f6f2f6f0e")

# MISP gives up after 300 seconds, or what the request says. We end before it: it would leave our thread running.
PLATFORM_SECONDS = 300
SPARE_SECONDS = 5


def introspection():
    return {"input": INPUT, "output": OUTPUT, "format": "misp_standard"}


def version():
    return dict(moduleinfo, config=CONFIG)


def handler(q=False):
    """The older entry of misp-modules: the request as JSON text."""
    if q is False:
        return False
    try:
        request = json.loads(q)
    except (TypeError, ValueError):
        return {"error": "xpose: the request is no JSON"}
    return dict_handler(request)


def dict_handler(request):
    """Answers {"results"} or {"error"}. No exception may leave: an AttributeError would start the look-up again."""
    try:
        return _answer(request)
    except XposeError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - the text of an unknown error may hold a setting, so only its type is told
        return {"error": "xpose: the module failed ({})".format(type(error).__name__)}


def _answer(request):
    attribute = request.get("attribute")
    is_standard = isinstance(attribute, dict)
    kind, email = (attribute.get("type"), attribute.get("value")) if is_standard else _old_form(request)
    if kind not in INPUT:
        raise XposeError("xpose looks up email addresses, not {}".format(kind))
    if not isinstance(email, str) or not email.strip():
        raise XposeError("xpose: the attribute has no value")
    config = request.get("config") or {}
    settings = _Settings(config, "xpose-misp/" + VERSION)
    tlp = _tlp(attribute.get("Tag") if is_standard else None, config.get("tlp"))
    case = _Service(settings, _seconds(request.get("timeout"))).look_up(email.strip(), _options(tlp, settings.cached_only))
    warning = "" if settings.verify else "; " + NOT_VERIFIED
    about = "xpose scan {}, {}{}".format(case["request_id"], case["disambiguation"]["reason"], warning)
    if is_standard:
        return {"results": {"Attribute": _attributes(case, about, tlp)}}
    return {"results": _old_results(case, about)}


def _old_form(request):
    """The type and value of a request like {"module": "xpose", "email-src": "jane.doe@example.com"}."""
    for kind in INPUT:
        if kind in request:
            return kind, request[kind]
    others = [name for name in request if name not in ("module", "config", "timeout", "event_id", "attribute_uuid")]
    return (others[0] if others else "nothing"), None


def _seconds(timeout):
    given = _number("timeout", timeout, PLATFORM_SECONDS) or PLATFORM_SECONDS
    return max(1, min(given, PLATFORM_SECONDS) - SPARE_SECONDS)


def _tlp(tags, setting):
    """The strictest marking of the attribute, else the setting, else None."""
    names = [str(tag.get("name", "")).lower() for tag in tags or [] if isinstance(tag, dict)]
    marks = [_known_tlp(name[len("tlp:") :]) for name in names if name.startswith("tlp:")]
    found = [mark for mark in marks if mark is not None]
    if found:
        return max(found, key=TLP.index)
    if not setting:
        return None
    known = _known_tlp(re.sub(r"^tlp:", "", str(setting).strip().lower()))
    if known is None:
        raise XposeError("xpose: tlp is clear, green, amber, amber+strict or red, not {!r}".format(setting))
    return known


def _known_tlp(mark):
    mark = "clear" if mark == "white" else mark
    return mark if mark in TLP else None


def _attributes(case, about, tlp):
    email = case["indicator"]["value"]
    headline = "xpose: " + _headline(case)
    found = [_attribute(email, "text", "Other", headline, about, "xpose", "headline", tlp)]
    for finding in case["exposure"]["findings"]:
        source, category, title = finding["source"], finding["category"], finding["title"]
        text = _attribute(email, "text", "Other", title, _comment(finding), source, category, tlp)
        text.update({name: finding[name] for name in ("first_seen", "last_seen") if finding.get(name)})
        found.append(text)
        if finding.get("source_url"):
            comment = "{}: {}".format(source, title)
            url = finding["source_url"]
            found.append(_attribute(email, "link", "External analysis", url, comment, source, category, tlp))
    # Two findings can share a link; an event cannot hold one UUID twice.
    return list({attribute["uuid"]: attribute for attribute in reversed(found)}.values())[::-1]


def _attribute(email, kind, misp_category, value, comment, source, category, tlp):
    name = "\n".join([email, kind, value, source, category])
    attribute = {
        "uuid": str(uuid.uuid5(NAMESPACE, name)),
        "type": kind,
        "category": misp_category,
        "value": value,
        "comment": comment,
        "to_ids": False,
        "disable_correlation": True,
        "distribution": "5",
    }
    if tlp:
        attribute["Tag"] = [{"name": "tlp:" + tlp}]
    return attribute


def _comment(finding):
    return "source={} reliability={} ({}) corroborated_by={} category={} severity={}".format(
        finding["source"],
        finding["source_confidence"],
        finding["source_tier"],
        ",".join(finding["corroborated_by"]) or "-",
        finding["category"],
        finding["severity"],
    )


def _old_results(case, about):
    """The older answer: each value is one text, for MISP shows a list of objects as `Array`."""
    results = [_old_result("text", "xpose: " + _headline(case)), _old_result("comment", about)]
    for finding in case["exposure"]["findings"]:
        results.append(_old_result("text", "{} ({})".format(finding["title"], _comment(finding))))
        if finding.get("source_url"):
            results.append(_old_result("link", finding["source_url"]))
    return results


def _old_result(kind, value):
    return {"types": [kind], "values": [value]}


# ---- The wire: the same text in every Python connector that has the standard library only ----


class XposeError(Exception):
    """Why there is no answer. The text is complete; `code` and `retry_after` (seconds) are for programs."""

    def __init__(self, message, code=None, retry_after=None):
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


MAX_ANSWER = 16 * 1024 * 1024


class _Settings:
    """Settings as platforms hand them over: texts, null or missing. Null and empty mean the default."""

    def __init__(self, given, user_agent):
        given = {name: value for name, value in given.items() if value is not None and value != ""}
        self.user_agent = user_agent
        self.url = str(given.get("url", "")).strip().rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise XposeError("xpose: url is wanted, such as https://xpose.example.com, without user and password")
        self.api_key = str(given.get("api_key", "")).strip()
        if not re.fullmatch(r"[!-~]+", self.api_key):
            raise XposeError("xpose: api_key is " + ("not set" if self.api_key == "" else "no key: it holds odd characters"))
        self.wait = _number("wait", given.get("wait"), 50)
        self.cached_only = _boolean("cached_only", given.get("cached_only"), False)
        self.verify = _boolean("verify", given.get("verify"), True)
        self.proxy = str(given.get("proxy", "")).strip()
        self.ca_file = str(given.get("ca_file", "")).strip()

    def tls(self):
        """The known authorities and the one of `ca_file`."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except (OSError, ssl.SSLError) as error:
                reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
                raise XposeError("xpose: ca_file cannot be read: {}".format(reason)) from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _number(name, value, default):
    if value is None or value == "":
        return default
    try:
        return max(0, int(float(value)))
    except (TypeError, ValueError, OverflowError):
        raise XposeError("xpose: {} is a number of seconds, not {!r}".format(name, value)) from None


def _boolean(name, value, default):
    if value is None or value == "":
        return default
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    found = known.get(str(value).strip().lower())
    if found is None:
        raise XposeError("xpose: {} is true or false, not {!r}".format(name, value))
    return found


def _options(tlp, cached_only, max_age=None):
    options = {}
    if tlp:
        options["tlp"] = tlp
    if cached_only:
        options["cached_only"] = True
    if max_age is not None and max_age != "":
        options["max_age"] = _number("max_age", max_age, 0)
    return options


class _Service:
    """The calls of one look-up. All of them together end `seconds` after the object was made."""

    def __init__(self, settings, seconds):
        self.settings = settings
        self.deadline = time.monotonic() + seconds

    def whoami(self):
        return self._call("GET", "/api/v1/soc/whoami")[0]

    def look_up(self, email, options):
        body = {"indicator": {"type": "email", "value": email}}
        if options:
            body["options"] = options
        answer, headers = self._call("POST", "/api/v1/soc/enrich", body, waits=True)
        request_id = answer.get("request_id")
        if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", str(request_id)):
            raise XposeError("xpose answered without a request_id: the url does not lead to xpose")
        path = "/api/v1/soc/enrich/" + request_id
        while True:
            while answer.get("status") not in ("completed", "failed"):
                self._sleep_before_poll(headers, request_id, answer.get("status"))
                answer, headers = self._call("GET", path, waits=True)
            answer, headers = self._call("GET", path + "/case")
            if answer.get("status") == "failed" or (answer.get("status") == "completed" and not answer.get("exposure")):
                raise XposeError(_no_source(answer.get("failed_sources") or []), code="scan_failed")
            if answer.get("status") == "completed":
                return _readable(answer)

    def bulk(self, emails, options):
        """Rows by `_same(email)`. A row that is not completed has no total and says why."""
        distinct = list(dict.fromkeys(_same(email) for email in emails))
        rows = {}
        for start in range(0, len(distinct), 1000):
            part = distinct[start : start + 1000]
            body = {"indicators": [{"type": "email", "value": email} for email in part]}
            if options:
                body["options"] = options
            answer, headers = self._call("POST", "/api/v1/soc/enrich/bulk", body, waits=True)
            if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", str(answer.get("bulk_id"))):
                raise XposeError("xpose answered without a bulk_id: the url does not lead to xpose")
            while answer.get("status") != "completed":
                try:
                    self._sleep_before_poll(headers, answer["bulk_id"], answer.get("status"))
                except XposeError:
                    break  # The rows that are done are worth having; each of the others says that it is pending.
                answer, headers = self._call("GET", "/api/v1/soc/enrich/bulk/" + answer["bulk_id"], waits=True)
            results = answer.get("results") or []
            if len(results) != len(part):
                raise XposeError("xpose answered {} rows for {} addresses".format(len(results), len(part)))
            rows.update({email: _bulk_row(row) for email, row in zip(part, results)})
        return rows

    def _sleep_before_poll(self, headers, scan, status):
        seconds = max(1, _retry_after(headers) or 1)
        if time.monotonic() + seconds >= self.deadline:
            raise XposeError("xpose: scan {} is still {}; ask again".format(scan, status), code="scan_pending")
        time.sleep(seconds)

    def _call(self, method, path, body=None, waits=False):
        """The answer as an object, and its headers. Waits for a limit that ends in time."""
        while True:
            status, headers, text = self._exchange(method, path, body, waits)
            if 300 <= status < 400:
                raise XposeError("xpose answered {}: a redirect is not followed; correct the url".format(status))
            seconds = _retry_after(headers) if status in (429, 503) else None
            if seconds is not None and time.monotonic() + max(1, seconds) < self.deadline:
                time.sleep(max(1, seconds))
                continue
            try:
                answer = json.loads(text.decode("utf-8"))
            except (ValueError, RecursionError):
                answer = None
            if not isinstance(answer, dict) or (status >= 400 and not isinstance(answer.get("error"), dict)):
                message = "xpose answered {} without JSON: the url does not lead to xpose"
                raise XposeError(message.format(status), retry_after=seconds)
            if status >= 400:
                raise _refusal(answer["error"], seconds)
            return answer, headers

    def _exchange(self, method, path, body, waits):
        left = self.deadline - time.monotonic()
        wait = int(min(50, self.settings.wait, left)) if waits else 0
        headers = {
            "X-API-Key": self.settings.api_key,
            "Accept": "application/json",
            "User-Agent": self.settings.user_agent,
        }
        if wait > 0:
            headers["Prefer"] = "wait={}".format(wait)
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode("utf-8")
        connection, target = self._connection(path, max(0.1, min(left, wait + 15)), headers)
        try:
            connection.request(method, target, body=data, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, self._read(response)
        except ssl.SSLCertVerificationError as error:
            raise _away("the certificate is not trusted: " + error.verify_message) from None
        except UnicodeError:
            raise XposeError("xpose: url holds characters that no URL has") from None
        except (OSError, http.client.HTTPException) as error:
            raise _away(_reason(error)) from None
        finally:
            connection.close()

    def _connection(self, path, timeout, headers):
        """A connection, through the proxy if there is one, and the target that stands in the request line."""
        url = urllib.parse.urlsplit(self.settings.url)
        is_secure = url.scheme == "https"
        target = url.path + path
        try:
            host, port = url.hostname, url.port
            proxy = urllib.parse.urlsplit(self.settings.proxy) if self.settings.proxy else None
            proxy_host, proxy_port = (None, None) if proxy is None else (proxy.hostname, proxy.port or 8080)
        except ValueError:
            raise XposeError("xpose: the port of url or proxy is no number") from None
        if proxy is not None and (proxy.scheme != "http" or not proxy_host):
            raise XposeError("xpose: proxy is wanted as http://host:port")
        credentials = {}
        if proxy is not None and proxy.username is not None:
            pair = "{}:{}".format(urllib.parse.unquote(proxy.username), urllib.parse.unquote(proxy.password or ""))
            credentials["Proxy-Authorization"] = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")
        first = (proxy_host, proxy_port) if proxy is not None else (host, port)
        if not is_secure:
            headers.update(credentials)
            whole = self.settings.url.split("?")[0] + path
            return http.client.HTTPConnection(*first, timeout=timeout), whole if proxy is not None else target
        connection = http.client.HTTPSConnection(*first, timeout=timeout, context=self.settings.tls())
        if proxy is not None:
            connection.set_tunnel(host, port or 443, headers=credentials)
        return connection, target

    def _read(self, response):
        parts, size = [], 0
        while True:
            part = response.read1(65536)
            if not part:
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise XposeError("xpose answered {} with more than 16 MiB".format(response.status))
            if time.monotonic() > self.deadline:
                raise socket.timeout("timed out")


def _same(email):
    return email.strip().lower()


def _bulk_row(row):
    """A row of a bulk with the reason beside it where it is not completed."""
    error = row.get("error") or {}
    is_done = row.get("status") == "completed"
    names = [name for name in row.get("failed_sources") or []]
    if is_done:
        reason = None
    elif row.get("status") == "failed":
        reason = "xpose: no source answered: " + (", ".join(names) or "none is enabled")
    elif error:
        reason = str(_refusal(error, None))
    else:
        reason = "xpose: scan {} is still {}; ask again".format(row.get("request_id"), row.get("status"))
    return {
        "email": (row.get("indicator") or {}).get("value"),
        "status": row.get("status"),
        "request_id": row.get("request_id"),
        "total": row.get("total") if is_done else None,
        "partial": row.get("partial") if is_done else None,
        "failed_sources": names,
        "reach": row.get("reach"),
        "digest": row.get("digest"),
        "error": reason,
    }


def _retry_after(headers):
    """Seconds of a Retry-After header, a number or a date; None without a usable one."""
    value = (headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    try:
        return max(0, int(parsedate_to_datetime(value).timestamp() - time.time() + 0.999))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _refusal(error, seconds):
    code = str(error.get("code"))
    message = "xpose: {} ({})".format(code, error.get("message"))
    if seconds is not None:
        message += ", retry after {} s".format(seconds)
    return XposeError(message, code=code, retry_after=seconds)


def _away(reason):
    return XposeError("xpose does not answer: " + reason, code="no_answer")


def _reason(error):
    if isinstance(error, socket.timeout):
        return "timed out"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _readable(case):
    """The case itself, once its headline can be said."""
    try:
        _headline(case)
    except (KeyError, TypeError, AttributeError):
        raise XposeError("xpose answered a case that cannot be read: the url does not lead to xpose") from None
    return case


def _headline(case):
    """The one sentence about a case, the same in all connectors."""
    exposure = case["exposure"]
    total = exposure["total"]
    sentence = "No finding" if total == 0 else "1 finding" if total == 1 else "{} findings".format(total)
    by_severity = exposure["by_severity"]
    severities = ["{} {}".format(by_severity[name], name) for name in ("high", "medium", "low") if by_severity.get(name)]
    if severities:
        sentence += " ({})".format(", ".join(severities))
    asked = sum(1 for row in case["sources"] if row["outcome"] != "skipped")
    failed = case["failed_sources"]
    sentence += "; {} of {} sources answered".format(asked - len(failed), asked)
    if failed:
        sentence += "; could not look: " + _named(failed)
    if case.get("reach") == "inside":
        sentence += "; outside sources were not asked"
    return sentence


def _no_source(failed):
    return "xpose: no source answered: " + (_named(failed) if failed else "none is enabled")


def _named(failed):
    return ", ".join("{} ({})".format(row["source"], row["error"]) for row in failed)


# ---- End of the wire ----
