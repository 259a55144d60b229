"""How figures are written down: tables in text and Markdown, and the machine that they come from."""
