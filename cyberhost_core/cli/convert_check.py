"""`cyberhost convert check`: recorded cases of the public models, run through converter and loader."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import CheckpointError, CyberHostError


def check(
    fixtures: Annotated[
        Path, typer.Argument(metavar="FIXTURE_DIR", help="Folder of pairs NAME.json + NAME.safetensors.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Compare us with recordings of the public models; exits with 1 if one differs.

    A recording holds the weights of a small model with what went in and came out. Its weights are converted
    and loaded as any other, and run in float32 on the CPU. Allowed: 5e-5 for one prediction, 3e-4 for the
    latents after sampling.

    \b
    Example:
      cyberhost convert check recordings
    """
    from ..exams.peers.recorded_case import OUTPUT_BOUND, SAMPLED_BOUND, is_case

    cases = [path for path in sorted(fixtures.glob("*.json")) if is_case(path)]
    if not cases:
        raise CheckpointError(
            f"There is no recorded case in {fixtures}; pairs NAME.json + NAME.safetensors of a public model "
            "were expected: check the folder."
        )
    rows = [_row(path) for path in cases]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        width = max(len("case"), *(len(row["case"]) for row in rows))
        typer.echo(f"{'case':<{width}}  {'output':>9}  {'sampled':>9}")
        for row in rows:
            numbers = f"{row['output']:9.2e}  {row['sampled']:9.2e}" if "output" in row else " " * 20
            verdict = "pass" if row["passes"] else f"FAIL  {row.get('error', '')}".rstrip()
            typer.echo(f"{row['case']:<{width}}  {numbers}  {verdict}")
        typer.echo(
            f"allowed: output {OUTPUT_BOUND:g}, sampled {SAMPLED_BOUND:g} (largest absolute difference)"
        )
    if not all(row["passes"] for row in rows):
        raise typer.Exit(1)


def _row(path: Path) -> dict[str, Any]:
    from ..exams.peers.recorded_case import run_case

    try:
        errors = run_case(path)
    except (CyberHostError, KeyError, RuntimeError, ValueError) as error:
        # a recording that is not whole, or whose sizes do not fit one another, is a case that fails
        return {"case": path.stem, "passes": False, "error": f"{type(error).__name__}: {error}"}
    return {
        "case": path.stem,
        "output": errors.output,
        "sampled": errors.sampled,
        "passes": errors.passes,
    }
