"""A training stage as a value, and the module that turns a batch into a loss.

Source: CyberHost section 4.1: stage 1 trains reference net, pose encoder and the basic modules of the
denoiser on pairs of frames; stage 2 trains everything on clips of 12 frames with 4 motion frames.
"""

from typing import Literal

from torch import Tensor

from ..backbone.conditions import Taps
from ..diffusion.schedule import NoiseSchedule
from ..systems.encoders import Drive, Motion
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .batches import Batch, SamplingConfig
from .loop import LoopConfig
from .losses import HeatmapHeads, LossConfig, choose_enhanced, local_enhancement_loss, mask_loss
from .pose_discriminator import PoseDiscriminator
from .trainer import Learner


class StageConfig(LoopConfig):
    """One stage: what is trained, on what, for how long.

    frozen: parts of the system, by the names of their prefixes, that stay as they are
    """

    name: Literal["image", "video"]
    frames: int = 12
    sampling: SamplingConfig = SamplingConfig()
    loss: LossConfig = LossConfig()
    frozen: tuple[str, ...] = ()


def image_stage_spec(spec: SystemSpec) -> SystemSpec:
    """Keep what stage 1 trains of a system: no motion modules, no region attention, no sound, no clarity."""
    transformers = tuple(
        layer.derive(layers=tuple(part for part in layer.layers if part.kind != "inline_audio"))
        for layer in spec.unet.layers
        if layer.kind == "spatial_transformer"
    )
    return spec.derive(unet=spec.unet.derive(layers=transformers, plain_layers=()), clarity=None, audio=None)


def still_picture_spec(spec: SystemSpec) -> SystemSpec:
    """Keep all but the motion modules: a stage 1 that learns regions and sound from single frames, too."""
    return spec.derive(unet=spec.unet.without("motion_module"))


class TrainingModule(Learner[SystemModel]):
    """Compute the losses of a batch of clips.

    discriminator: pretrained and frozen, for the loss that asks whether body and hands are there
    """

    def __init__(
        self, model: SystemModel, loss: LossConfig, *, discriminator: PoseDiscriminator | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.discriminator = discriminator
        self.heads = HeatmapHeads(model.spec.unet)
        self.loss = loss
        self.schedule = NoiseSchedule(model.spec.schedule)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        predicted, taps = self.predict(batch)
        frames = batch.latents.shape[1]
        target = self.schedule.target(batch.latents, batch.noise, batch.timestep).flatten(0, 1)
        enhanced = choose_enhanced(batch.timestep, batch.chance, config=self.loss).repeat_interleave(frames)
        heatmaps = self.heads(taps.values.get("hands", {}))
        denoising, heatmap = local_enhancement_loss(
            predicted.float() - target,
            hands_mask_N1HW=batch.hands_mask,
            face_mask_N1HW=batch.face_mask,
            heatmaps=heatmaps,
            heatmap_gt=batch.heatmaps,
            enhanced_N=enhanced,
            config=self.loss,
        )
        losses = {"denoising": denoising, "heatmap": heatmap}
        if self.discriminator is not None:
            x0 = self._one_step(batch, predicted)
            losses["pose"] = self.loss.pose_weight * self.discriminator.loss(x0, batch.pose_heatmaps)
        masks = taps.values.get("mask", {})
        for region, truth, weight in (
            ("hands", batch.hands_mask, self.loss.hands_mask_weight),
            ("face", batch.face_mask, self.loss.face_mask_weight),
        ):
            logits = {path: value for path, value in masks.items() if f".{region}_attentions." in path}
            if logits:
                losses[f"{region}_mask"] = weight * mask_loss(logits, truth)
        return losses

    def _one_step(self, batch: Batch, predicted_NCHW: Tensor) -> Tensor:
        """Estimate the clean latents in one step, (B * F, C, h, w): EMO2 section 3.4, pose discriminator."""
        noised = self.schedule.add_noise(batch.latents, batch.noise, batch.timestep)
        predicted = predicted_NCHW.float().unflatten(0, batch.latents.shape[:2])
        return self.schedule.to_x0(predicted, noised, batch.timestep).flatten(0, 1)

    def predict(self, batch: Batch) -> tuple[Tensor, Taps]:
        """Run the denoiser on the batch's noised latents."""
        taps = Taps(frozenset({"mask", "hands"}))
        reference = self.model.encode_reference(
            latents_BCHW=batch.reference,
            skeleton_BCYX=batch.skeleton,
            hand_crops_BHCYX=batch.hand_crops,
            face_vector_BD=batch.face,
        )
        motion = self.model.encode_motion(batch.motion, reference) if batch.motion.shape[1] else Motion()
        drive = Drive(
            audio_BFWD=batch.audio,
            maps_BFCYX=batch.maps,
            clarity_BF4=batch.clarity,
            confidence_BF2=batch.confidence,
            motion=motion,
        )
        conditions = self.model.conditions(reference, drive, reference_rows=batch.reference_rows, taps=taps)
        noised = self.schedule.add_noise(batch.latents, batch.noise, batch.timestep).flatten(0, 1)
        return self.model.denoiser(noised, batch.timestep.float(), conditions), taps
