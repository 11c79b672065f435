"""OpenCTI internal enrichment of Email-Addr: one note with the exposure evidence of a xpose service.

It gives no score, no indicator and no relationship. Licence: AGPL-3.0-only.
"""

import base64
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.parse
from email.utils import parsedate_to_datetime

from pycti import Identity, Note

VERSION = "0.1.0"
NOT_VERIFIED = "TLS was not verified"

# From lenient to strict.
TLP = ["clear", "green", "amber", "amber+strict", "red"]

# The ids of TLP markings: those of TLP 1.0, which OpenCTI keeps, its own for AMBER+STRICT, and those of TLP 2.0.
TLP_IDS = {
    "613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
    "94868c89-83c2-464b-929b-a1a8aa3c8487": "clear",
    "34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
    "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "green",
    "f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    "55d920b0-5e8b-4f79-9ee9-91f868d9b421": "amber",
    "826578e1-40ad-459f-bc73-ede076f81f37": "amber+strict",
    "939a9414-2ddd-4d32-a0cd-375ea402b003": "amber+strict",
    "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
    "e828b379-4e03-4974-9ac4-e53a884c97c1": "red",
}


class XposeConnector:
    """Answers the messages of OpenCTI. An exception leaves `process_message`: it becomes the error of the work."""

    # The time for one message.
    seconds = 240

    def __init__(self, helper, config=None):
        """`config`: the document of config.yml, or the settings by their names in the environment, which goes first."""
        self.helper = helper
        given = settings_of(config or {})
        self.max_tlp = tlp_named(given.get("max_tlp") or "amber")
        if self.max_tlp is None:
            raise ValueError("xpose: XPOSE_MAX_TLP is clear, green, amber, amber+strict or red")
        self.settings = _Settings(dict(given, api_key=key_of(given)), "xpose-opencti/" + VERSION)

    def process_message(self, data):
        entity = data["stix_entity"]
        if str(entity.get("type", "")).replace("x-opencti-", "").lower() != "email-addr":
            if data.get("event_type"):
                raise ValueError("xpose looks up Email-Addr, not {}".format(entity.get("type")))
            # In a playbook the bundle has to come back, or the playbook stops.
            self._send(data["stix_objects"])
            return "xpose looks up Email-Addr only; the bundle goes on unchanged"
        tlp = strictest_tlp(data.get("enrichment_entity") or {}, entity)
        if tlp is not None and TLP.index(tlp) > TLP.index(self.max_tlp):
            raise ValueError("xpose: TLP:{} is above XPOSE_MAX_TLP; nothing was asked".format(tlp.upper()))
        service = self.settings.service(self.seconds)
        case = service.look_up(entity["value"], _options(tlp, self.settings.cached_only))
        self._send(list(data["stix_objects"]) + [IDENTITY, self._note(entity, case)])
        return _headline(case)

    def _send(self, objects):
        self.helper.send_stix2_bundle(self.helper.stix2_create_bundle(objects), update=True)

    def _note(self, entity, case):
        email = entity["value"]
        findings = case["exposure"]["findings"]
        end = stix_time(case["finished_at"])
        seen = sorted(stix_time(finding["first_seen"]) for finding in findings if finding.get("first_seen"))
        labels = {finding["category"] for finding in findings} | {"xpose"}
        if case.get("partial"):
            labels.add("xpose-partial")
        note = {
            "type": "note",
            "spec_version": "2.1",
            # Not over the real content: the next enrichment has to update this note, whatever it finds.
            "id": Note.generate_id(None, "xpose exposure of " + email),
            "created_by_ref": IDENTITY["id"],
            "created": min([end] + seen[:1]),
            "modified": end,
            "abstract": "xpose: exposure of " + email,
            "content": content(case, self.settings.verify),
            "authors": list(dict.fromkeys(finding["source"] for finding in findings)) or ["xpose"],
            "labels": sorted(labels),
            "object_refs": [entity["id"]],
        }
        urls = dict.fromkeys((finding["source"], finding["source_url"]) for finding in findings if finding["source_url"])
        if urls:
            note["external_references"] = [{"source_name": source, "url": url} for source, url in urls]
        if entity.get("object_marking_refs"):
            note["object_marking_refs"] = list(entity["object_marking_refs"])
        return note


IDENTITY = {
    "type": "identity",
    "spec_version": "2.1",
    "id": Identity.generate_id("xpose", "system"),
    "created": "2026-01-01T00:00:00.000Z",
    "modified": "2026-01-01T00:00:00.000Z",
    "name": "xpose",
    "identity_class": "system",
}


def settings_of(config):
    """url, api_key, api_key_file, ca_file, max_tlp, cached_only, wait, verify, proxy: the environment before the file."""
    names = ("url", "api_key", "api_key_file", "ca_file", "max_tlp", "cached_only", "wait", "verify", "proxy")
    section = config.get("xpose") if isinstance(config.get("xpose"), dict) else config
    found = {}
    for name in names:
        variable = "XPOSE_" + name.upper()
        found[name] = os.environ.get(variable) or config.get(variable) or section.get(name)
    return found


def key_of(given):
    if given.get("api_key") or not given.get("api_key_file"):
        return given.get("api_key")
    try:
        with open(given["api_key_file"], encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise XposeError("xpose: XPOSE_API_KEY_FILE cannot be read: " + reason) from None


def tlp_named(text):
    mark = re.sub(r"^tlp:", "", str(text).strip().lower())
    mark = "clear" if mark == "white" else mark
    return mark if mark in TLP else None


def strictest_tlp(enrichment_entity, entity):
    """The strictest TLP of the observable, or None: an observable without a marking passes."""
    marks = []
    for marking in enrichment_entity.get("objectMarking") or []:
        if str(marking.get("definition_type", "")).upper() == "TLP":
            marks.append(tlp_named(marking.get("definition")))
    for reference in entity.get("object_marking_refs") or []:
        marks.append(TLP_IDS.get(str(reference).replace("marking-definition--", "")))
    known = [mark for mark in marks if mark is not None]
    return max(known, key=TLP.index) if known else None


def stix_time(text):
    """A time of the service, always UTC, in the form of STIX."""
    return text[:19] + ".000Z"


def content(case, is_verified):
    lines = ["**{}**".format(_headline(case)), ""]
    findings = case["exposure"]["findings"]
    if findings:
        lines.append("| Severity | Finding | Source | Corroborated by | First seen by us |")
        lines.append("| --- | --- | --- | --- | --- |")
    for finding in findings:
        cells = [
            finding["severity"],
            finding["title"],
            "{} ({})".format(finding["source"], finding["source_tier"]),
            ", ".join(finding["corroborated_by"]) or "-",
            finding.get("first_seen") or "-",
        ]
        lines.append("| {} |".format(" | ".join(escaped(cell) for cell in cells)))
    lines += ["", "Scan {}".format(case["request_id"]), "", case["disambiguation"]["reason"]]
    if not is_verified:
        lines += ["", NOT_VERIFIED]
    return "\n".join(lines)


def escaped(text):
    return re.sub(r"([\\|`*_\[\]<>])", r"\\\1", re.sub(r"\s+", " ", str(text)))


# ---- The rules: the same text in every Python connector ----


class XposeError(Exception):
    """Why there is no answer. The text is complete; `code`, `retry_after` (seconds) and `status` (HTTP) are for programs."""

    def __init__(self, message, code=None, retry_after=None, status=None):
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.status = status


MAX_ANSWER = 16 * 1024 * 1024
FINAL = ("completed", "failed")


class _Service:
    """The calls of one look-up, or of one bulk. All of them together end `seconds` after the object was made.

    `exchange(method, path, data, headers, timeout, deadline)` returns status, headers and body, or raises XposeError.
    """

    def __init__(self, exchange, wait, seconds):
        self.exchange = exchange
        self.wait = wait
        self.deadline = time.monotonic() + seconds
        self.retry_after = None

    def whoami(self):
        return self._call("GET", "/api/v1/soc/whoami")

    def look_up(self, email, options, on_wait=None):
        """The case of a scan that is completed. Raises XposeError if it failed, or is not done in time."""
        answer = self.start(email, options)
        request_id = answer["request_id"]
        while True:
            while answer.get("status") not in FINAL:
                if on_wait:
                    on_wait(request_id)
                self._sleep_before_poll(request_id, answer.get("status"))
                answer = self.poll(request_id)
            answer = self.case(request_id)
            if answer.get("status") in FINAL:
                return answer

    def start(self, email, options):
        body = {"indicator": {"type": "email", "value": email}}
        if options:
            body["options"] = options
        return _with_id("request_id", self._call("POST", "/api/v1/soc/enrich", body, waits=True))

    def poll(self, request_id):
        return self._call("GET", "/api/v1/soc/enrich/" + request_id, waits=True)

    def case(self, request_id):
        """The case, or the state of a scan that is not done. Raises XposeError if no source answered."""
        answer = self._call("GET", "/api/v1/soc/enrich/" + request_id + "/case")
        if answer.get("status") == "failed" or (answer.get("status") == "completed" and not answer.get("exposure")):
            raise XposeError(_no_source(answer.get("failed_sources") or []), code="scan_failed")
        return _readable(answer) if answer.get("status") == "completed" else answer

    def bulk(self, emails, options):
        """Rows by `_same(email)`. A row that is not completed has no total and says why."""
        distinct = list(dict.fromkeys(_same(email) for email in emails))
        rows = {}
        for at in range(0, len(distinct), 1000):
            answer = self.start_bulk(distinct[at : at + 1000], options)
            while answer.get("status") != "completed":
                try:
                    self._sleep_before_poll(answer["bulk_id"], answer.get("status"))
                except XposeError:
                    break  # The rows that are done are worth having; each of the others says that it is pending.
                answer = self.poll_bulk(answer["bulk_id"])
            rows.update(self.rows_of(distinct[at : at + 1000], answer))
        return rows

    def start_bulk(self, emails, options):
        body = {"indicators": [{"type": "email", "value": email} for email in emails]}
        if options:
            body["options"] = options
        return _with_id("bulk_id", self._call("POST", "/api/v1/soc/enrich/bulk", body, waits=True))

    def poll_bulk(self, bulk_id):
        return _with_id("bulk_id", self._call("GET", "/api/v1/soc/enrich/bulk/" + bulk_id, waits=True))

    def rows_of(self, emails, answer):
        results = answer.get("results") or []
        if len(results) != len(emails):
            raise XposeError("xpose answered {} rows for {} addresses".format(len(results), len(emails)))
        return {email: self._row(row) for email, row in zip(emails, results)}

    def _row(self, row):
        """A row of a bulk, with the reason beside it where it is not completed."""
        is_done = row.get("status") == "completed"
        return {
            "email": (row.get("indicator") or {}).get("value"),
            "status": row.get("status"),
            "request_id": row.get("request_id"),
            "total": row.get("total") if is_done else None,
            "partial": row.get("partial") if is_done else None,
            "failed_sources": row.get("failed_sources") or [],
            "reach": row.get("reach"),
            "digest": row.get("digest"),
            "error": None if is_done else self._reason_of(row),
        }

    def _reason_of(self, row):
        if row.get("status") == "failed" and row.get("request_id"):
            try:
                self.case(row["request_id"])
            except XposeError as error:
                return str(error)
        if row.get("error"):
            return str(_refusal(row["error"], None))
        return _still(row.get("request_id"), row.get("status"))

    def _sleep_before_poll(self, scan, status):
        seconds = max(1, self.retry_after or 1)
        if time.monotonic() + seconds >= self.deadline:
            raise XposeError(_still(scan, status), code="scan_pending")
        time.sleep(seconds)

    def _call(self, method, path, body=None, waits=False):
        """The answer as an object. Waits for a limit that ends in time."""
        data = None if body is None else json.dumps(body).encode("utf-8")
        while True:
            left = self.deadline - time.monotonic()
            wait = int(min(50, self.wait, left)) if waits else 0
            headers = {"Accept": "application/json"}
            if wait > 0:
                headers["Prefer"] = "wait={}".format(wait)
            if data is not None:
                headers["Content-Type"] = "application/json"
            timeout = max(2, min(left, wait + 15))
            status, answered, text = self.exchange(method, path, data, headers, timeout, self.deadline + 2)
            if 300 <= status < 400:
                raise XposeError("xpose answered {}: a redirect is not followed; correct the url".format(status))
            self.retry_after = _retry_after(answered)
            seconds = self.retry_after if status in (429, 503) else None
            if seconds is not None and time.monotonic() + max(1, seconds) < self.deadline:
                time.sleep(max(1, seconds))
                continue
            try:
                answer = json.loads(text.decode("utf-8"))
            except (ValueError, RecursionError):
                answer = None
            if not isinstance(answer, dict) or (status >= 400 and not isinstance(answer.get("error"), dict)):
                message = "xpose answered {} without JSON: the url does not lead to xpose"
                raise XposeError(message.format(status), retry_after=seconds, status=status)
            if status >= 400:
                raise _refusal(answer["error"], seconds, status)
            return answer


def _with_id(name, answer):
    """The answer, once its id can stand in a path."""
    if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", str(answer.get(name))):
        raise XposeError("xpose answered without a {}: the url does not lead to xpose".format(name))
    return answer


def _options(tlp, cached_only, max_age=None):
    options = {}
    if tlp:
        options["tlp"] = tlp
    if cached_only:
        options["cached_only"] = True
    if max_age is not None and max_age != "":
        options["max_age"] = _number("max_age", max_age, 0)
    return options


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


def _key(value):
    """A key that can stand in a header. A key with a line end would be shown by the error of the HTTP library."""
    key = str(value or "").strip()
    if not re.fullmatch(r"[!-~]+", key):
        raise XposeError("xpose: api_key is " + ("not set" if key == "" else "no key: it holds odd characters"))
    return key


def _base_url(value):
    url = str(value or "").strip().rstrip("/")
    try:
        parts = urllib.parse.urlsplit(url)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise XposeError("xpose: url is wanted, such as https://xpose.example.com, without user and password")
    return url


def _same(email):
    return email.strip().lower()


def _retry_after(headers):
    """Seconds of a Retry-After header, a number or a date; None without a usable value."""
    value = (headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    try:
        return max(0, int(parsedate_to_datetime(value).timestamp() - time.time() + 0.999))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _refusal(error, seconds, status=None):
    code = str(error.get("code"))
    message = "xpose: {} ({})".format(code, error.get("message"))
    if seconds is not None:
        message += ", retry after {} s".format(seconds)
    return XposeError(message, code=code, retry_after=seconds, status=status)


def _still(scan, status):
    return "xpose: scan {} is still {}; ask again".format(scan, status)


def _no_source(failed):
    return "xpose: no source answered: " + (_named(failed) if failed else "none is enabled")


def _named(failed):
    return ", ".join("{} ({})".format(row["source"], row["error"]) for row in failed)


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
    asked = _asked(case)
    failed = case["failed_sources"]
    sentence += "; {} of {} sources answered".format(asked - len(failed), asked)
    if failed:
        sentence += "; could not look: " + _named(failed)
    if case.get("reach") == "inside":
        sentence += "; outside sources were not asked"
    return sentence


def _asked(case):
    return sum(1 for row in case["sources"] if row["outcome"] != "skipped")


# ---- End of the rules ----


# ---- The wire: the same text in every Python connector that has the standard library only ----


class _Settings:
    """Settings as platforms hand them over: texts, null or missing. Null and empty mean the default."""

    def __init__(self, given, user_agent):
        self.user_agent = user_agent
        self.url = _base_url(given.get("url"))
        self.api_key = _key(given.get("api_key"))
        self.wait = _number("wait", given.get("wait"), 50)
        self.cached_only = _boolean("cached_only", given.get("cached_only"), False)
        self.verify = _boolean("verify", given.get("verify"), True)
        self.proxy = str(given.get("proxy") or "").strip()
        self.ca_file = str(given.get("ca_file") or "").strip()

    def service(self, seconds):
        return _Service(self.exchange, self.wait, seconds)

    def exchange(self, method, path, data, headers, timeout, deadline):
        """One call. Nothing here follows a redirect or reads a proxy from the environment."""
        headers = dict(headers, **{"X-API-Key": self.api_key, "User-Agent": self.user_agent})
        connection, target = self._connection(path, timeout, headers)
        try:
            connection.request(method, target, body=data, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, _read(response, deadline)
        except ssl.SSLCertVerificationError as error:
            raise _away("the certificate is not trusted: " + error.verify_message) from None
        except socket.timeout:
            raise _away("timed out") from None
        except UnicodeError:
            raise XposeError("xpose: url holds characters that no URL has") from None
        except (OSError, http.client.HTTPException) as error:
            raise _away(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
        finally:
            connection.close()

    def _connection(self, path, timeout, headers):
        """A connection, through the proxy if there is one, and the target that stands in the request line."""
        url = urllib.parse.urlsplit(self.url)
        proxy, credentials = self._proxy()
        host = (url.hostname, url.port) if proxy is None else proxy
        if url.scheme == "http":
            headers.update(credentials)
            target = url.path + path if proxy is None else self.url + path
            return http.client.HTTPConnection(*host, timeout=timeout), target
        connection = http.client.HTTPSConnection(*host, timeout=timeout, context=self._tls())
        if proxy is not None:
            connection.set_tunnel(url.hostname, url.port or 443, headers=credentials)
        return connection, url.path + path

    def _proxy(self):
        """Host and port of the proxy, or None, and the header with its credentials."""
        if not self.proxy:
            return None, {}
        try:
            proxy = urllib.parse.urlsplit(self.proxy)
            port = proxy.port or 8080
        except ValueError:
            proxy = None
        if proxy is None or proxy.scheme != "http" or not proxy.hostname:
            raise XposeError("xpose: proxy is wanted as http://host:port")
        if proxy.username is None:
            return (proxy.hostname, port), {}
        pair = "{}:{}".format(urllib.parse.unquote(proxy.username), urllib.parse.unquote(proxy.password or ""))
        basic = base64.b64encode(pair.encode("utf-8")).decode("ascii")
        return (proxy.hostname, port), {"Proxy-Authorization": "Basic " + basic}

    def _tls(self):
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


def _read(response, deadline):
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
        if time.monotonic() > deadline:
            raise socket.timeout("timed out")


def _away(reason):
    return XposeError("xpose does not answer: " + reason, code="no_answer")


# ---- End of the wire ----
