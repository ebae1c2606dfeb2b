"""What several domains share, and what belongs to none."""
