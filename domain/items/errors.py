"""What can be wrong with an item."""

from domain.errors import NotFound


class ItemNotFound(NotFound):
    """There is no such item."""

    detail = "There is no item with this id among yours."
