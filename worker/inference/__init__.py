"""From the bytes of an image to its embedding: decoding, the model, and what the model runs on."""
