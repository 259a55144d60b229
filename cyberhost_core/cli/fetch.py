"""`cyberhost fetch`: a public model in one step, once its licences are accepted.

no name     what there is, from values in this package: nothing is asked of any server
a name      licences -> accepted? -> fetched, checked, converted (checkpoints/fetching.py)
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..checkpoints.catalogue import OFFERS, TRAINED_FROM, Download, Offer, is_there, raw_folder
from ..errors import Cancelled, ConfigError, FetchError, Paused
from .running import progress_bars, stop_on_signal

_KILOBYTE, _MEGABYTE, _GIGABYTE = 10**3, 10**6, 10**9


def fetch(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The model to fetch; none: list them.")
    ] = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder of the models; made if it is missing.")
    ] = Path(),
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licences that are shown, without a question.")
    ] = False,
    keep_raw: Annotated[
        bool, typer.Option("--keep-raw", help="Keep the downloaded files beside the converted one.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """List the public models, or fetch one and convert it. Nothing is fetched unless you name it.

    A command that was stopped, or whose line broke, goes on where it was when it is given again.

    \b
    Examples:
      cyberhost fetch
      cyberhost fetch echomimic-v2 --to models/cyberhost
      cyberhost fetch hallo --to models/cyberhost --accept-licence
    """
    if name is None:
        for each, offer in OFFERS.items():
            typer.echo(_described(each, offer, there=is_there(each, to)))
        typer.echo(TRAINED_FROM)
        return
    if name not in OFFERS:
        raise ConfigError(f"There is no model '{name}' to fetch; choose one of: {', '.join(OFFERS)}.")
    if not is_there(name, to):
        _require_accepted(name, accepted=accept_licence)
    for path in _fetched(name, to, keep_raw=keep_raw, quiet=quiet):
        typer.echo(f"{path}: {_size(path.stat().st_size)}")


def _require_accepted(name: str, *, accepted: bool) -> None:
    """Show the licences, and ask unless the command has said yes.

    Raises:   FetchError: they are not accepted
    """
    typer.echo(f"{_described(name, OFFERS[name], there=False)}\n{TRAINED_FROM}", err=True)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise FetchError(
            f"Nothing was fetched: the licences of {name} must be accepted, and no terminal is there to "
            "ask on; read them and give --accept-licence."
        )
    try:
        accepted = typer.confirm("Do you accept these licences?", err=True)
    except typer.Abort as error:
        raise Cancelled("The question was not answered.") from error
    if not accepted:
        raise FetchError(
            f"Nothing was fetched: the licences of {name} were not accepted; answer y to accept them."
        )


def _fetched(name: str, folder: Path, *, keep_raw: bool, quiet: bool) -> list[Path]:
    """Fetch with bars and a clean Ctrl-C; the account of weights that make no such model is printed."""
    # here and not above: torch takes seconds, and a list or a question should not
    from ..checkpoints import fetching
    from ..checkpoints.accounting import UnaccountedWeightsError
    from ..pipeline.generate import Progress

    with stop_on_signal() as is_cancelled, progress_bars(quiet=quiet) as show:

        def on_progress(stage: str, done: int, total: int) -> None:
            if is_cancelled():
                raise Cancelled("The download was stopped.")
            if total >= _MEGABYTE:  # a bar of nothing but zeros otherwise
                show(Progress(f"{stage}, megabytes", done // _MEGABYTE, total // _MEGABYTE))

        try:
            return fetching.fetch(name, folder, keep_raw=keep_raw, on_progress=on_progress)
        except (Cancelled, KeyboardInterrupt) as error:
            raise Paused(
                f"stopped; what was fetched lies in {raw_folder(name, folder)}, and the same command goes on "
                "from there."
            ) from error
        except UnaccountedWeightsError as error:
            typer.echo(error.report.as_text())
            raise


def _described(name: str, offer: Offer, *, there: bool) -> str:
    files = [size for download in offer.downloads for size in download.files.values()]
    lines = [f"{name}: {offer.purpose}; {_stated(files)}; {'is there' if there else 'not there'}"]
    lines += [f"  {_line(download)}" for download in offer.downloads]
    return "\n".join(lines)


def _line(download: Download) -> str:
    size = _stated(list(download.files.values()))
    return f"{download.purpose}: {download.page}, {size}; licence: {download.licence}"


def _stated(sizes: list[int | None]) -> str:
    """Add up sizes as their pages state them."""
    known = [size for size in sizes if size is not None]
    if not known:
        return "size not stated"
    return _size(sum(known)) if len(known) == len(sizes) else f"more than {_size(sum(known))}"


def _size(count: int) -> str:
    for unit, word in ((_GIGABYTE, "GB"), (_MEGABYTE, "MB")):
        if count >= unit:
            return f"{count / unit:.3g} {word}"
    return f"{count / _KILOBYTE:.3g} kB"
