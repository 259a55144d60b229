"""Tell the user something that is no error: in the log, and on the node where the frontend shows it."""

import logging
from typing import Any

from server import PromptServer


def notice(node: Any, text: str) -> None:
    """Say one sentence on a running node, given as its class, which must list the hidden unique_id."""
    logging.getLogger("cyberhost").warning("CyberHost: %s", text)
    PromptServer.instance.send_progress_text(text, node.hidden.unique_id)


def notice_in_vain(node: Any, names: list[str], *, system: str) -> None:
    """Say which connected inputs a system does not use."""
    if names:
        ignored = "this input is" if len(names) == 1 else "these inputs are"
        notice(node, f"'{system}' does not use {' and '.join(names)}; {ignored} ignored.")
