"""The built-in entries of the catalogue of data sets, and what prepares them."""
