"""The exam of EMO2's stage 2, in small: hands land where they were driven even in a hasty video."""

import pytest

from cyberhost_core import bundled
from cyberhost_core.errors import ConfigError
from cyberhost_core.exams.gestures.video_exam import VideoExam, examine_video


@pytest.mark.slow
def test_hands_land_nearer_to_the_driven_ones_than_to_others() -> None:
    told: list[tuple[str, int, int]] = []
    section = examine_video(
        bundled.HANDS_CHECKPOINT,
        gestures=bundled.GESTURES,
        detector=bundled.POSE_DETECTOR,
        exam=VideoExam(seeds=(0,), frames=10, steps=3),
        say=lambda *step: told.append(step),
    )
    rows = {row.name: row for row in section.rows}
    landing, others = rows["landing"], rows["landing_others"]
    assert landing.value is not None
    assert landing.truth is not None
    assert others.value is not None
    assert landing.truth < landing.value < 0.5 * others.value
    assert rows["landing_margin"].value == pytest.approx(others.value - landing.value)
    assert told == [("video", 1, 2), ("video", 2, 2)]


def test_weights_that_are_driven_by_a_box_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"'cyberhost-tiny' is not driven by hand maps, but weights that are"
    ):
        examine_video(
            bundled.CHECKPOINT,
            gestures=bundled.GESTURES,
            detector=bundled.POSE_DETECTOR,
            exam=VideoExam(),
            say=lambda *_: None,
        )
