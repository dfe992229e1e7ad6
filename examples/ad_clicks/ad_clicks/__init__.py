"""Ads of a shop: who sees one, who clicks, who buys days later. The entry point; importing it registers it."""

from .generator import AdClicks

__all__ = ["AdClicks"]
