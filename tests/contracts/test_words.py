"""What the pack says: names, tooltips and help pages in every language, for the same nodes; lists of both."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh")
DOCS = ROOT / "js" / "docs"
NODE_IDS = sorted(json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8")))
HEADINGS = {
    "en": ["Inputs", "Outputs", "Tip", "What goes wrong"],
    "zh": ["输入", "输出", "提示", "可能的问题"],
}
INPUT_COLUMNS = 5  # name, what, unit, range, paper
TINY_KNOWS_NO_PEOPLE = {
    "en": "drawn puppets at 128 x 96 pixels (128 high, 96 wide), no people",
    "zh": "只认识 128 x 96 像素（高 128，宽 96）的手绘木偶，不认识真人",
}


def node_words(language: str) -> dict:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def flat(words: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Every text by the keys that lead to it."""
    texts = {}
    for key, value in words.items():
        texts |= flat(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return texts


def page_path(node_id: str, language: str) -> Path:
    """Where a help page lies: ComfyUI asks for docs/<node>/<language>.md, then for docs/<node>.md.

    English is the second, which readers of every language without a page of its own get.
    """
    return DOCS / f"{node_id}.md" if language == "en" else DOCS / node_id / f"{language}.md"


def sections(node_id: str, language: str) -> dict[str, str]:
    """A help page's parts by their headings, the title's first."""
    parts = re.split(
        r"^#+ (.+)\n", page_path(node_id, language).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table(text: str) -> list[list[str]]:
    """The rows below a table's head, cell by cell; none where there is no table."""
    rows = [re.split(r" *\| *", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def inputs_of_page(node_id: str, language: str) -> dict[str, list[str]]:
    """The cells beside an input's name, by the input's id."""
    ids = {f"`{x['name']}`": key for key, x in node_words(language)[node_id]["inputs"].items()}
    rows = table(sections(node_id, language)[HEADINGS[language][0]])
    return {ids[name]: cells for name, *cells in rows}


def numbers(cell: str) -> list[str]:
    return re.findall(r"-?\d+(?:\.\d+)?", cell)


def node_ids_in_code() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "nodes").glob("*.py"))
    return {found for source in sources for found in re.findall(r'node_id="(\w+)"', source)}


def test_every_node_has_words_in_every_language():
    assert {language: sorted(node_words(language)) for language in LANGUAGES} == dict.fromkeys(
        LANGUAGES, NODE_IDS
    )


def test_every_node_has_one_help_page_in_every_language_and_nothing_else_lies_there():
    pages = {page_path(node_id, language) for node_id in NODE_IDS for language in LANGUAGES}
    assert {path for path in DOCS.rglob("*") if path.is_file()} == pages


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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_help_page_has_the_nodes_title_and_all_parts(node_id, language):
    parts = sections(node_id, language)
    assert list(parts) == [node_words(language)[node_id]["display_name"], *HEADINGS[language]]
    assert [heading for heading, text in parts.items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_help_pages_tables_name_exactly_the_nodes_inputs_and_outputs(node_id, language):
    """In the words that the node itself shows in this language."""
    words, parts = node_words(language)[node_id], sections(node_id, language)
    for heading, slots in zip(HEADINGS[language], (words["inputs"], words.get("outputs", {})), strict=False):
        named = [name for name, *_ in table(parts[heading])]
        assert sorted(named) == sorted(f"`{slot['name']}`" for slot in slots.values()), heading
    for row in table(parts[HEADINGS[language][0]]):
        assert len(row) == INPUT_COLUMNS, row
        assert all(row), row


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_ranges_and_the_papers_values_are_the_same_in_every_language(node_id):
    said = [
        {key: (numbers(span), numbers(paper)) for key, (_, _, span, paper) in rows.items()}
        for rows in (inputs_of_page(node_id, language) for language in LANGUAGES)
    ]
    assert said[1:] == said[:-1]


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_chinese_page_is_chinese_and_has_no_breaks_inside_a_paragraph(node_id):
    """A single line break would show as a space between two characters."""
    for heading, text in sections(node_id, "zh").items():
        assert re.search(r"[\u4e00-\u9fff]", text), heading
    assert not re.search(
        r"[\u3000-\u9fff\uff00-\uffef]\n[^\n#|-]", page_path(node_id, "zh").read_text("utf-8")
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_loaders_page_says_that_the_tiny_model_knows_no_people(language):
    assert TINY_KNOWS_NO_PEOPLE[language] in page_path("CyberHostLoad", language).read_text(encoding="utf-8")


def test_the_list_of_nodes_names_every_node_and_links_its_help_page():
    text = (ROOT / "docs" / "nodes.md").read_text(encoding="utf-8")
    links = {key: f"[{x['display_name']}](../js/docs/{key}.md)" for key, x in node_words("en").items()}
    assert [key for key, link in links.items() if link not in text] == []


def test_the_readme_shows_every_workflow_with_its_own_picture():
    rows = [
        row for row in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if row.startswith("|")
    ]
    names = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
    shown = [re.findall(r'src="workflows/(\w+)\.jpg".*\*\*(\w+)\*\*', row) for row in rows]
    assert sorted(pair for row in shown for pair in row) == [(name, name) for name in names]
