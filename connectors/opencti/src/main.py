"""Starts the connector: settings from the environment, or from config.yml beside this file."""

import os

import yaml
from pycti import OpenCTIConnectorHelper
from xpose_connector import XposeConnector


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "config.yml")
    config = {}
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file) or {}
    helper = OpenCTIConnectorHelper(config, playbook_compatible=True)
    helper.listen(message_callback=XposeConnector(helper, config).process_message)


if __name__ == "__main__":
    main()
