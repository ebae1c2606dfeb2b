"""The catalogue of data sets: what an entry says, where sets lie, how they are fetched and checked.

Importing this package loads neither torch, numpy nor what downloads.
"""

from __future__ import annotations

from seqlab.datasets.archives import unpack
from seqlab.datasets.entry import DatasetEntry, Download
from seqlab.datasets.folders import cache_root, data_folders, find_dataset, need_dataset, not_here
from seqlab.datasets.getting import get_dataset

__all__ = [
    "DatasetEntry",
    "Download",
    "cache_root",
    "data_folders",
    "find_dataset",
    "get_dataset",
    "need_dataset",
    "not_here",
    "unpack",
]
