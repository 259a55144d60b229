"""What several nodes share, or a node hands its work to: no schema, and nothing of ComfyUI's own modules."""
