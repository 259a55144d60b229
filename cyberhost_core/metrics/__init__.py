"""Metrics: one file per metric, and the benches that put them together.

lip_sync  hands  plausible_hands  movement  clarity  identity  pixels  seams     pose or frames in, numbers
out statistics  controls                                                            correlations that they
share bench <- takes, measures, bench_rows, report, machine                           does a model make
puppets talk? speed                                                                           where does the
time go?
"""
