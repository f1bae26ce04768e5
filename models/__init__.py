"""The ONNX models: what a model file must be, how ours is made, measured and fetched."""
