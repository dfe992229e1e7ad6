"""A scenario drawn before a single day of it is simulated: its volume, its hours, its faults, its drifts.

`charts` has every chart of a scenario, `drift_panels` those of one drift, `style` what they have in
common, `rendering` turns a chart into PNG or SVG, `page` writes the whole preview. Nothing here
simulates or reads a database. Importing any of these modules but `wording` costs about 0.4 s (Altair):
import them where something is drawn.
"""
