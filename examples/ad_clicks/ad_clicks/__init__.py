"""Impressions, clicks, and conversions that arrive days later: a second domain for simtom_pipeline."""

from .generator import AdClicks as AdClicks
