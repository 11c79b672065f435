"""xpose for Splunk SOAR. Licence: AGPL-3.0-only."""
