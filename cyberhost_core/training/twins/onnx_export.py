"""Write a torch network as an ONNX file of half the size, with nothing in it but the network.

    network, its batch norms folded already -> ONNX graph -> weights to 16 bit + Cast nodes -> file

The Cast nodes bring the weights back to 32 bit when a session is made, so that the file is half as large and
the arithmetic is that of the real networks.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import require_extra

if TYPE_CHECKING:
    import onnx

OPSET = 18
SMALLEST_PACKED = 256  # numbers; below this a Cast node costs more bytes than it saves


def export_onnx(
    network: nn.Module, path: Path, *, example: Tensor, input_name: str, output_names: list[str]
) -> None:
    """Export a network whose first axis, everywhere, is the number of pictures.

    Shapes:   example (2 or more, ...): one batch that the network takes
    Raises:   MissingExtraError: onnx or onnxscript is not installed
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and would fail with a longer story)
    except ImportError as error:
        raise require_extra(str(error.name), extra="train", purpose="Exporting a twin to ONNX") from error
    program = torch.onnx.export(
        network.eval(),
        (example,),
        input_names=[input_name],
        output_names=output_names,
        dynamic_shapes=({0: torch.export.Dim("N")},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _forget_origins(model)
    _pack_weights(model)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, str(path))


def _forget_origins(model: "onnx.ModelProto") -> None:
    """Drop the exporter's notes: they hold source paths of the machine that made the file."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.initializer,
        *graph.input,
        *graph.output,
        *graph.value_info,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]


def _pack_weights(model: "onnx.ModelProto") -> None:
    """Store large weights in 16 bit; a Cast at the front of the graph restores each under its own name."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALLEST_PACKED:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name=f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
