"""Published systems as values, the model that such a value builds, and how it is sampled.

spec        what a system is           cyberhost    CyberHost, its ablations, its tiny twin
model       all trainable parts        sampling     one segment, and videos of any length
"""
