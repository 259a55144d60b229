"""The shipped workflows as files: whole, legible, explained; what a server says of them is in tests/host."""

import json
from itertools import combinations
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "workflows"
NEED_NOTHING = (
    "cyberhost_guided",
    "emo2_drivers",
    "emo2_two_stage",
    "hand_driver_swap",
    "multimodal",
    "one_segment_native",
    "paha",
    "reenactment",
    "talking_body",
    "talking_head",
)
PUBLIC = {
    "animate_anyone": "animate-anyone",
    "echomimic_v2": "echomimic-v2",
    "hallo": "hallo",
}  # workflows of public models, and what `cyberhost convert` calls them
NAMES = (*NEED_NOTHING, *PUBLIC)
TITLE_PX = 30  # the title stands above a node's position


def workflow(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def nodes_by_id(name: str) -> dict[int, dict]:
    return {node["id"]: node for node in workflow(name)["nodes"]}


def box(node: dict) -> tuple[float, float, float, float]:
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE_PX, x + width, y + height


def test_the_folder_holds_these_workflows_and_nothing_else():
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)
    assert {path.suffix for path in FOLDER.iterdir()} <= {".json", ".jpg"}


@pytest.mark.parametrize("name", NAMES)
def test_both_ends_of_every_link_know_it(name):
    nodes, links = nodes_by_id(name), workflow(name)["links"]
    for key, origin, origin_slot, target, target_slot, kind in links:
        output, entry = nodes[origin]["outputs"][origin_slot], nodes[target]["inputs"][target_slot]
        assert key in output["links"]
        assert entry["link"] == key
        assert output["type"] == kind
        assert entry["type"] in (kind, "*")
    known = {link[0] for link in links}
    ends = [x["link"] for node in nodes.values() for x in node["inputs"] if x["link"] is not None]
    starts = [key for node in nodes.values() for x in node["outputs"] for key in x["links"] or ()]
    assert sorted(ends) == sorted(starts) == sorted(known)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_the_counters_are_past_them(name):
    saved = workflow(name)
    assert len(nodes_by_id(name)) == len(saved["nodes"])
    assert saved["last_node_id"] == max(nodes_by_id(name))
    assert saved["last_link_id"] == max(link[0] for link in saved["links"])


@pytest.mark.parametrize("name", NAMES)
def test_no_node_lies_on_another(name):
    for one, other in combinations(nodes_by_id(name).values(), 2):
        a, b = box(one), box(other)
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{one['type']} and {other['type']}"


@pytest.mark.parametrize("name", NAMES)
def test_every_node_but_the_note_lies_in_one_group(name):
    for node in nodes_by_id(name).values():
        x0, y0, x1, y1 = box(node)
        around = [
            title
            for title, (x, y, width, height) in (
                (g["title"], g["bounding"]) for g in workflow(name)["groups"]
            )
            if x <= x0 and y <= y0 and x1 <= x + width and y1 <= y + height
        ]
        assert len(around) == (0 if node["type"] == "MarkdownNote" else 1), node["type"]


@pytest.mark.parametrize("name", NAMES)
def test_a_note_explains_the_workflow(name):
    (note,) = [node for node in nodes_by_id(name).values() if node["type"] == "MarkdownNote"]
    (text,) = note["widgets_values"]
    assert text.startswith("# ")
    assert len(text.split()) > 80


@pytest.mark.parametrize("name", NAMES)
def test_every_node_names_the_pack_that_brings_it(name):
    for node in nodes_by_id(name).values():
        if node["type"] != "MarkdownNote":
            ours = node["type"].startswith("CyberHost")
            assert node["properties"]["cnr_id"] == ("cyberhost" if ours else "comfy-core")
            assert node["properties"]["Node name for S&R"] == node["type"]


@pytest.mark.parametrize("name", NEED_NOTHING)
def test_the_first_run_needs_no_file_of_the_users(name):
    types = {node["type"] for node in nodes_by_id(name).values()}
    assert not types & {"LoadImage", "LoadAudio", "LoadVideo", "AudioEncoderLoader"}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_file_that_is_used_as_it_is_downloaded_can_be_downloaded_from_its_node(name):
    """ComfyUI offers what a loader's properties name, when the file of that name is missing."""
    found = {}
    for node in nodes_by_id(name).values():
        for model in node["properties"].get("models", ()):
            assert model["name"] in node["widgets_values"]
            assert model["url"].startswith("https://huggingface.co/")
            assert "/resolve/main/" in model["url"]
            assert model["url"].endswith(Path(model["name"]).suffix)
            found[model["name"]] = model["directory"]
    assert found["vae-ft-mse-840000-ema-pruned.safetensors"] == "vae"
    assert found["dw-ll_ucoco_384.onnx"] == "cyberhost"
    named = {
        value
        for node in nodes_by_id(name).values()
        for value in node["widgets_values"]
        if str(value).endswith((".safetensors", ".onnx"))
    }
    assert named - set(found) == {f"{PUBLIC[name]}.safetensors"}  # which the converter makes


@pytest.mark.parametrize("name", PUBLIC)
def test_the_note_of_a_public_model_says_what_to_download_and_how_to_convert_it(name):
    (note,) = [node for node in nodes_by_id(name).values() if node["type"] == "MarkdownNote"]
    (text,) = note["widgets_values"]
    assert "none come with this pack" in text
    assert f"python -m custom_nodes.cyberhost.cyberhost_core.cli convert {PUBLIC[name]} " in text
    assert f"models/cyberhost/{PUBLIC[name]}.safetensors" in text
    assert "onnxruntime" in text
