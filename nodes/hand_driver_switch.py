"""Choose what drives the hands; what is not chosen does not run."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema

if TYPE_CHECKING:
    from ..cyberhost_core.hands.track import HandTrack

DRIVERS = {
    "audio": "EMO2 Hand Motion",
    "video": "Hand Track from Video",
    "file": "Hand Track from File",
    "keyframes": "Hand Track from Keyframes",
}


class HandDriverSwitch(io.ComfyNode):
    """Hand on one of four hand tracks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandDriverSwitch",
            display_name="Hand Driver Switch",
            category="CyberHost",
            description=(
                "Selects the track of one of four hand drivers. The others do not run, so they can stay "
                "connected at no cost."
            ),
            search_aliases=["choose hand driver", "select gesture", "switch"],
            inputs=[
                io.Combo.Input(
                    "driver",
                    options=list(DRIVERS),
                    default="audio",
                    tooltip="What drives the hands in this run.",
                ),
                *(
                    io.Custom("CYBERHOST_HAND_TRACK").Input(
                        name,
                        optional=True,
                        lazy=True,
                        tooltip=f"The track to use if driver is {name}, usually from {node}.",
                    )
                    for name, node in DRIVERS.items()
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "hand_track", display_name="hand_track", tooltip="The chosen track, unchanged."
                ),
            ],
        )

    @classmethod
    def check_lazy_status(cls, driver: str, **connected: "HandTrack | None") -> list[str]:
        return [driver] if driver in connected and connected[driver] is None else []

    @classmethod
    def execute(cls, *, driver: str, **tracks: "HandTrack | None") -> io.NodeOutput:
        from ..cyberhost_core.errors import ConfigError

        track = tracks.get(driver)
        if track is None:
            raise ConfigError(
                f"The driver is '{driver}', but no hand track is connected to that input; connect one, such "
                f"as {DRIVERS.get(driver, 'Hand Track from File')}, or choose another driver."
            )
        return io.NodeOutput(track)
