"""The `cyberhost` command: one file per command, each of them parse -> one call into the core.

main.py       the app, exit codes and error lines
demo.py       a bundled portrait speaks a bundled sentence
generate.py   a portrait and a voice of your own
evaluate.py   how good a model is, how fast it is
convert.py    other people's weights into one checkpoint (check: convert_check.py)
doctor.py     what is installed, what is missing (facts: examination.py)
running.py    what demo and generate share: inputs, progress bars, Ctrl-C
"""
