"""What is measured, and the programs that measure it: `python -m bench` (or `make bench`).

Each section is a module of its own and answers a `Section` of figures with their targets. Everything is measured
as ratios side by side on one machine, in turns, by medians: a busy machine then hurts both sides alike.
"""
