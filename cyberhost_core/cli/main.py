"""The entry point: every command, every exit code.

    0    done
    1    a fault of this program (a traceback is shown: please report it), or a check that failed
    2    the command or one of its files cannot be used (one sentence says why)
    130  cancelled; nothing half written is left (of a download: what goes on the next time)

Results go to stdout, everything else to stderr, so that `--json` output can be piped.
"""

import sys
import traceback

import typer

from ..errors import Cancelled, CyberHostError, Paused
from .convert import convert
from .demo import demo
from .doctor import doctor
from .evaluate import evaluate
from .fetch import fetch
from .generate import generate
from .memory import memory
from .parameters import parameters
from .prepare import prepare
from .train import train

OK, FAULT, UNUSABLE, CANCELLED = 0, 1, 2, 130

# plain help text: boxes and colours break in log files and in old Windows consoles
app = typer.Typer(
    name="cyberhost",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(demo)
app.command()(generate)
app.command()(doctor)
app.command()(parameters)
app.command()(memory)
app.command()(fetch)
app.add_typer(convert)
app.add_typer(evaluate)
app.add_typer(prepare)
app.add_typer(train)


@app.callback()
def _about() -> None:
    """Make a portrait speak, with face, hands and body, from a voice recording.

    \b
    Start here:
      cyberhost doctor                              is everything there?
      cyberhost demo                                a bundled puppet speaks a bundled sentence
      cyberhost generate me.png talk.wav -o me.mp4  your own picture and voice
    """


def main(arguments: list[str] | None = None) -> int:
    """Run one command and turn whatever happens into an exit code.

    Units:    arguments: what follows the program's name; None: the command line's
    """
    try:
        app(arguments, prog_name="cyberhost")
    except SystemExit as leaving:  # what the parser ends with, also on success
        return leaving.code if isinstance(leaving.code, int) else UNUSABLE
    except Paused as pause:
        return _say(str(pause), CANCELLED)
    except (Cancelled, KeyboardInterrupt):
        return _say("cancelled; no output was written.", CANCELLED)
    except CyberHostError as error:
        return _say(str(error), UNUSABLE)
    except Exception as error:  # the last frame of the program: a fault must still end in one readable line
        traceback.print_exc()
        return _say(f"internal error ({type(error).__name__}); please report it with the lines above.", FAULT)
    return OK


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(f"cyberhost: {sentence}\n")
    return code
