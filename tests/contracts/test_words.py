"""What the pack says: names, tooltips and help pages, in every language, for the same nodes."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh")
PAGES = sorted((ROOT / "js" / "docs").glob("*.md"))


def node_words(language: str) -> dict:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def flat(words: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Every text by the keys that lead to it."""
    texts = {}
    for key, value in words.items():
        texts |= flat(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return texts


def node_ids_in_code() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "nodes").glob("*.py"))
    return {found for source in sources for found in re.findall(r'node_id="(\w+)"', source)}


def test_every_node_has_words_in_every_language_and_a_help_page():
    nodes = set(node_words("en"))
    assert {language: set(node_words(language)) for language in LANGUAGES} == dict.fromkeys(LANGUAGES, nodes)
    assert {page.stem for page in PAGES} == nodes


def test_the_words_are_those_of_the_nodes_in_the_code():
    assert set(node_words("en")) == node_ids_in_code()


def test_every_language_says_everything():
    assert flat(node_words("zh")).keys() == flat(node_words("en")).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_input_and_output_has_a_name_and_a_tooltip(language):
    for node_id, words in node_words(language).items():
        assert words["display_name"] and words["description"], node_id
        for slot, texts in {**words["inputs"], **words.get("outputs", {})}.items():
            assert texts["name"].strip() and texts["tooltip"].strip(), (node_id, slot)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_holds_signs_that_the_page_takes_for_commands(language):
    """ComfyUI's page reads { } @ | in a translation as placeholders, links and plurals."""
    commands = {keys: text for keys, text in flat(node_words(language)).items() if re.search(r"[{}@|]", text)}
    assert not commands


def test_chinese_words_are_chinese():
    described = {node_id: words["description"] for node_id, words in node_words("zh").items()}
    assert not [node_id for node_id, text in described.items() if not re.search(r"[\u4e00-\u9fff]", text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_help_page_names_every_input_and_output(page):
    text, words = page.read_text(encoding="utf-8"), node_words("en")[page.stem]
    assert text.startswith(f"# {words['display_name']}\n")
    outputs = [output["name"] for output in words.get("outputs", {}).values()]
    assert [name for name in [*words["inputs"], *outputs] if f"| `{name}` |" not in text] == []
    assert "## Tip" in text and "## What goes wrong" in text


def test_the_loaders_page_says_that_the_tiny_model_knows_no_people():
    text = (ROOT / "js" / "docs" / "CyberHostLoad.md").read_text(encoding="utf-8")
    assert "drawn puppets at 128 x 96 pixels" in text and "no people" in text
