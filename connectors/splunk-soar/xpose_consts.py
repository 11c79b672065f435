"""Constants of the xpose app. Licence: AGPL-3.0-only."""

VERSION = "0.1.0"
NOT_VERIFIED = "TLS was not verified"

# The time for one action.
SECONDS = 240
WAIT_SECONDS = 50
