"""Ads of a shop: who sees one, who clicks, who buys days later. Importing the package registers it."""

from .generator import AdClicks

__all__ = ["AdClicks"]
