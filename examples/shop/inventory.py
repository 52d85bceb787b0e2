"""Decide what to buy again, and how much."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """A thing on a shelf."""

    sku: str
    stock: int
    sold_per_day: float
    lead_time_days: int


def reorder_level(product: Product, safety_days: int = 3) -> float:
    """Return the stock at which a product must be bought again.

    It is what will be sold until the supplier delivers, and a few days more.
    """
    return product.sold_per_day * (product.lead_time_days + safety_days)


def reorder_quantity(product: Product, days: int = 30) -> int:
    """Return how many pieces to buy so that the shelf lasts for ``days``."""
    missing = product.sold_per_day * days - product.stock
    return max(0, round(missing))


class Shelf:
    """All products, by their stock keeping unit."""

    def __init__(self, products: list[Product]) -> None:
        self._products = {product.sku: product for product in products}

    def to_restock(self) -> list[Product]:
        """Return the products below their reorder level, the emptiest first."""
        low = [product for product in self._products.values() if product.stock < reorder_level(product)]
        return sorted(low, key=lambda product: product.stock)
