"""From files to a video, for every system.

generate      the whole story: picture, sound, options -> mp4
options       what may be chosen            choices       whether a system uses it
devices       where it is computed          drivers       and what may drive it
talker        a loaded checkpoint with the outside networks that it needs, stage by stage
portrait      a picture, and the person in it
driving       what each kind of map shows: a box, hands, a face, skeletons
autoencoders  the two kinds of autoencoder behind one form
"""
