"""fastembed's ImageEmbedding on the same photos and weights, in an environment of its own. Knows nothing of ours.

    python bench/rivals/fastembed_rival.py MODEL_FOLDER BATCH PARALLEL < PATHS      prints images per second

PARALLEL 0 is a process per core, as its documentation recommends for many images; "-" is its default, one process
whose session uses every core. The model is found in the folder, so that nothing is downloaded.
"""

import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from fastembed import ImageEmbedding

# One of the names it knows; what it loads is in MODEL_FOLDER.
KNOWN_AS = "Qdrant/resnet50-onnx"


def main() -> None:
    """Reads the paths, embeds them once for each line of the result."""
    folder, batch, parallel = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    paths = sys.stdin.read().split("\n")
    model = ImageEmbedding(KNOWN_AS, specific_model_path=folder)
    next(iter(model.embed(paths[:1])))
    begun = time.perf_counter()
    count = sum(1 for _ in model.embed(paths, batch_size=batch, parallel=None if parallel == "-" else int(parallel)))
    print(count / (time.perf_counter() - begun))


if __name__ == "__main__":
    main()
