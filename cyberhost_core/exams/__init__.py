"""Exams: whole models tried on held-out data with the measures of `metrics`, against stated targets."""
