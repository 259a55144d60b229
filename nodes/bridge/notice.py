"""Tell the user something that is no error: in the log, and on the node where the frontend shows it."""

import logging
from collections.abc import Sequence
from typing import Any

from server import PromptServer

from ...cyberhost_core.conditioners.asks import Ask


def notice(node: Any, text: str) -> None:
    """Say one sentence on a running node, given as its class, which must list the hidden unique_id."""
    logging.getLogger("cyberhost").warning("CyberHost: %s", text)
    PromptServer.instance.send_progress_text(text, node.hidden.unique_id)


def notice_unused(node: Any, unused: Sequence[Ask], *, system: str) -> None:
    """Say which connected inputs a system does not use."""
    if unused:
        ignored = "this input is" if len(unused) == 1 else "these inputs are"
        names = " and ".join(ask.words for ask in unused)
        notice(node, f"'{system}' does not use {names}; {ignored} ignored.")
