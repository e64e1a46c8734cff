"""One denoising batch for everyone: requests of all kinds share each call of the UNet."""

from .engine import Engine
from .guidance import Guidance
from .order import Order
from .ticket import Ticket
from .unet import Unet

__all__ = ["Engine", "Guidance", "Order", "Ticket", "Unet"]
