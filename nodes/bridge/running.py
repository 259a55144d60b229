"""Tell what runs an outside network: in the log, on the node, and in the run's history."""

import logging
from typing import Any

from server import PromptServer


def say_what_runs(node: Any, text: str) -> dict[str, list[str]]:
    """Tell it on a running node, given as its class with the hidden unique_id; gives the node's ui data."""
    logging.getLogger("cyberhost").info("CyberHost: %s", text)
    PromptServer.instance.send_progress_text(text, node.hidden.unique_id)
    return {"text": [text]}
