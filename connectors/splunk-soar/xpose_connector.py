"""xpose for Splunk SOAR: exposure evidence about email addresses. Licence: AGPL-3.0-only."""

import json
import re
import ssl
import time
import urllib.parse
from email.utils import parsedate_to_datetime

import certifi
import phantom.app as phantom
import requests
import urllib3
from phantom.action_result import ActionResult
from phantom.base_connector import BaseConnector

import xpose_consts as consts


class XposeConnector(BaseConnector):
    def handle_action(self, param):
        actions = {
            "test_connectivity": self._test_connectivity,
            "look_up_email": self._look_up_email,
            "bulk_look_up": self._bulk_look_up,
            "add_to_watch_list": self._add_to_watch_list,
        }
        action = actions.get(self.get_action_identifier())
        if action is None:
            return phantom.APP_ERROR
        return action(param)

    def _test_connectivity(self, param):
        result = self.add_action_result(ActionResult(dict(param)))
        try:
            answer = self._service().whoami()
        except XposeError as error:
            self.save_progress(str(error))
            return result.set_status(phantom.APP_ERROR, str(error))
        scopes = ", ".join((answer.get("key") or {}).get("scopes") or []) or "all"
        self.save_progress("xpose answers; scopes of the key: {}".format(scopes))
        return result.set_status(phantom.APP_SUCCESS, "xpose answers")

    def _look_up_email(self, param):
        result = self.add_action_result(ActionResult(dict(param)))
        try:
            service = self._service()
            options = _options(param.get("tlp"), _boolean("cached_only", param.get("cached_only"), False))
            waiting = "waiting for scan {}".format
            case = service.look_up(param["email"], options, lambda scan: self.save_progress(waiting(scan)))
        except XposeError as error:
            return result.set_status(phantom.APP_ERROR, str(error))
        return self._fill(result, case)

    def _bulk_look_up(self, param):
        """One action result per address."""
        emails = list({_same(text): text for text in re.split(r"[\s,;]+", param["emails"]) if text})
        results = {email: self.add_action_result(ActionResult(dict(param, email=email))) for email in emails}
        try:
            service = self._service()
            options = _options(param.get("tlp"), _boolean("cached_only", param.get("cached_only"), False))
            rows = service.bulk(emails, options)
        except XposeError as error:
            for result in results.values():
                result.set_status(phantom.APP_ERROR, str(error))
            return phantom.APP_ERROR
        for email, result in results.items():
            self._fill_row(service, result, rows[email])
        is_good = all(phantom.is_success(result.get_status()) for result in results.values())
        return phantom.APP_SUCCESS if is_good else phantom.APP_ERROR

    def _fill_row(self, service, result, row):
        if row["status"] != "completed":
            return result.set_status(phantom.APP_ERROR, row["error"])
        try:
            return self._fill(result, service.case(row["request_id"]))
        except XposeError as error:
            return result.set_status(phantom.APP_ERROR, str(error))

    def _add_to_watch_list(self, param):
        result = self.add_action_result(ActionResult(dict(param)))
        emails = list({_same(text): text for text in re.split(r"[\s,;]+", param["emails"]) if text})
        body = {"indicators": [{"type": "email", "value": email} for email in emails]}
        if param.get("label"):
            body["label"] = param["label"]
        try:
            answer = self._service()._call("POST", "/api/v1/soc/watch", body)
        except XposeError as error:
            return result.set_status(phantom.APP_ERROR, str(error))
        result.add_data(answer)
        result.update_summary(self._with_warning({"added": answer.get("added"), "total": answer.get("total")}))
        message = "{} added, {} already there".format(answer.get("added"), answer.get("already"))
        return result.set_status(phantom.APP_SUCCESS, message)

    def _fill(self, result, case):
        """The case as data, whether anything was found or not, so that every data path has a row."""
        exposure = case["exposure"]
        by_severity = exposure["by_severity"]
        asked = _asked(case)
        result.add_data(case)
        summary = {
            "headline": _headline(case),
            "total": exposure["total"],
            "high": by_severity.get("high", 0),
            "medium": by_severity.get("medium", 0),
            "low": by_severity.get("low", 0),
            "partial": bool(case.get("partial")),
            "sources_asked": asked,
            "sources_answered": asked - len(case["failed_sources"]),
        }
        result.update_summary(self._with_warning(summary))
        return result.set_status(phantom.APP_SUCCESS, _headline(case))

    def _with_warning(self, summary):
        is_verified = _boolean("verify_server_cert", self.get_config().get("verify_server_cert"), True)
        return summary if is_verified else dict(summary, warning=consts.NOT_VERIFIED)

    def _service(self):
        return _Service(_Transport(self.get_config()).exchange, consts.WAIT_SECONDS, consts.SECONDS)


class _Transport:
    """The wire by the `requests` of the platform. Its proxy is that of the platform's settings."""

    def __init__(self, config):
        self.url = _base_url(config.get("url"))
        self.api_key = _key(config.get("api_key"))
        self.is_verified = _boolean("verify_server_cert", config.get("verify_server_cert"), True)
        self.session = requests.Session()
        self.session.mount("https://", _Adapter(_tls(config.get("ca_file"), self.is_verified)))

    def exchange(self, method, path, data, headers, timeout, deadline):
        headers = dict(headers, **{"X-API-Key": self.api_key, "User-Agent": "xpose-splunk-soar/" + consts.VERSION})
        try:
            with self.session.request(
                method,
                self.url + path,
                data=data,
                headers=headers,
                timeout=timeout,
                verify=self.is_verified,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code, response.headers, _read(response, deadline)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _away(error) from None


class _Adapter(requests.adapters.HTTPAdapter):
    """Hands a TLS context of our own to urllib3: `verify=FILE` would replace the known authorities."""

    def __init__(self, context):
        self.context = context
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        return super().init_poolmanager(*args, ssl_context=self.context, **kwargs)

    def proxy_manager_for(self, proxy, **kwargs):
        return super().proxy_manager_for(proxy, ssl_context=self.context, **kwargs)


def _tls(ca_file, is_verified):
    # The context of urllib3 and not of ssl: with an IP address in the url, urllib3 1.26 compares the names itself.
    context = urllib3.util.ssl_.create_urllib3_context()
    context.load_default_certs()
    context.load_verify_locations(cafile=certifi.where())
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise XposeError("xpose: ca_file cannot be read: {}".format(reason)) from None
    if not is_verified:
        urllib3.disable_warnings()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _read(response, deadline):
    parts, size = [], 0
    for part in response.iter_content(65536):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            raise XposeError("xpose answered {} with more than 16 MiB".format(response.status_code))
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout()
    return b"".join(parts)


def _away(error):
    """Why there is no connection, in words of our own: those of the library can hold the address of the proxy."""
    known = requests.exceptions
    for kind, reason in (
        (known.ProxyError, "the proxy does not answer"),
        (known.SSLError, "the certificate is not trusted"),
        ((known.Timeout, urllib3.exceptions.ReadTimeoutError), "timed out"),
        (known.ConnectionError, "no connection"),
    ):
        if isinstance(error, kind):
            return XposeError("xpose does not answer: " + reason, code="no_answer")
    return XposeError("xpose does not answer: {}".format(type(error).__name__), code="no_answer")


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
