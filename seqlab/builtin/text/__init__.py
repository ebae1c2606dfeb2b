"""Text: words, their labels, and treebanks."""
