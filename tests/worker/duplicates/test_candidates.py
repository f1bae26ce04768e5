"""The nearest of each by copy descriptor: exactly, in blocks."""

import numpy as np
import pytest

from worker.duplicates import candidates


def test_blocks_find_what_one_product_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(90, 6)).astype(np.float32)
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    cosines = units.astype(np.float32) @ units.astype(np.float32).T
    np.fill_diagonal(cosines, -1)
    monkeypatch.setattr(candidates, "ROWS", 7)
    monkeypatch.setattr(candidates, "COLUMNS", 13)
    seen = 0
    for block, found in candidates.nearest(units, np.arange(90), 5):
        for row, (columns, scores) in zip(block, found, strict=True):
            best = np.sort(cosines[row][cosines[row] >= candidates.LEAST_SIMILARITY])[::-1][:5]
            assert scores == pytest.approx(best, abs=1e-5)
            assert row not in columns
            seen += len(columns)
    assert seen > 300
