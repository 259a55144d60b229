"""What is asked of a gesture model that its training never showed: said in a sentence, and not refused."""

from .model import GestureModel


def untaught(
    model: GestureModel, *, style: str, picture: bool = False, hands: tuple[bool, bool] = (True, True)
) -> list[str]:
    """Say what a model cannot know of what it is asked for.

    picture: an embedding is given; hands: left, right, see generate_motion
    """
    learnt, said = model.config.learnt, []
    if style not in learnt.styles:
        said.append(
            f"The gesture model never saw the style '{style}' in training (it learnt "
            f"{' and '.join(learnt.styles) or 'none'}), so that it stands for nothing; expect other hands, "
            "but not of that style."
        )
    if picture and not model.learnt_picture:
        said.append("The gesture model never saw a picture in training, so that the picture has no effect.")
    if not all(hands) and not learnt.one_hand:
        left_out = "right" if hands[0] else "left"
        said.append(
            "The gesture model never saw one hand alone in training, so that it moves both, and the "
            f"{left_out} one is left out."
        )
    return said
