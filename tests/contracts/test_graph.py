"""A saved workflow becomes the prompt that the frontend would send; expected prompts are written by hand."""

import pytest

from ..host.graph import GraphError, prompt_from_workflow

OBJECT_INFO = {
    "Load": {"input": {"required": {"file": [["a.bin", "b.bin"], {}]}}},
    "Noise": {
        "input": {
            "required": {"noise_seed": ["INT", {"default": 0, "control_after_generate": True}]},
            "optional": {"strength": ["FLOAT", {"default": 1.0}]},
        }
    },
    "Scale": {
        "input": {
            "required": {
                "image": ["IMAGE"],
                "method": ["COMBO", {"options": ["nearest", "area"]}],
                "width": ["INT", {"default": 512}],
                "fps": ["FLOAT", {"default": 25.0, "forceInput": True}],
            },
            "optional": {"mask": ["MASK", {}], "crop": [["disabled", "center"], {"default": "center"}]},
        }
    },
    "Picture": {"input": {"required": {"image": [["x.png"], {"image_upload": True}]}}},
    "Save": {
        "input": {
            "required": {
                "video": ["VIDEO", {}],
                "format": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "auto", "inputs": {"required": {"codec": [["auto", "h264"], {}]}}},
                            {"key": "webm", "inputs": {"required": {"crf": ["INT", {"default": 30}]}}},
                        ]
                    },
                ],
            },
            "optional": {"codec": [["auto", "av1"], {}]},
        }
    },
}


def node(key: int, kind: str, values: list | None = None, **fields) -> dict:
    return {"id": key, "type": kind, "widgets_values": values or [], **fields}


def slot(name: str, kind: str, link: int | None) -> dict:
    return {"name": name, "type": kind, "link": link}


def prompt_of(*nodes: dict, links: tuple = ()) -> dict:
    prompt = prompt_from_workflow({"nodes": list(nodes), "links": [list(x) for x in links]}, OBJECT_INFO)
    return {key: (entry["class_type"], entry["inputs"]) for key, entry in prompt.items()}


def test_widget_values_get_their_names_by_position_and_sockets_take_none():
    scale = node(7, "Scale", ["area", 96, "disabled"])
    assert prompt_of(scale) == {"7": ("Scale", {"method": "area", "width": 96, "crop": "disabled"})}


def test_what_becomes_of_the_seed_after_a_run_is_not_sent():
    assert prompt_of(node(1, "Noise", [4, "randomize", 0.5])) == {
        "1": ("Noise", {"noise_seed": 4, "strength": 0.5})
    }


def test_a_widget_that_this_version_added_keeps_its_default():
    assert prompt_of(node(1, "Noise", [4, "fixed"]))["1"][1]["strength"] == 1.0
    assert prompt_of(node(1, "Scale", ["area", 96]))["1"][1]["crop"] == "center"


def test_a_value_too_many_is_an_error_that_names_the_node():
    with pytest.raises(GraphError, match=r"Load \(node 3\).*left"):
        prompt_of(node(3, "Load", ["a.bin", "b.bin"]))


def test_an_unknown_node_is_an_error_that_names_it():
    with pytest.raises(GraphError, match="knows no node Gone"):
        prompt_of(node(3, "Gone"))


def test_a_link_replaces_the_widgets_value():
    noise = node(1, "Noise", [4, "fixed"])
    scale = node(
        2, "Scale", ["area", 96, "center"], inputs=[slot("image", "IMAGE", None), slot("width", "INT", 9)]
    )
    assert prompt_of(noise, scale, links=((9, 1, 3, 2, 1, "INT"),))["2"][1]["width"] == ["1", 3]


def test_notes_are_left_out_and_reroutes_are_followed():
    nodes = (
        node(1, "Picture", ["x.png", "image"]),
        node(2, "Reroute", inputs=[slot("", "*", 5)]),
        node(3, "Scale", ["area", 96, "center"], inputs=[slot("image", "IMAGE", 6)]),
        node(4, "MarkdownNote", ["# Hello"]),
        node(5, "Note", ["Hello"]),
    )
    prompt = prompt_of(*nodes, links=((5, 1, 0, 2, 0, "IMAGE"), (6, 2, 0, 3, 0, "IMAGE")))
    assert set(prompt) == {"1", "3"}
    assert prompt["1"] == ("Picture", {"image": "x.png"})  # "image" belongs to the upload button
    assert prompt["3"][1]["image"] == ["1", 0]


def test_a_bypassed_node_hands_on_what_has_the_type_of_its_output():
    nodes = (
        node(1, "Picture", ["x.png", "image"]),
        node(
            2,
            "Scale",
            ["area", 96, "center"],
            mode=4,
            inputs=[slot("mask", "MASK", None), slot("image", "IMAGE", 5)],
        ),
        node(3, "Scale", ["area", 96, "center"], inputs=[slot("image", "IMAGE", 6)]),
    )
    prompt = prompt_of(*nodes, links=((5, 1, 0, 2, 1, "IMAGE"), (6, 2, 0, 3, 0, "IMAGE")))
    assert set(prompt) == {"1", "3"}
    assert prompt["3"][1]["image"] == ["1", 0]


def test_a_muted_node_leaves_the_input_open():
    nodes = (
        node(1, "Picture", ["x.png", "image"], mode=2),
        node(3, "Scale", ["area", 96, "center"], inputs=[slot("image", "IMAGE", 6)]),
    )
    prompt = prompt_of(*nodes, links=((6, 1, 0, 3, 0, "IMAGE"),))
    assert set(prompt) == {"3"}
    assert "image" not in prompt["3"][1]


@pytest.mark.parametrize(
    ("saved", "sent"),
    [
        (["auto", "h264"], {"format": "auto", "format.codec": "h264", "codec": "auto"}),
        (["auto", "h264", "av1"], {"format": "auto", "format.codec": "h264", "codec": "av1"}),
        (["webm", 20, "av1"], {"format": "webm", "format.crf": 20, "codec": "av1"}),
        ([], {"format": "auto", "format.codec": "auto", "codec": "auto"}),
    ],
)
def test_a_combo_unfolds_the_inputs_of_the_chosen_option_right_after_itself(saved, sent):
    assert prompt_of(node(1, "Save", saved))["1"][1] == sent
