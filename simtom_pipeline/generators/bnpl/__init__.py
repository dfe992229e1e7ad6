"""Buy now, pay later: customers, products, devices, payment methods and purchases of one lender."""

from .generator import BnplGenerator

__all__ = ["BnplGenerator"]
