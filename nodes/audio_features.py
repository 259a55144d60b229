"""The voice as the system hears it: features of wav2vec2 or Whisper, one row per video frame."""

from .bridge.api import io, schema
from .helpers.rate import HIGHEST_FPS, LOWEST_FPS, usable_fps


class AudioFeatures(io.ComfyNode):
    """Describe a voice frame by frame, and say how many frames cover it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostAudioFeatures",
            display_name="Wav2Vec Audio Features",
            category="CyberHost",
            description=(
                "Turns a voice into the audio features that the checkpoint was trained with (wav2vec2 or "
                "Whisper), one row per video frame. The later nodes need its frame count and frame rate."
            ),
            search_aliases=["wav2vec2", "whisper", "audio embeds", "speech features", "lip sync audio"],
            inputs=[
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The voice: any sample rate, mono to 7.1. Not needed when encoded is connected.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=LOWEST_FPS,
                    max=HIGHEST_FPS,
                    step=0.01,
                    tooltip="Frame rate of the video, in frames per second. CyberHost and Hallo were trained "
                    "at 25; EchoMimicV2's own scripts use 24.",
                ),
                io.AudioEncoder.Input(
                    "audio_encoder",
                    optional=True,
                    tooltip="From Load CyberHost, so that the features are those the checkpoint was "
                    "trained with. For plain wav2vec2 checkpoints, Load Audio Encoder also works, with the "
                    "encoder that the checkpoint was trained with.",
                ),
                io.AudioEncoderOutput.Input(
                    "encoded",
                    optional=True,
                    tooltip="Instead of an encoder, for plain wav2vec2 checkpoints: the output of Audio "
                    "Encoder Encode for this voice.",
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_AUDIO").Output(
                    "audio_features", display_name="audio_features", tooltip="One row per video frame."
                ),
                io.Int.Output("frames", display_name="frames", tooltip="ceil(duration x fps), in frames."),
                io.Float.Output(
                    "fps_out", display_name="fps", tooltip="The frame rate, in frames per second."
                ),
            ],
        )

    @classmethod
    def execute(cls, *, fps, audio=None, audio_encoder=None, encoded=None) -> io.NodeOutput:
        from .helpers.hearing import hear

        track = hear(audio, encoder=audio_encoder, encoded=encoded, fps=usable_fps(fps))
        return io.NodeOutput(track, len(track.features_FD), track.fps)
