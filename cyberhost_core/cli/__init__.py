"""The `cyberhost` command: one file per command, each of them parse -> one call into the core.

main                    the app, exit codes and error lines (__main__: as python -m)
demo, generate          a bundled portrait speaks a bundled sentence; a portrait and a voice of your own
running                 what demo and generate share: inputs, progress bars, Ctrl-C
sampling_options        options of every command that samples
evaluate, evaluate_gestures, evaluate_guidance, evaluate_classifiers    how good a model is, how fast it is
memory, parameters, systems        what a system takes and is made of; which one is meant
prepare, prepare_footage           training data
train, train_gestures, train_discriminator, train_classifiers, train_recipe
fetch                   public models in one step
convert, convert_check, convert_mano, convert_people    other people's weights into files of ours
doctor, examination     what is installed, what is missing
"""
