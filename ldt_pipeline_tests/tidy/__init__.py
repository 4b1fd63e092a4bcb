"""What raw records become."""
