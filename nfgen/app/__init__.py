"""A web page to play with trained runs, by Gradio, which is imported only when the app is served."""

from .config import AppConfig
from .server import serve, serving

__all__ = ["AppConfig", "serve", "serving"]
