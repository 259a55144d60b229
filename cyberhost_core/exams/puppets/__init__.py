"""Does a model make held-out puppets talk?

plan, takes   who says what, and how            measures    one take's figures
bench         all takes, then means and targets bench_rows  what each row asks for
"""
