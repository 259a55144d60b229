"""Published systems as values, and the model that such a value builds.

spec        what a system is           cyberhost    CyberHost, its ablations, its tiny twin
named       every system by name       emo2         EMO2's video model and its tiny twin
                                       paha         PAHA's UniVDM and its tiny twin
encoders    its conditioners, built    public       public relatives, read from their files
model       and the denoiser           published    and at the sizes of their published files
"""
