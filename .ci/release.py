"""Is this repository ready for the ComfyUI registry, and what follows from its public address?

python .ci/release.py check     says what is missing, one sentence each; exits with 1 if anything is
python .ci/release.py fill      writes whatever follows from the address that pyproject.toml states

[tool.cyberhost.release] of pyproject.toml is the only place that a person fills in.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ADDRESS = re.compile(r"https://[^/\s]+/[^/\s]+/[^/\s]+(?<!\.git)")
PLACEHOLDER = "<address of this repository>"


def main() -> int:
    """Check or fill; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("check", "fill"))
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the repository's root")
    asked = parser.parse_args()
    project = _project(asked.root)
    missing = list(_unknown(project))
    if not missing and asked.what == "fill":
        _fill(asked.root, project["tool"]["cyberhost"]["release"]["repository"])
    elif not missing:
        missing = list(_unready(asked.root, project))
    sys.stderr.writelines(f"{sentence}\n" for sentence in missing)
    return 1 if missing else 0


def following(repository: str) -> dict[tuple[str, str], str]:
    """Name what follows from the address, by table and key of pyproject.toml.

    GitHub and GitLab serve a file of the newest commit under /raw/HEAD/.
    """
    return {
        ("project.urls", "Repository"): repository,
        ("project.urls", "Issues"): f"{repository}/issues",
        ("project.urls", "Documentation"): f"{repository}#readme",
        ("tool.comfy", "Icon"): f"{repository}/raw/HEAD/docs/pictures/icon.png",
        ("tool.comfy", "Banner"): f"{repository}/raw/HEAD/docs/pictures/banner.png",
    }


def _project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def _unknown(project: dict) -> Iterator[str]:
    repository = project["tool"]["cyberhost"]["release"]["repository"]
    if not repository:
        yield (
            "pyproject.toml states no repository in [tool.cyberhost.release]; write the public address of "
            "this repository there, then run: make release-fill."
        )
    elif not ADDRESS.fullmatch(repository):
        yield (
            f"The repository in [tool.cyberhost.release] of pyproject.toml is {repository!r}, but an address "
            "like https://host/owner/name was expected; write it without .git and without a slash at the end."
        )


def _unready(root: Path, project: dict) -> Iterator[str]:
    release, version = project["tool"]["cyberhost"]["release"], project["project"]["version"]
    for (table, key), wanted in following(release["repository"]).items():
        held = project
        for part in table.split("."):
            held = held[part]
        if held.get(key) != wanted:
            yield (
                f"[{table}] {key} of pyproject.toml is {held.get(key)!r}, but {wanted!r} follows from the "
                "address; run: make release-fill."
            )
    if PLACEHOLDER in (root / "README.md").read_text(encoding="utf-8"):
        yield f"README.md still says {PLACEHOLDER}; run: make release-fill."
    if not release["publisher_confirmed"]:
        yield (
            f"PublisherId {project['tool']['comfy']['PublisherId']!r} is not confirmed; make it at the "
            "registry, then set publisher_confirmed in [tool.cyberhost.release] of pyproject.toml to true."
        )
    if f"## {version} (unreleased)" in (root / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield f"CHANGELOG.md calls {version} unreleased; write the day of the release in its place."


def _fill(root: Path, repository: str) -> None:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    for (table, key), value in following(repository).items():
        head, header, rest = text.partition(f"[{table}]\n")
        body, mark, tail = rest.partition("\n[")
        line = f'{key} = "{value}"'
        body, found = re.subn(rf"(?m)^{key} = .*$", lambda _, line=line: line, body)
        text = head + header + ("" if found else f"{line}\n") + body + mark + tail
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    readme = root / "README.md"
    said = readme.read_text(encoding="utf-8")
    readme.write_text(said.replace(PLACEHOLDER, repository), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
