"""Noise schedules, prediction types, samplers (`schedule`) and dual guidance (`guidance`)."""
