"""What a trial leaves behind: files in a folder, and the values that they are read into.

Driving writes these files, analysis reads the values; neither knows of the other.
"""
