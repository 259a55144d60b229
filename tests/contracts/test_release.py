"""What the ComfyUI registry is told, and what is asked before a release."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
ADDRESS = "https://example.org/someone/cyberhost"
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what a release looks at, with nothing stated yet."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def release(what: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "release.py"), what, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def state(root: Path, **values: str) -> None:
    """Write values of [tool.cyberhost.release]."""
    lines = (root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    first = lines.index("[tool.cyberhost.release]") + 1
    for key, value in values.items():
        place = next(index for index in range(first, len(lines)) if lines[index].startswith(f"{key} ="))
        lines[place] = f"{key} = {value}"
    (root / "pyproject.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def told(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("what", ["check", "fill"])
def test_without_an_address_there_is_no_release_and_one_sentence_says_why(what: str, copy: Path) -> None:
    state(copy, repository='""')
    before = (copy / "pyproject.toml").read_text(encoding="utf-8")
    done = release(what, copy)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "pyproject.toml states no repository in [tool.cyberhost.release]; write the public address of this "
        "repository there, then run: make release-fill."
    ]
    assert (copy / "pyproject.toml").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("address", [f"{ADDRESS}.git", f"{ADDRESS}/", "git@example.org:someone/cyberhost"])
def test_an_address_that_no_page_has_is_refused(address: str, copy: Path) -> None:
    state(copy, repository=f'"{address}"')
    done = release("check", copy)
    assert done.returncode == 1 and repr(address) in done.stderr and len(done.stderr.splitlines()) == 1


def test_whatever_follows_from_the_address_is_asked_for_and_written(copy: Path) -> None:
    state(copy, repository=f'"{ADDRESS}"', publisher_confirmed="true")
    asked = release("check", copy)
    assert asked.returncode == 1
    for key in ("Repository", "Issues", "Documentation", "Icon", "Banner"):
        assert f"] {key} of pyproject.toml is" in asked.stderr
    before = told(copy)
    assert release("fill", copy).returncode == 0
    after = told(copy)
    urls, comfy = after["project"]["urls"], after["tool"]["comfy"]
    assert urls == {
        **before["project"]["urls"],
        "Repository": ADDRESS,
        "Issues": f"{ADDRESS}/issues",
        "Documentation": f"{ADDRESS}#readme",
    }
    assert comfy["Icon"] == f"{ADDRESS}/raw/HEAD/docs/pictures/icon.png"
    assert comfy["Banner"] == f"{ADDRESS}/raw/HEAD/docs/pictures/banner.png"
    assert f"git clone {ADDRESS} cyberhost" in (copy / "README.md").read_text(encoding="utf-8")

    again = (copy / "pyproject.toml").read_text(encoding="utf-8")
    assert release("fill", copy).returncode == 0
    assert (copy / "pyproject.toml").read_text(encoding="utf-8") == again


def test_an_unconfirmed_publisher_and_an_unreleased_version_are_asked_for_last(copy: Path) -> None:
    state(copy, repository=f'"{ADDRESS}"', publisher_confirmed="false")
    changelog = copy / "CHANGELOG.md"
    changelog.write_text(f"## {told(copy)['project']['version']} (unreleased)\n", encoding="utf-8")
    release("fill", copy)
    publisher, version = release("check", copy).stderr.splitlines()
    assert "publisher_confirmed" in publisher and "unreleased" in version
    state(copy, publisher_confirmed="true")
    changelog.write_text(f"## {told(copy)['project']['version']} (a day)\n", encoding="utf-8")
    assert release("check", copy).returncode == 0


@pytest.mark.parametrize(("picture", "ratio"), [("icon", 1), ("banner", 21 / 9)])
def test_the_pictures_are_as_the_registry_shows_them(picture: str, ratio: float) -> None:
    """Up to 400 x 400 for the icon, 21 to 9 for the banner; small, because every user downloads them."""
    path = ROOT / "docs" / "pictures" / f"{picture}.png"
    with Image.open(path) as image:
        width, height = image.size
    assert width / height == pytest.approx(ratio, rel=0.01)
    assert picture != "icon" or width <= 400
    assert path.stat().st_size < 100_000
    assert told(ROOT)["tool"]["comfy"][picture.capitalize()].endswith(f"docs/pictures/{picture}.png")
