"""Classifiers of face and of the rest: do picture and sound belong together? (PAHA section 4.1.3)

negatives   clips that the model makes itself      batches   pairs of a real clip and its generated twin
learner     what is asked of both classifiers      accuracy  how often they are right
recipes     what a run goes by                     run       build, resume, log, hand on
"""
