"""What reports share: page and templates, charts, numbers, console and progress."""
