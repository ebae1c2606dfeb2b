"""The `seqlab` command line: click, one file per command."""
