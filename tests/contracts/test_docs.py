"""README and docs/: short, with links that lead somewhere, commands that exist, and the code's numbers."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.main import get_command

from cyberhost_core.cli.main import app
from cyberhost_core.conditioners.motion_frames import MotionFrames
from cyberhost_core.conditioners.stacked_frames import StackedFrames
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.metrics import __path__ as metrics_folders
from cyberhost_core.systems.named import ABLATIONS, SYSTEMS
from cyberhost_core.systems.public import PEERS
from cyberhost_core.systems.published import published
from cyberhost_core.systems.spec import SlidingWindowsSpec, SystemSpec

ROOT = Path(__file__).parents[2]
CORE = ROOT / "cyberhost_core"
SYSTEM_PAGES = sorted((ROOT / "docs" / "systems").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ENGLISH_HELP = sorted((ROOT / "js" / "docs").glob("*.md"))
MOST_README_BYTES = 9000
LONGEST_LINE = 124  # of prose; tables, links and code may be longer
STARTS = (
    r"(?:\.venv/bin/)?cyberhost",
    r"\.venv\\Scripts\\cyberhost",
    r"python -m (?:custom_nodes\.cyberhost\.)?cyberhost_core\.cli",
    r"python_embeded\\python\.exe -m custom_nodes\.cyberhost\.cyberhost_core\.cli",
    r"accelerate launch (?:--\w+(?: \d+)? )*-m cyberhost_core\.cli",
)
COMMAND = re.compile(rf"(?:{'|'.join(STARTS)})(?: (?P<rest>.*))?$", re.DOTALL)
REPOSITORY_PATH = re.compile(r"\b(?:cyberhost_core|tests|nodes|js|docs|workflows|locales)/[\w./-]+")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Every fenced block with its language."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def inline_code(text: str) -> list[str]:
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", without_blocks(text))]


def printed_commands(text: str) -> list[str]:
    """What a reader may type: lines of fenced and indented blocks, and code inside sentences."""
    fenced = [block for language, block in blocks(text) if language in {"", "sh", "bash"}]
    indented = re.findall(r"^ {4}\S.*(?:\\\n.*)*", without_blocks(text), flags=re.MULTILINE)
    lines = "\n".join([*fenced, *indented]).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines] + inline_code(text)


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", without_blocks(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def words_of(command: str) -> list[str]:
    """Split a printed command as a shell would; what stands for something left out is dropped."""
    lexer = shlex.shlex(command.replace("\\", "/"), posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, "#"
    return [word for word in lexer if word != "..."]


def complaint(words: list[str]) -> str:
    """Walk to the sub-command and look for its options; empty if all of them exist."""
    command, context = get_command(app), None
    while True:
        context = command.make_context("cyberhost", [], parent=context, resilient_parsing=True)
        commands = getattr(command, "commands", {})
        if not commands or not words:
            break
        if words[0].startswith("-"):
            return "" if words[0] in {"-h", "--help"} else f"no option {words[0]}"
        if words[0] not in commands:
            return f"no command {words[0]}"
        command, words = commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"-h", "--help"}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known]
    return f"no option {', '.join(unknown)}" if unknown else ""


def table_of_systems(text: str) -> dict[str, dict[str, str]]:
    """Tables whose columns are systems: system -> row -> cell."""
    found: dict[str, dict[str, str]] = {}
    for table in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()
        ]
        for column, cell in enumerate(head):
            if (system := cell.strip("`")) in SYSTEMS | PEERS:
                found[system] = {row[0]: row[column] for row in rows}
    return found


def numbers_of(spec: SystemSpec) -> dict[str, str]:
    """What a system's page says of it, written from its value."""
    schedule, guidance, long = spec.schedule, spec.guidance, spec.long_video
    assert isinstance(guidance, DualGuidance)
    if isinstance(long, SlidingWindowsSpec):
        moving = ", moving on with every step" if long.rotating else ""
        length = f"windows of {long.frames}, overlap {long.overlap}{moving}"
    else:
        motion = sum(each.frames for each in spec.listed(MotionFrames))
        opened = any(each.first_frame for each in spec.listed(StackedFrames))
        before = "a first frame" if opened else f"{motion} motion frames"
        length = f"segments of {long.frames}, {before}, {long.kept} kept"
    return {
        "picture, width x height": f"{spec.width} x {spec.height}",
        "frames per second": f"{spec.fps:g}",
        "prediction": f"`{schedule.prediction}`",
        "noise schedule": f"`{schedule.beta_schedule}`"
        + (", zero terminal SNR" if schedule.zero_snr else ""),
        "sampler and steps": f"`{schedule.sampler}`, {schedule.steps}",
        "reference scale": f"{guidance.reference_scale:g}",
        "audio scale": f"{guidance.audio_scale:g}",
        "length": length,
        "other sizes": "yes, multiples of 8" if spec.any_size else "no",
    }


def described() -> Mapping[str, SystemSpec]:
    return {key: make() for key, make in SYSTEMS.items()} | {key: published(key) for key in PEERS}


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size < MOST_README_BYTES


@pytest.mark.parametrize("page", [*PAGES, *ENGLISH_HELP, ROOT / "CHANGELOG.md"], ids=name)
def test_lines_are_short_enough_to_read_in_an_editor(page):
    prose = [line for line in without_blocks(text_of(page)).splitlines() if not line.startswith("|")]
    long = [line for line in prose if len(line) > LONGEST_LINE and "](" not in line]
    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_links_and_shows_is_there(page):
    text = without_blocks(text_of(page))
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in (x for x in targets if "://" not in x):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(text_of(file)), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_names_are_there(page):
    """Outside the lab log, which speaks of its own day."""
    if page.name == "lab-log.md":
        return
    code = inline_code(text_of(page))
    named = {found.rstrip("./") for part in code for found in REPOSITORY_PATH.findall(part)}
    named |= {part for part in code if re.fullmatch(r"\w+/[\w/]+\.py", part)}
    assert [path for path in sorted(named) if not any((at / path).exists() for at in (ROOT, CORE))] == []


def test_every_page_can_be_reached_from_the_readme():
    reached, open_pages = set(), [ROOT / "README.md"]
    while open_pages:
        page = open_pages.pop()
        reached.add(page)
        for target in re.findall(r"\]\(([^)#]+)", text_of(page)):
            file = (page.parent / target).resolve()
            found = sorted(file.glob("*.md")) if file.is_dir() else [file]
            open_pages += [path for path in found if path in PAGES and path not in reached]
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("page", [*PAGES, *ENGLISH_HELP], ids=name)
def test_every_command_of_a_page_exists_with_its_options(page):
    wrong = {}
    for command in printed_commands(text_of(page)):
        if (found := COMMAND.match(command)) and (why := complaint(words_of(found["rest"] or ""))):
            wrong[command] = why
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_of_a_page_exists(page):
    targets = set(re.findall(r"^([\w-]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    asked = {
        found.group(1)
        for command in printed_commands(text_of(page))
        if (found := re.match(r"make ([\w-]+)", command))
    }
    assert asked <= targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_imports_can_be_imported(page):
    for language, block in blocks(text_of(page)):
        if language == "python":
            for statement in ast.walk(ast.parse(block)):
                if isinstance(statement, ast.ImportFrom) and statement.module:
                    module = importlib.import_module(statement.module)
                    assert [alias.name for alias in statement.names if not hasattr(module, alias.name)] == []


def test_every_system_has_its_numbers_on_one_page_and_they_are_the_codes():
    said = [
        (system, rows) for page in SYSTEM_PAGES for system, rows in table_of_systems(text_of(page)).items()
    ]
    expected = {key: numbers_of(spec) for key, spec in described().items()}
    assert sorted(system for system, _ in said) == sorted(expected)
    assert dict(said) == expected


@pytest.mark.parametrize("page", SYSTEM_PAGES, ids=name)
def test_a_systems_page_says_what_it_is_for_where_it_is_from_and_how_it_is_run(page):
    text = text_of(page)
    assert [word for word in ("**For:**", "**Source:**", "**In the code:**") if word not in text] == []
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert {"What it needs", "How to run it", "Departures"} <= set(headings)
    assert "../decisions/" in text
    workflows = {path.stem for path in (ROOT / "workflows").glob("*.json")}
    assert workflows & set(re.findall(r"\w+", text))


def test_every_workflow_is_named_on_a_systems_page():
    words = {word for page in SYSTEM_PAGES for word in re.findall(r"\w+", text_of(page))}
    assert {path.stem for path in (ROOT / "workflows").glob("*.json")} - words == set()


def test_every_ablation_is_named_on_a_systems_page():
    code = {word for page in SYSTEM_PAGES for found in inline_code(text_of(page)) for word in found.split()}
    assert set(ABLATIONS) - code == set()


def test_every_file_of_measures_is_described():
    files = {path.name for folder in metrics_folders for path in Path(folder).glob("*.py")} - {"__init__.py"}
    described_files = set(inline_code(text_of(ROOT / "docs" / "measures.md")))
    assert files - described_files == set()
    assert {found for found in described_files if re.fullmatch(r"\w+\.py", found)} - files == set()


def test_every_row_that_a_page_of_measures_names_is_printed():
    """Names in italics in the last column; the exams' own labels are the truth."""
    sources = "\n".join(text_of(path) for path in (CORE / "exams").rglob("*.py"))
    rows = re.findall(
        r"^\|.*\| ([^|]*\*[^|]+) \|$", text_of(ROOT / "docs" / "measures.md"), flags=re.MULTILINE
    )
    named = {found for row in rows for found in re.findall(r"\*([^*]+)\*", row)}
    pattern = {label: re.sub(r"box 1 ", "box ", label).split(" (")[0] for label in named}
    assert [label for label, part in pattern.items() if part not in sources] == []


def test_every_room_of_the_core_is_in_the_layout():
    rooms = {path.name for path in CORE.iterdir() if (path / "__init__.py").exists()}
    assert rooms - set(inline_code(text_of(ROOT / "docs" / "layout.md"))) == set()
