"""Stage 1 of EMO2 as one part: the transformer and what its numbers mean.

motion --form--> vectors --mean, deviation--> what the transformer sees and predicts
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..backbone.ops import TORCH_OPS, Ops
from ..config import Config
from ..diffusion.schedule import ScheduleSpec
from ..hands.parameters import HandParameters
from .forms import FORMS, FormName, MotionForm
from .transformer import GestureConfig, GestureTransformer

LEAST_DEVIATION = 0.02  # of quaternions and fractions of a picture: what never moves in training stays small


class Learnt(Config):
    """What training showed the weights, of what may be asked of them.

    styles: those of its clips; one_hand: spans that show one hand alone. A picture is not listed: its weights
    are 0 until they are trained. The defaults are what files from before this was written were shown.
    """

    styles: tuple[str, ...] = ("speaking",)
    one_hand: bool = False


class GestureModelConfig(Config):
    """What the weights stand for.

    Units:    fps: of the motion; audio_scale: classifier-free guidance on sound, 1 for none
    """

    transformer: GestureConfig = GestureConfig()
    form: FormName = "hands"
    schedule: ScheduleSpec = ScheduleSpec(
        prediction="sample", beta_schedule="squaredcos_cap_v2", zero_snr=True, steps=20
    )
    fps: float = 25.0
    audio_scale: float = 1.0
    learnt: Learnt = Learnt()


class GestureModel(nn.Module):
    """Hold the transformer, the statistics of the motion that it was trained on, and its schedule.

    Shapes:   mean_D, deviation_D (vector,); typical_amplitude_H (2,)
    Units:    typical amplitude: median over the training's clips, see wrist_amplitude
    """

    mean_D: Tensor
    deviation_D: Tensor
    typical_amplitude_H: Tensor

    def __init__(self, config: GestureModelConfig, *, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.config = config
        self.transformer = GestureTransformer(config.transformer, ops=ops)
        numbers = config.transformer.vector
        self.register_buffer("mean_D", torch.zeros(numbers))
        self.register_buffer("deviation_D", torch.ones(numbers))
        self.register_buffer("typical_amplitude_H", torch.full((2,), torch.nan))

    @property
    def form(self) -> MotionForm:
        """How motions are written."""
        return FORMS[self.config.form]

    @property
    def fps(self) -> float:
        """The rate of motion and speech features."""
        return self.config.fps

    @property
    def learnt_picture(self) -> bool:
        """Whether a picture's embedding was trained: its weights start as 0."""
        layer = self.transformer.image_in
        return layer is not None and any(bool(weights.any()) for weights in layer.parameters())

    def standardized(self, vectors_FD: np.ndarray) -> Tensor:
        """Bring a motion in the model's form to what the transformer sees: (F, vector).

        What is nowhere (NaN) becomes 0, the mean.
        """
        standard_FD = (torch.from_numpy(vectors_FD).to(self.mean_D) - self.mean_D) / self.deviation_D
        return standard_FD.nan_to_num(0.0)

    def numbers_of(self, shown_FH: Tensor) -> Tensor:
        """Tell for each of the form's numbers whether it means something: (F, 2) hands -> (F, vector) bool.

        The numbers of a hand that is not shown do not; those that belong to neither hand always do.
        """
        hand_D = torch.from_numpy(self.form.hand_D).to(shown_FH.device)
        return shown_FH.bool()[:, hand_D.clamp(min=0)] | (hand_D < 0)

    def vectors(self, standardized_FD: Tensor) -> np.ndarray:
        """Undo standardized: (F, vector) float32 in the model's form."""
        return (standardized_FD * self.deviation_D + self.mean_D).float().cpu().numpy()

    def amplitudes(self, factors: tuple[float, float]) -> tuple[float | None, float | None]:
        """Turn factors of what was usual in training, left and right, into what generate_motion is asked for.

        None, and so the model's own choice, for a hand that the training never saw.
        """
        left, right = (
            factor * usual if math.isfinite(usual) else None
            for factor, usual in zip(factors, self.typical_amplitude_H.tolist(), strict=True)
        )
        return left, right

    def set_statistics(
        self, *, mean_D: np.ndarray, deviation_D: np.ndarray, amplitudes_NH: np.ndarray
    ) -> None:
        """Take over the statistics of the training's motion."""
        self.mean_D.copy_(torch.as_tensor(mean_D))
        self.deviation_D.copy_(torch.as_tensor(np.maximum(deviation_D, LEAST_DEVIATION)))
        seen_H = [column[np.isfinite(column)] for column in amplitudes_NH.T]
        usual_H = [float(np.median(column)) if len(column) else math.nan for column in seen_H]
        self.typical_amplitude_H.copy_(torch.tensor(usual_H))


def wrist_amplitude(parameters: HandParameters) -> np.ndarray:
    """Measure how far each wrist goes from its mean place in the picture.

    Shapes:   result (2,) left, right; NaN for a hand that is never there
    Units:    fractions of the picture: the root of the variances of x and y together
    Source:   EMO2 section 3.3: "the variance of the hand translation to represent movement amplitude"
    """
    amplitudes = np.full(parameters.valid_FH.shape[1], np.nan)
    for hand, valid_F in enumerate(parameters.valid_FH.T):
        if valid_F.any():
            amplitudes[hand] = np.sqrt(parameters.translations()[valid_F, hand, :2].var(axis=0).sum())
    return amplitudes
