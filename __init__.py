"""CyberHost for ComfyUI: a portrait and a voice track become a person who speaks and gestures."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """Hand the pack's nodes to ComfyUI."""
    from .nodes import CyberHostExtension

    return CyberHostExtension()
