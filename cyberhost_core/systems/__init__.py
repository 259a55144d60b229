"""Published systems as values, the model that such a value builds, and how it is sampled.

spec        what a system is           cyberhost    CyberHost, its ablations, its tiny twin
named       every system by name       emo2         EMO2's video model and its tiny twin
                                       public, ...  public relatives, read from their files
model       all trainable parts        sampling     one segment, and videos of any length
"""
