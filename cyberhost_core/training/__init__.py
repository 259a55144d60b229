"""Training: from a recipe to averaged weights, by one trainer for everything that is trained.

recipes                      whole runs, as files            stage        batch -> losses, as a value
first_stages                 what stage 1 trains of a system
batches, batch               prepared videos -> one step's input          losses    one file each
trainer, loop, checkpoint    the loop, its settings, resuming             precision   what the machine can
optimizers, average          what moves the weights, and what follows them
runs, part_runs              a stage of a recipe, and one part, to the file that a user named
validation                   what is watched on the way
vae                          the small autoencoder
pose_discriminator, discriminator_run    what the pose loss asks
gestures                     stage 1 of EMO2                 twins        small twins of outside networks
classifiers                  of face and of the rest, for guidance by parts
"""
