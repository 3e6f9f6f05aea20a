"""The bits of a region map: what a source says of each pixel of an image."""

LUNG, LESION, MARKER = 1, 2, 4

# On every pixel of an image whose source says where the lungs, or the markers and burned-in text, are.
LUNGS_KNOWN, MARKERS_KNOWN = 8, 16

# Beside LUNGS_KNOWN and MARKERS_KNOWN: not the source says so, a segmentation or a detector found it.
LUNGS_FOUND, MARKERS_FOUND = 32, 64
