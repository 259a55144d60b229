"""Guide sampling by classifiers of face and of everything else: closer sound and motion, with any sampler."""

from typing import TYPE_CHECKING, Any

from .bridge.api import RARELY_TOUCHED, io, schema
from .bridge.classifier_files import classifier_files, classifiers_path
from .bridge.models import file_state
from .helpers.person import LARGEST, person_input

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ["sequential", "differential"]


class PartsGuidance(io.ComfyNode):
    """Patch a model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        weight = {"min": 0.0, "max": 100.0, "step": 0.05}
        return schema(
            node_id="CyberHostPartsGuidance",
            display_name="Parts Guidance",
            category="CyberHost",
            description=(
                "Guides every sampler behind it by two classifiers, which say whether the face, and "
                "everything else, belongs to the sound (PAHA). The classifiers must have been trained for "
                "the checkpoint."
            ),
            search_aliases=["paha", "classifier guidance", "lip sync", "sequential", "differential"],
            inputs=[
                io.Model.Input("model", tooltip="From Load CyberHost, directly or through LoRA loaders."),
                io.Combo.Input(
                    "classifiers",
                    options=classifier_files(),
                    tooltip="A file in models/cyberhost that 'cyberhost train classifiers' made for the "
                    "checkpoint, or those of a bundled one.",
                ),
                io.Combo.Input(
                    "method",
                    options=METHODS,
                    default=METHODS[0],
                    tooltip="sequential: one run of the model per step, as without. differential: three "
                    "runs, which take back what each classifier changes outside of its part.",
                ),
                io.Float.Input(
                    "face_weight",
                    default=0.1,
                    **weight,
                    tooltip="How strongly the face is guided (paper: 0.1); 0 turns its classifier off.",
                ),
                io.Float.Input(
                    "rest_weight",
                    default=1.0,
                    **weight,
                    tooltip="How strongly everything but the face is guided (paper: 1); 0 turns its "
                    "classifier off.",
                ),
                io.Float.Input(
                    "guided",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the steps that are guided, from the second on (paper: 0.5).",
                ),
                io.Float.Input(
                    "differential_weight",
                    default=0.25,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    **RARELY_TOUCHED,
                    tooltip="differential only: how much is taken back (paper: 0.25).",
                ),
                io.Custom("POSE_KEYPOINT").Input(
                    "pose",
                    optional=True,
                    tooltip="The pose of the reference picture: its face, a quarter larger on every side, is "
                    "the area of the face.",
                ),
                io.Mask.Input(
                    "face_area",
                    optional=True,
                    tooltip="A painted area of the face, at any size; it replaces the pose.",
                ),
                person_input(),
            ],
            outputs=[
                # An old host refuses an output with the name of an input.
                io.Model.Output("guided_model", display_name="model", tooltip="The same model, guided."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, *, classifiers: str | None = None, **_: Any) -> tuple[str | None, int, int]:
        path = None if classifiers is None else classifiers_path(classifiers)
        return classifiers, *file_state(path)

    @classmethod
    def execute(
        cls,
        *,
        model: Any,
        classifiers: str,
        method: str,
        face_weight: float,
        rest_weight: float,
        guided: float,
        differential_weight: float = 0.25,
        pose: list[dict[str, Any]] | None = None,
        face_area: "Tensor | None" = None,
        person: int = LARGEST,
    ) -> io.NodeOutput:
        from ..cyberhost_core.guidance.parts import DifferentialGuidance, SequentialGuidance
        from .bridge.parts_guidance import guided as guide
        from .bridge.parts_guidance import load_classifiers
        from .helpers.face_area import area_of_face

        weights = {"face_weight": face_weight, "non_face_weight": rest_weight, "guided": guided}
        if method == METHODS[0]:
            guidance = SequentialGuidance(**weights)
        else:
            guidance = DifferentialGuidance(**weights, differential_weight=differential_weight)
        area = area_of_face(pose, face_area, person=person)
        network = load_classifiers(model, classifiers_path(classifiers))
        return io.NodeOutput(guide(model, network, guidance, area))
