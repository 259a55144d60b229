"""Guidance as values, one file per method: which passes are run, how they combine, and what a step does.

guidance   what every method is      plain      portrait and sound together
step       what a step offers        dual       portrait and sound, each with its scale
gradients  through a network         interval   another guidance, between two noise levels only
                                     parts      another, corrected by classifiers of face and of the rest
"""
