"""From files to a video: what drives each frame (driving), and the whole story (generate)."""
