"""Recipes: complete training runs as files, read into values and written again.

recipe      a run as a value                              reading    files and --set -> a recipe
entries     what files hold: YAML, `extends`, changes     writing    a recipe -> YAML
systems     the entry `system`                            faults     what does not fit, in a sentence
shipped/    the recipes that come with the package, one YAML each
"""
