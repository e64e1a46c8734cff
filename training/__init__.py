"""Everything that makes the built-in model: pictures, captions, training, measuring, export."""
