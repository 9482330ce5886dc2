"""What every shape is."""

from typing import Any

Shape = dict[str, Any]
