"""The pack as ComfyUI sees it: its nodes, their words, its templates, and what having it costs."""

import json
import re
import subprocess
import tomllib

import pytest

from .server import REPOSITORY, Client

pytestmark = pytest.mark.host

NODE_IDS = {
    "CyberHostAlignHands",
    "CyberHostAudioFeatures",
    "CyberHostConditions",
    "CyberHostDWPose",
    "CyberHostDecodeVideo",
    "CyberHostExample",
    "CyberHostExampleClip",
    "CyberHostFaceBoxMap",
    "CyberHostHandClarity",
    "CyberHostHandDriverSwitch",
    "CyberHostEMO2Conditions",
    "CyberHostHandMaps",
    "CyberHostHandMotion",
    "CyberHostHandTrackEdit",
    "CyberHostHandTrackFromFile",
    "CyberHostHandTrackFromKeyframes",
    "CyberHostHandTrackFromVideo",
    "CyberHostHandTrackJoin",
    "CyberHostLoad",
    "CyberHostMovementMap",
    "CyberHostPartsGuidance",
    "CyberHostPreviewHandTrack",
    "CyberHostReferenceNet",
    "CyberHostRegionCrops",
    "CyberHostSampler",
    "CyberHostSaveHandTrack",
    "CyberHostSkeletonMap",
}  # written down, because saved workflows hold these words: an id is never renamed and never dropped
LONGEST_IMPORT_SECS = 0.3
LANGUAGES = ("en", "zh")
WORKFLOWS = sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json"))


@pytest.fixture(scope="session")
def ours(object_info: dict[str, dict]) -> dict[str, dict]:
    return {key: info for key, info in object_info.items() if key.startswith("CyberHost")}


def inputs(info: dict) -> dict[str, list]:
    """Required and optional inputs, [type, options] by name."""
    return {**info["input"].get("required", {}), **info["input"].get("optional", {})}


def node_words(language: str) -> dict[str, dict]:
    return json.loads((REPOSITORY / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def test_the_server_knows_every_node(ours):
    assert set(ours) == NODE_IDS


def test_every_node_says_what_it_does(ours):
    assert [key for key, info in ours.items() if not (info["display_name"] and info["description"])] == []
    assert {info["category"].split("/")[0] for info in ours.values()} == {"CyberHost"}


def test_every_input_and_output_has_a_tooltip(ours):
    without = [
        f"{key}.{name}"
        for key, info in ours.items()
        for name, (_, *options) in inputs(info).items()
        if not (options and options[0].get("tooltip"))
    ]
    without += [
        f"{key} -> {info['output_name']}" for key, info in ours.items() if not outputs_explained(info)
    ]
    assert without == []


def outputs_explained(info: dict) -> bool:
    return all(info.get("output_tooltips") or [False] * len(info["output"]))


def test_every_number_has_a_range_that_holds_its_default(ours):
    numbers = {
        f"{key}.{name}": options
        for key, info in ours.items()
        for name, (kind, options) in inputs(info).items()
        if kind in ("INT", "FLOAT")
    }
    assert len(numbers) > 10
    assert [name for name, x in numbers.items() if not x["min"] <= x["default"] <= x["max"]] == []


def test_the_english_words_are_those_of_the_schemas(ours):
    words = node_words("en")
    assert set(words) == NODE_IDS
    for key, info in ours.items():
        assert words[key]["display_name"] == info["display_name"]
        assert words[key]["description"] == info["description"]
        tooltips = {name: options["tooltip"] for name, (_, options) in inputs(info).items()}
        assert {name: x["tooltip"] for name, x in words[key].get("inputs", {}).items()} == tooltips
        names = dict(enumerate(info["output_name"]))
        assert {int(slot): x["name"] for slot, x in words[key].get("outputs", {}).items()} == names


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_words_for_every_input_and_output(host: Client, ours, language):
    served = host.get("/i18n")[language]["nodeDefs"]
    for key, info in ours.items():
        words = served[key]
        assert words["display_name"]
        assert words["description"]
        assert {name for name, x in words.get("inputs", {}).items() if x["tooltip"]} == set(inputs(info))
        assert len(words.get("outputs", {})) == len(info["output"])


def test_every_node_has_a_help_page(host: Client):
    pages = {key: host.get(f"/extensions/cyberhost/docs/{key}.md").decode() for key in NODE_IDS}
    assert [key for key, text in pages.items() if len(text) < 200] == []


def test_the_newest_version_finds_nodes_by_other_words(host: Client, ours):
    if host.version == "newest":
        assert [key for key, info in ours.items() if not info["search_aliases"]] == []


def test_importing_the_pack_hardly_delays_the_start(host: Client):
    found = re.search(r"([\d.]+) seconds(.*): \S*custom_nodes/cyberhost\s", host.server.log_text())
    assert found, "the server's log names no import time for the pack"
    seconds, failure = found.groups()
    assert failure == ""
    assert float(seconds) < LONGEST_IMPORT_SECS


def test_installing_the_pack_changes_nothing_in_the_environment(host: Client):
    """ComfyUI-Manager installs requirements.txt and runs install.py; the registry takes dependencies."""
    command = [host.server.checkout.python, "-m", "pip", "install", "--dry-run", "--no-index", "--quiet"]
    report = subprocess.run(
        [*command, "--report", "-", "-r", REPOSITORY / "requirements.txt"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(report.stdout)["install"] == []
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == []
    assert not (REPOSITORY / "install.py").exists()


def test_the_template_browser_lists_every_workflow(host: Client):
    assert sorted(host.get("/workflow_templates")["cyberhost"]) == WORKFLOWS


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_template_opens_and_has_a_picture(host: Client, name):
    assert host.get(f"/api/workflow_templates/cyberhost/{name}.json")["nodes"]
    picture = host.get(f"/api/workflow_templates/cyberhost/{name}.jpg")
    assert picture.startswith(b"\xff\xd8\xff")
