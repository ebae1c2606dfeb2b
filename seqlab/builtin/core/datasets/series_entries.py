"""The series of numbers in the catalogue."""

from __future__ import annotations

from seqlab.api import DatasetEntry
from seqlab.builtin.core.datasets.github import github

__all__ = ["SERIES_SETS"]

TS_ETTH1 = DatasetEntry(
    name="ts_etth1",
    summary="forecasting: ETTh1, 17,420 hours of an electricity transformer, 7 series",
    licence="CC BY-ND 4.0: pass on unmodified only",
    citation="Haoyi Zhou and others: Informer: Beyond Efficient Transformer for Long Sequence Time-Series"
    " Forecasting. AAAI 2021",
    origin="github:zhouhaoyi/ETDataset at 1d16c8f4f943, 2021-06-04",
    downloads=github(
        "zhouhaoyi/ETDataset",
        "1d16c8f4f943005d613b5bc962e9eeb06058cf07",
        {
            "ETTh1.csv": (
                "ETT-small/ETTh1.csv",
                "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            ),
            "LICENSE": ("LICENSE", "83cbb5c31415b1d0ee1d20d35dae3fda3a045b85fae9364cc57facc9cd6e0946"),
        },
    ),
    notes="one file; the customary split is by rows: 0-8,639 train, 8,640-11,519 dev, 11,520-14,399 test;"
    " the column OT is the target",
)

TS_SMALL = DatasetEntry(
    name="ts_small",
    summary="forecasting: three small series, 144 months, 3,650 days and 2,820 months",
    licence="none stated; facts of the Time Series Data Library",
    citation="Time Series Data Library: Box and Jenkins 1976; Australian Bureau of Meteorology; Andrews and"
    " Herzberg 1985",
    origin="github:jbrownlee/Datasets at d20fcb6402ae, 2020-12-10",
    downloads=github(
        "jbrownlee/Datasets",
        "d20fcb6402ae34e653d4513b00f39257bb37ed7f",
        {
            "airline-passengers.csv": (
                "airline-passengers.csv",
                "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
            ),
            "daily-min-temperatures.csv": (
                "daily-min-temperatures.csv",
                "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
            ),
            "monthly-sunspots.csv": (
                "monthly-sunspots.csv",
                "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3",
            ),
            "airline-passengers.names": (
                "airline-passengers.names",
                "d195d0deb285e0c1f64244c729b40523618ba507e5ba31ca19ce0d1aadbc9460",
            ),
            "daily-min-temperatures.names": (
                "daily-min-temperatures.names",
                "0b7d97f84cba1f04c92560332d077e82c157267344e3c06a4474ceafc5951158",
            ),
            "monthly-sunspots.names": (
                "monthly-sunspots.names",
                "5ddf46b4bd9ab847c43603576451acee1a8cb60bbb0e28db8eaa8e554c28fa4b",
            ),
        },
    ),
    notes="split by time: the last 20 % test, the 10 % before it dev; the .names files say where each is"
    " from",
)

SERIES_SETS = (TS_ETTH1, TS_SMALL)
"""The sets of this module."""
