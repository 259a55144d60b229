"""Make the files that come with the package: spoken utterances and three held-out portraits.

    python -m cyberhost_core.puppets.bundle          needs espeak-ng, soundfile and OpenCV

Rewrites cyberhost_core/bundled/speech and cyberhost_core/bundled/portraits. Same seeds, same voices, same
sentences; the bytes may differ with other versions of espeak-ng or of the Vorbis encoder.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ..units import SPEECH_RATE_HZ
from .canvas import opencv
from .speech import BUNDLED_SPEECH, Utterance, soundfile_module, synthesize
from .split import Split, voices
from .world import reference_portrait

BUNDLED_PORTRAITS = BUNDLED_SPEECH.parent / "portraits"
UTTERANCES_PER_SIDE = 12
SHORTEST_SECS, LONGEST_SECS = 3.0, 4.5
VORBIS_QUALITY = 0.45  # soundfile's compression level: about 40 kbit/s for this kind of sound
PORTRAIT_IDENTITIES = (1_000_014, 1_000_026, 1_000_041)  # dark, middle and light skin, chosen by eye


def main() -> None:
    """Write both folders."""
    write_speech(BUNDLED_SPEECH)
    write_portraits(BUNDLED_PORTRAITS)


def write_speech(folder: Path) -> None:
    """Write the utterances of both sides as OGG Vorbis, with an index of voices and texts."""
    index, soundfile = [], soundfile_module()
    for split in ("train", "held_out"):
        for number, utterance in enumerate(_chosen_utterances(split)):
            name = f"{split}_{number:02d}"
            soundfile.write(
                folder / f"{name}.ogg", utterance.wave_T, SPEECH_RATE_HZ,
                format="OGG", subtype="VORBIS", compression_level=VORBIS_QUALITY,
            )  # fmt: skip
            row = {"name": name, "file": f"{name}.ogg", "split": split}
            row |= {"voice": utterance.voice, "text": utterance.text, "made_from": utterance.name}
            index.append(row)
    _write_json(folder / "index.json", index)


def write_portraits(folder: Path) -> None:
    """Write three held-out puppets at rest, dark, middle and light skin, with their exact keypoints."""
    index, cv2 = [], opencv()
    for number, seed in enumerate(PORTRAIT_IDENTITIES):
        image, pose = reference_portrait(seed)
        name = f"puppet_{number}.png"
        cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        keypoints = pose.packed_FKC()[0].round(2).tolist()
        index.append({"file": name, "identity_seed": seed, "keypoints_KC": keypoints})
    _write_json(folder / "index.json", index)


def _chosen_utterances(split: Split) -> Iterator[Utterance]:
    """Walk the seeds and take utterances of fitting length, spread over the vocal tracts."""
    taken, used = 0, Counter()
    most = -(-UTTERANCES_PER_SIDE // len({voice.split("+")[1] for voice in voices(split)}))
    for seed in count():
        if taken == UTTERANCES_PER_SIDE:
            return
        utterance = synthesize(seed, split=split)
        variant = utterance.voice.split("+")[1]
        secs = len(utterance.wave_T) / SPEECH_RATE_HZ
        if SHORTEST_SECS <= secs <= LONGEST_SECS and used[variant] < most:
            used[variant] += 1
            taken += 1
            yield utterance


def _write_json(path: Path, rows: list[dict]) -> None:
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
