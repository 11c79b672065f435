"""A stand-in for the part of XSOAR's CommonServerPython that the integration uses, as its documentation describes it.

Written for these tests, so that they run without the platform's code; with XSOAR_CHECKOUT they use the real thing.
"""

import os
import sys

import demistomock as demisto
import requests


class DemistoException(Exception):
    def __init__(self, message, exception=None, *args):
        super().__init__(message, exception, *args)
        self.exception = exception


class EntryType:
    NOTE, ERROR, EXECUTION_METRICS = 1, 4, 19


class EntryFormat:
    TEXT, JSON = "text", "json"


class DBotScoreType:
    EMAIL = "email"


class DBotScoreReliability:
    B = "B - Usually reliable"

    @staticmethod
    def is_valid_type(name):
        return name[:2].strip("+ -") in ("A", "B", "C", "D", "E", "F")


class Common:
    class DBotScore:
        NONE = 0

        def __init__(self, indicator, indicator_type, integration_name, score, reliability, message):
            self.context = {
                "Indicator": indicator,
                "Type": indicator_type,
                "Vendor": integration_name,
                "Score": score,
                "Reliability": reliability,
                "Message": message,
            }

    class EMAIL:
        def __init__(self, address, domain, dbot_score):
            self.context = {
                "Account(val.Email.Address && val.Email.Address == obj.Email.Address)": [
                    {"Email": {"Address": address}, "Domain": domain}
                ],
                "DBotScore(val.Indicator && val.Indicator == obj.Indicator)": [dbot_score.context],
            }


class ExecutionMetrics:
    KINDS = {
        "success": "Successful",
        "quota_error": "QuotaError",
        "general_error": "GeneralError",
        "auth_error": "AuthError",
        "service_error": "ServiceError",
        "connection_error": "ConnectionError",
        "proxy_error": "ProxyError",
        "ssl_error": "SSLError",
        "timeout_error": "TimeoutError",
    }

    def __init__(self):
        for name in self.KINDS:
            setattr(self, name, 0)

    @staticmethod
    def is_supported():
        return True

    @property
    def metrics(self):
        rows = [{"Type": kind, "APICallsCount": getattr(self, name)} for name, kind in self.KINDS.items()]
        return CommandResults(execution_metrics=[row for row in rows if row["APICallsCount"] > 0])


class CommandResults:
    def __init__(
        self,
        outputs_prefix=None,
        outputs_key_field=None,
        outputs=None,
        readable_output=None,
        raw_response=None,
        indicator=None,
        ignore_auto_extract=False,
        execution_metrics=None,
        entry_type=EntryType.NOTE,
    ):
        self.scheduled = {}
        key = "(val.{0} && val.{0} == obj.{0})".format(outputs_key_field) if outputs_key_field else ""
        context = dict(indicator.context) if indicator else {}
        if outputs is not None:
            context[outputs_prefix + key] = outputs
        self.entry = {
            "Type": entry_type,
            "ContentsFormat": EntryFormat.TEXT if isinstance(raw_response, str) else EntryFormat.JSON,
            "Contents": outputs if raw_response is None else raw_response,
            "HumanReadable": readable_output,
            "EntryContext": context,
            "IgnoreAutoExtract": ignore_auto_extract,
        }
        if execution_metrics is not None:
            self.entry.update(Type=EntryType.EXECUTION_METRICS, APIExecutionMetrics=execution_metrics)

    def to_context(self):
        return dict(self.entry, **self.scheduled)


class PollResult:
    def __init__(self, response, continue_to_poll=False, args_for_next_run=None):
        self.response = response
        self.continue_to_poll = continue_to_poll
        self.args_for_next_run = args_for_next_run


def polling_function(name, interval, timeout, poll_message, requires_polling_arg):
    assert requires_polling_arg is False

    def decorate(function):
        def inner(args, *others):
            result = function(args, *others)
            if not result.continue_to_poll:
                return result.response
            entry = CommandResults(readable_output=None if args.get("hide_polling_output") else poll_message)
            entry.scheduled = {
                "PollingCommand": name,
                "NextRun": str(interval),
                "Timeout": str(timeout),
                "PollingArgs": dict(result.args_for_next_run, hide_polling_output=True),
            }
            return entry

        return inner

    return decorate


class BaseClient:
    def __init__(self, base_url, verify=True, proxy=False, ok_codes=()):
        self._base_url = base_url
        self._verify = verify
        self._session = requests.Session()
        if not proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
                os.environ.pop(name, None)
        if not verify:
            os.environ.pop("REQUESTS_CA_BUNDLE", None)

    def _http_request(self, method, full_url, resp_type, **more):
        assert resp_type == "response"
        try:
            return self._session.request(method, full_url, verify=self._verify, **more)
        except requests.exceptions.ConnectTimeout as error:
            raise DemistoException("Connection Timeout Error", error)
        except requests.exceptions.SSLError as error:
            raise DemistoException("SSL Certificate Verification Failed", error)
        except requests.exceptions.ProxyError as error:
            raise DemistoException("Proxy Error", error)
        except requests.exceptions.ConnectionError as error:
            raise DemistoException("Verify that the server URL parameter is correct", error)


def argToBoolean(value):
    return value if isinstance(value, bool) else str(value).lower() in ("yes", "true")


def argToList(value):
    return value if isinstance(value, list) else [part.strip() for part in (value or "").split(",")]


def arg_to_number(value):
    return None if value in (None, "") else int(value)


def return_results(results):
    for result in results if isinstance(results, list) else [results]:
        demisto.results(result.to_context() if isinstance(result, CommandResults) else result)


def return_error(message):
    demisto.results({"Type": EntryType.ERROR, "ContentsFormat": EntryFormat.TEXT, "Contents": message})
    sys.exit(0)
